"""Traces as traffic: fitted lengths keep what the closed forms need, and a replay keeps the trace."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.serving.replay import fitted_lengths, replayed, trace_traffic
from sim.serving.traces import load_trace
from sim.serving.traffic import Requests, Trace, TraceError

TRACES = Path(__file__).parents[1] / "data" / "traces"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 200_000), min_size=2, max_size=30))
def test_fit_keeps_mean_mean_square_and_longest(lengths):
    values = np.array(lengths, dtype=np.int32)
    fit = fitted_lengths(values)
    assert float(fit.mean) == pytest.approx(values.mean(), rel=1e-6)
    assert fit.maximum == values.max()
    # A two-point distribution of 1 and a long length needs a spread beyond the widest tried.
    if fit.sigma < 7.9:
        assert float(fit.mean_square) == pytest.approx(np.mean(values.astype(float) ** 2), rel=1e-5)


def test_tiny_trace_by_hand():
    """12 rows: prompts add up to 12,000 and answers to 1,200; gaps 1 2 1 4 1 1 4 1 4 1 2 have mean 2 and variance
    (62 - 44) / 11."""
    found = trace_traffic(load_trace(TRACES / "tiny.csv"))
    assert float(found.prompt.mean) == pytest.approx(1000.0)
    assert float(found.output.mean) == pytest.approx(100.0)
    assert found.burstiness == pytest.approx(np.sqrt(18 / 11) / 2)
    assert found.prefix_hit is None


def test_prefix_reuse_comes_from_the_blocks():
    """Known leading blocks of the twelve prompts: 0 2 0 3 0 1 4 2 1 3 0 1, never the last token."""
    trace = load_trace(TRACES / "tiny.jsonl")
    known = np.array([0, 2, 0, 3, 0, 1, 4, 2, 1, 3, 0, 1]) * 512
    expected = np.minimum(known, trace.requests.prompt - 1)
    assert trace.requests.cached.tolist() == expected.tolist()
    assert trace_traffic(trace).prefix_hit == pytest.approx(expected.sum() / trace.requests.prompt.sum())


@pytest.mark.parametrize("name", ["tiny.csv", "tiny.jsonl"])
@pytest.mark.parametrize("count", [5, 12, 100])
def test_replay_keeps_order_lengths_and_rate(name, count):
    trace = load_trace(TRACES / name)
    asked = replayed(trace, 40.0, count, 0.25, np.random.default_rng(1))
    assert len(asked) == count
    assert asked.arrival_s[0] == 0
    assert np.all(np.diff(asked.arrival_s) >= 0)
    assert (count - 1) / asked.arrival_s[-1] == pytest.approx(40.0)
    pairs = list(zip(trace.requests.prompt.tolist(), trace.requests.output.tolist(), strict=True))
    start = pairs.index((int(asked.prompt[0]), int(asked.output[0])))
    expected = [pairs[(start + i) % 12] for i in range(count)]
    assert list(zip(asked.prompt.tolist(), asked.output.tolist(), strict=True)) == expected
    if trace.blocks is None:
        assert asked.cached.tolist() == [p // 4 for p in asked.prompt.tolist()]
    if count == 100:  # over whole rounds the gaps vary as they were recorded, plus the one between rounds
        gaps = np.diff(asked.arrival_s)
        assert gaps.std() / gaps.mean() == pytest.approx(trace_traffic(trace).burstiness, rel=0.05)


def test_a_trace_without_a_rate_is_refused():
    one = np.ones(3, np.int32)
    with pytest.raises(TraceError, match="two different times"):
        trace_traffic(Trace(Requests(np.zeros(3), one, one, one * 0)))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "a.jsonl",
            b'{"timestamp": NaN, "input_length": 5, "output_length": 1}\n',
            "a.jsonl:1: not a request",
        ),
        ("b.jsonl", b"5\n", "b.jsonl:1: not a request"),
        (
            "c.jsonl",
            b'{"timestamp": 1, "input_length": 9999999999, "output_length": 1}\n',
            "c.jsonl:1: lengths",
        ),
        (
            "d.jsonl",
            b'{"timestamp": 1, "input_length": 5, "output_length": 1, "hash_ids": [[1]]}\n',
            "d.jsonl:1",
        ),
        ("e.csv", b"\x1f\x8b\x08\xff\xfe", "e.csv: not a text in UTF-8"),
    ],
)
def test_strange_files_are_one_line(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TraceError) as caught:
        load_trace(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(
    not (Path(os.environ.get("CHIP_PARITY_SHARED", "/nonexistent")) / "data" / "traces").is_dir(),
    reason="the public traces are not here (CHIP_PARITY_SHARED)",
)
def test_fit_of_the_public_conversation_trace_has_its_published_means():
    found = trace_traffic(
        load_trace(Path(os.environ["CHIP_PARITY_SHARED"]) / "data" / "traces" / "azure_llm_2023_conv.csv")
    )
    assert float(found.prompt.mean) == pytest.approx(1154.7, abs=0.1)
    assert float(found.output.mean) == pytest.approx(211.1, abs=0.1)
