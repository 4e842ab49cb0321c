"""The fleet block of a traffic file: what it makes of a plan, a run of each part, plain mistakes."""

import io
import json
from dataclasses import replace

import pytest

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.serving.cluster import ClusterPlan, PoolPlan
from sim.serving.fleet import FleetPolicies, TierSize, on_two_systems, with_policies
from sim.serving.steps import ReplicaLimits, StepCost
from sim.views.fleet import show_fleet

SCENARIO = """\
id: asked
name: Asked
question: Which?
clusters:
  a: {system: hgx-h20-8, chips: 512, region: us, start: 2026-12-01}
  b: {system: hgx-h100-8, chips: 512, region: us, start: 2026-12-01}
jobs:
  - {id: talk, model: llama-3.1-70b, workload: talk}
"""
HEAD = "id: talk\nkind_of_job: serving\nname: Talk\nextends: chat\n"


def played(folder, fleet, *, more="", job="talk", cluster="b", requests=400):
    workloads = folder / "scenarios" / "workloads"
    workloads.mkdir(parents=True, exist_ok=True)
    (workloads / "talk.yaml").write_text(HEAD + more + fleet)
    (folder / "asked.yaml").write_text(SCENARIO)
    stream = io.StringIO()
    catalogue = Catalogue([folder])
    show_fleet(catalogue, str(folder / "asked.yaml"), job, cluster, 0.7, requests, 1, stream, as_json=True)
    return json.loads(stream.getvalue())


def test_modes_failures_and_a_day(tmp_path):
    record = played(
        tmp_path,
        "fleet:\n"
        "  units: 2\n"
        "  router: power-of-two\n"
        "  modes:\n"
        "    fast: {share: 0.8, workload: chat}\n"
        "    expert: {share: 0.1, workload: reasoning, priority: 1}\n"
        "    vision: {share: 0.1, workload: chat, image_tokens: 1024, encode: 30 ms}\n"
        "  swap: {size: 100 GB, bandwidth: 25 GB/s}\n"
        "  failures: {repair: 20 s, rate: 3000 / chip / year}\n"
        "  maintenance: {every: 20 s, lasts: 5 s}\n"
        "  day: {peak_over_mean: 1.3, period: 60 s}\n",
    )
    assert record["finished"] == 400
    assert [mode["mode"] for mode in record["modes"]] == ["fast", "expert", "vision"]
    fast, expert, vision = record["modes"]
    assert fast["requests"] + expert["requests"] + vision["requests"] == 400
    assert vision["ttft_s"]["p50"] > fast["ttft_s"]["p50"] + 0.03  # the encoder comes first


def test_a_prefix_cache_finds_what_the_trace_repeats(tmp_path):
    """Ten prompts of 2 x 512 tokens and more, the same ones again and again: all but the first ten find 1,024 of 1,100."""
    rows = [
        {
            "timestamp": 500 * n,
            "input_length": 1100,
            "output_length": 20,
            "hash_ids": [2 * (n % 10), 2 * (n % 10) + 1, 900 + n],
        }
        for n in range(200)
    ]
    (tmp_path / "talk.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    record = played(
        tmp_path,
        "fleet:\n  router: cache-aware\n  prefix_cache: {tiers: [{size: 100 GB, bandwidth: 25 GB/s}]}\n",
        more="arrivals: trace\ntrace: talk.jsonl\n",
        requests=200,
    )
    # Every instance has a cache of its own, and who comes while the first of its kind is being read finds nothing yet.
    assert 0.2 * 190 * 1024 / (200 * 1100) < record["prefix_hit"] <= 190 * 1024 / (200 * 1100)


def test_prompts_on_one_chip_and_answers_on_another(tmp_path):
    fleet = (
        "fleet:\n  prefill_system: hgx-h20-8\n  autoscale: {target: 0.5, period: 5 s, start: 5 s, most: 2}\n"
    )
    record = played(tmp_path, fleet)
    assert record["finished"] == 400
    assert set(record["instances_up"]) == {"serve", "prefill"}


def test_the_slower_network_sends_the_cache():
    def unit(replicas, fixed, token):
        pool = PoolPlan(StepCost([0.0, 1.0]), ReplicaLimits(1, 100), 2)
        return ClusterPlan(pool, replace(pool, replicas=replicas), fixed, token)

    both = on_two_systems(unit(3, 0.2, 1e-6), unit(9, 0.1, 2e-6), 2.0)
    assert (both.prefill.replicas, both.transfer_s, both.transfer_token_s) == (6, 0.2, 2e-6)


def test_policies_by_hand():
    """100 kB per token, 4 chips with 10 GB at 5 GB/s each: 781 blocks of 512 tokens, 5 us per token.

    1e-6 failures per chip and second on 4 chips: one in 250,000 s.
    """
    pool = PoolPlan(StepCost([0.0, 1.0]), ReplicaLimits(1, 1000), 2, chips=4.0)
    tier = TierSize(10e9, 5e9)
    policies = FleetPolicies(1e5, block_tokens=512, tiers=[tier], swap=tier, failure_rate=1e-6, repair_s=60.0)
    limits = (changed := with_policies(ClusterPlan(pool), policies).serve).limits
    assert limits.prefix.tiers[0].blocks == 781
    assert limits.prefix.tiers[0].load_token_s == pytest.approx(5e-6)
    assert limits.swap_blocks == 25_000
    assert limits.swap_token_s == pytest.approx(5e-6)
    assert (changed.failures.mean_s, changed.failures.repair_s) == (pytest.approx(250_000.0), 60.0)
    split = with_policies(ClusterPlan(pool, replace(pool, chips=2.0)), policies)
    assert split.prefill.limits.kv_blocks == 500  # as many per chip as decode has
    assert split.serve.limits.prefix is None


@pytest.mark.parametrize(
    ("fleet", "message"),
    [
        ("fleet:\n  router: random\n", "round-robin"),
        ("fleet:\n  autoscale: {target: 0.5, period: 5 s, start: 5 s, least: 3, most: 2}\n", "below least"),
        ("fleet:\n  modes:\n    fast: {share: 1, workload: pretrain-v3}\n", "training recipe"),
        ("", "no `fleet:` block"),
        ("fleet:\n  prefix_cache: {block_tokens: 500}\n", "multiple of 16"),
    ],
)
def test_mistakes_are_said_plainly(tmp_path, fleet, message):
    with pytest.raises(InputError, match=message):
        played(tmp_path, fleet)


def test_bursts_and_days_of_the_traffic_are_played(tmp_path):
    """Of 20 s in 80 s there are requests: mean rate as asked, most seconds without any."""
    record = played(
        tmp_path,
        "fleet: {units: 1}\n",
        more="arrivals: on-off\non_off: {on: 20 s, off: 60 s}\n",
        requests=2000,
    )
    assert record["finished"] == 2000


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("arrivals: on-off\n", "arrivals: on-off needs `on_off`"),
        ("arrivals: diurnal\n", "arrivals: diurnal needs `day`"),
        (
            "arrivals: poisson\nday: {peak_over_mean: 1.2, period: 24 hour}\n",
            "day: the block would not be read",
        ),
    ],
)
def test_arrivals_have_what_they_need(tmp_path, more, message):
    with pytest.raises(InputError, match=message):
        played(tmp_path, "fleet: {units: 1}\n", more=more)
