"""How fast the serving engine plays requests, and in how much memory.

    python benchmarks/serving.py --requests 200000 --json
    python benchmarks/serving.py --growth            # 10^4 to 10^7 requests of the first case
    python benchmarks/serving.py --kv                # the first case with ten and a hundred times the cache

Budget: 50,000 requests per second and core for aggregated chat with continuous batching, chunked prefill, reuse of
prefixes, drafts and a block-wise cache limit; ten million requests within 1 GiB. Speeds are per second of processor time,
as cores may be shared; wall time is beside it. Every case runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from sim.profiles.catalogue import Catalogue
from sim.profiles.workload import ServingTraffic
from sim.serving.cluster import ClusterPlan, Details, PoolPlan, simulate
from sim.serving.prefix_cache import CacheTier, PrefixSettings
from sim.serving.routing import least_loaded
from sim.serving.sessions import AgentHabits, draw_sessions
from sim.serving.steps import ReplicaLimits, StepCost
from sim.serving.traffic import LengthDistribution, Requests, draw_requests, poisson_arrivals


def _conversation() -> tuple[LengthDistribution, LengthDistribution]:
    """Prompts and answers of the Azure conversation trace 2023."""
    traffic = Catalogue().workload("azure-conversation")
    assert isinstance(traffic, ServingTraffic)
    prompt, output = (
        LengthDistribution(part.median.median, part.sigma.median, part.maximum.median)
        for part in (traffic.input, traffic.output)
    )
    return prompt, output


CONVERSATION = _conversation()
REASONING = LengthDistribution(800, 1.0, 16000), LengthDistribution(3000, 0.8, 20000)
# An H100-like instance: 8 ms of weights, 40 us per sequence, 10 ns per token of context, 5 us per prompt token.
COST = StepCost([0.008 + 4e-5 * batch for batch in range(513)], 1e-8, 0.0, 5e-6, 1e-10)
LIMITS = ReplicaLimits(512, 40_000, accepted=Fraction(17, 10), lookahead=1, spare_blocks=50)
Case = tuple[ClusterPlan, Requests, Details | None]


def aggregated_chat(count: int, rng: np.random.Generator, kv: int = 1) -> Case:
    """One aggregated instance, Poisson arrivals, lengths of the conversation trace, all features of the engine on."""
    limits = replace(LIMITS, kv_blocks=kv * LIMITS.kv_blocks)
    return ClusterPlan(PoolPlan(COST, limits, 1)), _requests(30.0, CONVERSATION, count, rng), None


def dense_70b(count: int, rng: np.random.Generator, kv: int = 1) -> Case:
    """Llama-3.1-70B on an HGX H100, as `parity capacity` plays it: steps and limits of the physics."""
    plan, rate = _unit("llama-3.1-70b", "hgx-h100-8", "aggregated")
    return plan, _requests(rate, CONVERSATION, count, rng), None


def moe_v3(count: int, rng: np.random.Generator, kv: int = 1) -> Case:
    """DeepSeek-V3 on H800, prefill and decode apart, as `parity capacity` plays it."""
    plan, rate = _unit("deepseek-v3", "hgx-h800-8", "disaggregated")
    return plan, _requests(rate, CONVERSATION, count, rng), None


def disaggregated_prefix(count: int, rng: np.random.Generator, kv: int = 1) -> Case:
    """Sessions with hashed prompts: two prefill replicas with a prefix cache and host memory, one decode instance."""
    prefix = PrefixSettings(512, (CacheTier(4000 * kv, 2e-9),))
    reader = replace(LIMITS, batch=10**6, kv_blocks=40_000 * kv, prefix=prefix)
    plan = ClusterPlan(
        PoolPlan(COST, LIMITS, 1), PoolPlan(replace(COST, base_s=[0.002]), reader, 2), 1e-3, 1e-8
    )
    habits = AgentHabits(
        LengthDistribution(6, 0.5, 20),
        LengthDistribution(1200, 0.8, 8000),
        LengthDistribution(300, 0.8, 4000),
        CONVERSATION[1],
        8.0,
        16_000,
    )
    sessions = draw_sessions(habits, poisson_arrivals(4.0, count // 5 + 10, rng), rng).at_rate(24.0)
    requests, root = _first(sessions.requests, count), sessions.roots()[:count]
    hashes = _Paths(root.tolist(), requests.prompt.tolist())
    return plan, replace(requests, cached=0 * requests.cached), Details(hashes=hashes)


def aggregated_fleet(count: int, rng: np.random.Generator, kv: int = 1) -> Case:
    """Sixteen instances behind a router that picks the least loaded."""
    plan = ClusterPlan(PoolPlan(COST, LIMITS, 16, least_loaded))
    return plan, _requests(480.0, CONVERSATION, count, rng), None


def crowded_reasoning(count: int, rng: np.random.Generator, kv: int = 1) -> Case:
    """Long answers that fill the cache: admission waits, sequences are pushed out and read again."""
    tight = replace(LIMITS, kv_blocks=24_000, spare_blocks=240)
    return ClusterPlan(PoolPlan(COST, tight, 1)), _requests(2.6, REASONING, count, rng), None


CASES = {
    case.__name__: case
    for case in (
        aggregated_chat,
        dense_70b,
        moe_v3,
        disaggregated_prefix,
        aggregated_fleet,
        crowded_reasoning,
    )
}


class _Paths(Sequence[Sequence[int]]):
    """Block ids of prompts: those of a session begin alike. Made when asked for, as millions would not fit."""

    def __init__(self, roots: list[int], prompts: list[int]) -> None:
        self._roots, self._prompts = roots, prompts

    def __len__(self) -> int:
        return len(self._roots)

    def __getitem__(self, row):
        base = self._roots[row] << 8
        return range(base, base + self._prompts[row] // 512)


def _first(asked: Requests, count: int) -> Requests:
    part = slice(count)
    return Requests(asked.arrival_s[part], asked.prompt[part], asked.output[part], asked.cached[part])


def _requests(
    rate: float, lengths: tuple[LengthDistribution, LengthDistribution], count: int, rng: np.random.Generator
) -> Requests:
    return draw_requests(poisson_arrivals(rate, count, rng), *lengths, 0.3, rng)


def _unit(model: str, system: str, pools: str) -> tuple[ClusterPlan, float]:
    """The unit that `parity capacity` would choose for this traffic, and nine tenths of what it carries [1/s]."""
    from sim.resolve import resolve_chip, resolve_network, resolve_serving
    from sim.serving.capacity import serving_capacity
    from sim.serving.unit_run import unit_plan

    files = Catalogue()
    place = files.system(system)
    profile = files.chip(place.chip)
    chip, network = resolve_chip(profile, files.kernels(profile.kernels)), resolve_network(place)
    job = resolve_serving(files.model(model), files.workload("chat"), chip)  # type: ignore[arg-type]
    traffic = replace(job.traffic, prompt=CONVERSATION[0], output=CONVERSATION[1], prefix_hit=0.3)
    job = replace(job, traffic=traffic, pools=pools)  # type: ignore[arg-type]
    plan = unit_plan(job, chip, network, serving_capacity(job, chip, network, 512))
    return plan.cluster, 0.9 * plan.requests_per_s


def measure(name: str, count: int, kv: int = 1) -> dict[str, float | str]:
    """Play one case and say how fast it went."""
    plan, requests, details = CASES[name](count, np.random.default_rng(1), kv)
    start, busy = time.perf_counter(), time.process_time()
    run = simulate(plan, requests, details=details)
    wall, seconds = time.perf_counter() - start, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "case": name,
        "requests": len(requests),
        "requests_per_s": round(len(requests) / seconds),
        "requests_per_wall_s": round(len(requests) / wall),
        "output_tokens_per_s": round(float(requests.output.sum()) / seconds),
        "peak_mib": round(peak, 1),
        "preemptions": run.serve.preemptions,
        "utilisation": round(run.utilisation()["serve"], 3),
        "prefix_hit": round(float(run.requests.cached.sum() / run.requests.prompt.sum()), 3),
        "kv_blocks": plan.serve.limits.kv_blocks,
    }


def apart(name: str, count: int, kv: int = 1) -> dict[str, float | str]:
    """:func:`measure` in a process of its own."""
    command = [sys.executable, __file__, "--case", name, "--requests", str(count), "--cache", str(kv)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float | str] = json.loads(done.stdout)
    return found


def main() -> None:
    """Run what is asked for, each case in its own process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000, help="requests per case")
    parser.add_argument("--case", choices=sorted(CASES), help="only this case, in this process")
    parser.add_argument("--cache", type=int, default=1, help="factor on the cache of a case")
    parser.add_argument("--growth", action="store_true", help="aggregated chat with 10^4 to 10^7 requests")
    parser.add_argument(
        "--kv", action="store_true", help="aggregated chat with 1, 10 and 100 times the cache"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    asked = parser.parse_args()
    if asked.case:
        print(json.dumps(measure(asked.case, asked.requests, asked.cache)))
        return
    if asked.growth:
        wanted = [("aggregated_chat", 10**power, 1) for power in (4, 5, 6, 7)]
    elif asked.kv:
        wanted = [("aggregated_chat", asked.requests, factor) for factor in (1, 10, 100)]
    else:
        wanted = [(name, asked.requests, 1) for name in CASES]
    results = []
    for name, count, factor in wanted:
        results.append(apart(name, count, factor))
        if not asked.json:
            print(
                "{case:21s} {requests:>10,} requests {requests_per_s:>9,} requests/s {output_tokens_per_s:>12,} tokens/s "
                "{peak_mib:>7} MiB, cache of {kv_blocks:,} blocks".format(**results[-1]),
                flush=True,
            )
    if asked.json:
        print(json.dumps({"cases": results}))


if __name__ == "__main__":
    main()
