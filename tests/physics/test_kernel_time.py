"""Kernel time: roofline arithmetic, and measured GEMM tables where they are at hand."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.physics.chip import Chip, KernelCurve, kernel_time

PLAIN = KernelCurve(compute=0.5, bandwidth=0.8, overhead_s=0.0)


def test_compute_bound_and_memory_bound_by_hand() -> None:
    # 1 TFLOP at half of 1 PFLOP/s: 2 ms. 8 GB at 0.8 of 1 TB/s: 10 ms. The larger counts.
    assert kernel_time(1e12, 0.0, 1e15, 1e12, PLAIN) == pytest.approx(2e-3)
    assert kernel_time(1e12, 8e9, 1e15, 1e12, PLAIN) == pytest.approx(10e-3)


def test_launches_add_their_overhead() -> None:
    curve = KernelCurve(compute=0.5, bandwidth=0.8, overhead_s=4e-6)
    assert kernel_time(0.0, 0.0, 1e15, 1e12, curve, launches=100) == pytest.approx(400e-6)


def test_half_rows_halve_the_rate() -> None:
    curve = KernelCurve(compute=0.6, bandwidth=1.0, overhead_s=0.0, half_rows=128.0)
    times = kernel_time(1e12, 0.0, 1e15, 1e12, curve, rows=np.array([128.0, 1e9]))
    assert times == pytest.approx([1e12 / 0.3e15, 1e12 / 0.6e15], rel=1e-6)


def test_no_rows_is_no_work() -> None:
    curve = KernelCurve(compute=0.6, bandwidth=1.0, overhead_s=0.0, half_rows=128.0)
    assert kernel_time(0.0, 0.0, 1e15, 1e12, curve, rows=0.0) == 0.0


@given(flop=st.floats(0, 1e16), moved=st.floats(0, 1e12), rate=st.floats(1.01, 4))
def test_a_faster_chip_is_never_slower(flop: float, moved: float, rate: float) -> None:
    slow = kernel_time(flop, moved, 1e15, 1e12, PLAIN)
    assert kernel_time(flop, moved, rate * 1e15, 1e12, PLAIN) <= slow
    assert kernel_time(flop, moved, 1e15, rate * 1e12, PLAIN) <= slow


def test_curve_falls_back_to_sixteen_bit() -> None:
    chip = Chip("x", {"bf16": 1e15}, {}, 1.0, 1.0, {("gemm", "bf16"): PLAIN}, {}, 0.0, 0.0, {})
    assert chip.curve("gemm", "fp8") is PLAIN
    with pytest.raises(KeyError, match="no kernel curve for lookup"):
        chip.curve("lookup", "bf16")
    assert chip.fastest("fp8", "bf16") == "bf16"
    with pytest.raises(KeyError, match="runs none of fp8"):
        chip.fastest("fp8")


def gemm_rows(system: str, dtype: str) -> list[dict[str, str]]:
    root = os.environ.get("CHIP_PARITY_SHARED", "")
    table = Path(root) / "data" / "kernels" / "gemm.csv"
    if not root or not table.exists():
        pytest.skip("the raw kernel tables are not at hand (set CHIP_PARITY_SHARED)")
    with table.open() as lines:
        return [row for row in csv.DictReader(lines) if row["system"] == system and row["dtype"] == dtype]


# Peak, bandwidth, width and fit (a, b, t0) of the aiconfigurator-core 0.12.0 GEMM tables, with the error
# that fit states.
@pytest.mark.parametrize(
    ("system", "dtype", "peak", "bandwidth", "width", "fit", "error"),
    [
        ("h100_sxm", "bfloat16", 989e12, 3.35e12, 2, (0.81, 0.85, 4e-6), 0.08),
        ("a100_sxm", "bfloat16", 312e12, 2.04e12, 2, (0.75, 0.80, 7e-6), 0.13),
        ("h100_sxm", "fp8", 1979e12, 3.35e12, 1, (0.60, 0.75, 12e-6), 0.20),
    ],
)
def test_fits_reproduce_the_measured_tables(
    system: str,
    dtype: str,
    peak: float,
    bandwidth: float,
    width: int,
    fit: tuple[float, float, float],
    error: float,
) -> None:
    rows = gemm_rows(system, dtype)
    if not rows:
        pytest.skip(f"no {system} {dtype} rows")
    m, n, k, measured = (
        np.array([float(row[name]) for row in rows]) for name in ("m", "n", "k", "latency_ms")
    )
    curve = KernelCurve(compute=fit[0], bandwidth=fit[1], overhead_s=fit[2])
    predicted = kernel_time(2 * m * n * k, width * (m * k + k * n) + 2 * m * n, peak, bandwidth, curve)
    assert np.mean(np.abs(predicted / (measured * 1e-3) - 1)) < error
