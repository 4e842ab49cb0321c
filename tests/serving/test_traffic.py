"""Arrivals, lengths and traces."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.serving.pattern import Pattern
from sim.serving.traces import prefix_hits, read_trace
from sim.serving.traffic import (
    LengthDistribution,
    TraceError,
    diurnal_arrivals,
    draw_requests,
    gamma_arrivals,
    on_off_arrivals,
    poisson_arrivals,
    scaled_to,
)

N = 100_000


def cv(times):
    gaps = np.diff(times)
    return gaps.std() / gaps.mean()


@pytest.mark.parametrize("variation", [0.5, 1.0, 3.0])
def test_gamma_gaps_have_the_asked_variation(variation):
    times = gamma_arrivals(5.0, variation, N, np.random.default_rng(0))
    assert N / times[-1] == pytest.approx(5.0, rel=0.03)
    assert cv(times) == pytest.approx(variation, rel=0.03)


def test_poisson():
    times = poisson_arrivals(20.0, N, np.random.default_rng(0))
    assert N / times[-1] == pytest.approx(20.0, rel=0.02)
    assert cv(times) == pytest.approx(1.0, rel=0.02)


def test_on_off_keeps_the_rate_and_is_burstier():
    """Equal mean on and off times: requests come at twice the mean rate inside a burst, so the median gap is ln 2 / 20."""
    times = on_off_arrivals(10.0, 5.0, 5.0, N, np.random.default_rng(0))
    assert N / times[-1] == pytest.approx(10.0, rel=0.05)
    assert cv(times) > 1.5
    assert np.median(np.diff(times)) == pytest.approx(np.log(2) / 20.0, rel=0.05)


def test_a_day_has_its_peak_at_noon():
    """Rate 1 - 0.226 cos: over a whole day the mean is kept, and the peak hour is 1.226 times the mean."""
    times = diurnal_arrivals(2.0, 1.226, 2 * 86400 * 2, np.random.default_rng(0))
    assert len(times) / times[-1] == pytest.approx(2.0, rel=0.01)
    hours = np.bincount(((times % 86400) // 3600).astype(int), minlength=24) / 2 / 3600
    assert hours.argmax() in (11, 12)
    assert hours.max() == pytest.approx(2.0 * 1.226, rel=0.03)
    assert hours.min() == pytest.approx(2.0 * 0.774, rel=0.04)
    with pytest.raises(ValueError, match="from 1 to 2"):
        diurnal_arrivals(1.0, 2.5, 10, np.random.default_rng(0))


ARRIVALS = [
    poisson_arrivals,
    lambda rate, count, rng: gamma_arrivals(rate, 2.0, count, rng),
    lambda rate, count, rng: on_off_arrivals(rate, 3.0, 9.0, count, rng),
    lambda rate, count, rng: diurnal_arrivals(rate, 1.5, count, rng, 100.0),
]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(ARRIVALS))
def test_times_never_fall(seed, arrivals):
    times = arrivals(7.0, 200, np.random.default_rng(seed))
    assert len(times) == 200
    assert np.all(np.diff(times) >= 0)
    assert times[0] >= 0


def test_drawn_requests_leave_a_token_to_read():
    rng = np.random.default_rng(0)
    lengths = LengthDistribution(20, 1.5, 400)
    asked = draw_requests(poisson_arrivals(1.0, 5000, rng), lengths, lengths, 1.0, rng)
    assert np.all(asked.cached < asked.prompt)
    assert asked.prompt.max() <= 400
    assert asked.prompt.min() >= 1
    assert scaled_to(asked, 10.0).arrival_s[-1] == pytest.approx(4999 / 10.0)


def test_a_small_cache_forgets_the_oldest_block():
    prompts = [[1, 2], [3], [1, 2, 4]]
    assert prefix_hits(prompts).tolist() == [0, 0, 1024]
    assert prefix_hits(prompts, cache_blocks=2).tolist() == [0, 0, 0]  # block 3 pushed block 1 out


AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n"
MOONCAKE = (
    '{"timestamp": 500, "input_length": 1000, "output_length": 5, "hash_ids": [0, 1]}\n'
    '{"timestamp": 1500, "input_length": 1100, "output_length": 7, "hash_ids": [0, 2, 3]}\n'
)


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_azure_trace(tmp_path):
    asked = read_trace(written(tmp_path, "t.csv", AZURE))
    assert asked.arrival_s.tolist() == pytest.approx([0.0, 4.314579])
    assert asked.prompt.tolist() == [374, 396]
    assert asked.output.tolist() == [44, 109]


def test_mooncake_trace(tmp_path):
    asked = read_trace(written(tmp_path, "t.jsonl", MOONCAKE))
    assert asked.arrival_s.tolist() == [0.0, 1.0]
    assert asked.cached.tolist() == [0, 512]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "TIMESTAMP,Tokens\n", "a.csv:1: column ContextTokens is missing"),
        ("b.csv", AZURE + "yesterday,1,1\n", "b.csv:4: TIMESTAMP is 'yesterday'"),
        ("c.csv", AZURE + "2023-11-16 18:15:51,many,1\n", "c.csv:4: lengths are 'many' and '1'"),
        ("d.csv", AZURE + "2023-11-16 18:15:51,-5,1\n", "d.csv:4: lengths are -5 and 1"),
        ("e.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n", "e.csv: no requests"),
        ("f.jsonl", MOONCAKE + "{broken\n", "f.jsonl:3: not a request"),
        (
            "g.jsonl",
            '{"timestamp": 1, "input_length": 5}\n',
            "g.jsonl:1: not a request (key 'output_length' is missing)",
        ),
        ("h.txt", "", "must end in .csv"),
    ],
)
def test_a_broken_trace_says_where(tmp_path, name, text, words):
    with pytest.raises(TraceError) as caught:
        read_trace(written(tmp_path, name, text))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_trace_is_named(tmp_path):
    with pytest.raises(TraceError, match=r"nowhere\.csv: cannot be opened"):
        read_trace(tmp_path / "nowhere.csv")


@pytest.mark.skipif(
    not (Path(os.environ.get("CHIP_PARITY_SHARED", "/nonexistent")) / "data" / "traces").is_dir(),
    reason="the public traces are not here (CHIP_PARITY_SHARED)",
)
def test_public_traces_have_their_published_statistics():
    """Means measured on the same files with plain Python: 1,154.7 in and 211.1 out; 12,035.1 in, hit rate 0.374."""
    folder = Path(os.environ["CHIP_PARITY_SHARED"]) / "data" / "traces"
    azure = read_trace(folder / "azure_llm_2023_conv.csv")
    assert len(azure) == 19366
    assert azure.prompt.mean() == pytest.approx(1154.7, abs=0.1)
    assert azure.output.mean() == pytest.approx(211.1, abs=0.1)
    mooncake = read_trace(folder / "mooncake_fast25_conversation.jsonl")
    assert mooncake.prompt.mean() == pytest.approx(12035.1, abs=0.1)
    assert mooncake.cached.sum() / mooncake.prompt.sum() == pytest.approx(0.374, abs=0.002)


def test_on_off_gaps_vary_as_theory_says():
    """An interrupted Poisson process is a renewal process with squared variation 1 + 2 rate off^2 / (on + off)
    (Kuczura 1973): 1 + 2 x 10 x 9 / 4 = 46 for bursts of 1 s and pauses of 3 s at 10 per second."""
    times = on_off_arrivals(10.0, 1.0, 3.0, 400_000, np.random.default_rng(3))
    assert cv(times) ** 2 == pytest.approx(46.0, rel=0.05)


@pytest.mark.parametrize(
    ("pattern", "mean_over_peak"),
    [
        (Pattern(), 1.0),
        (Pattern("on-off", on_s=3.0, off_s=9.0), 0.25),
        (Pattern("diurnal", peak_over_mean=1.6), 0.625),
    ],
)
def test_a_pattern_keeps_its_mean_rate(pattern, mean_over_peak):
    assert pattern.mean_over_peak == pytest.approx(mean_over_peak)
    times = pattern.within(4000.0).arrivals(50.0, 1.0, 200_000, np.random.default_rng(4))
    # Some 330 bursts and silences, whose lengths vary by their mean: 8 % of the rate, seen here at 1.6 times that.
    assert len(times) / times[-1] == pytest.approx(50.0, rel=0.15)
    seconds = np.histogram(times, 2000, (0, times[-1]))[0] / (times[-1] / 2000)
    busiest = np.quantile(seconds, 0.95)
    assert busiest == pytest.approx(50.0 / mean_over_peak, rel=0.25)
