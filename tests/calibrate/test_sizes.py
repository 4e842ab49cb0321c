"""Fits of what narrow products and short sequences lose: known curves must come back."""

from __future__ import annotations

import numpy as np
import pytest

from sim.calibrate.samples import Sample
from sim.calibrate.sizes import fit_sizes
from sim.physics.chip import Chip, KernelCurve

PEAK, BANDWIDTH = 1e15, 3e12
CHIP = Chip(
    name="test", matrix_peak={"bf16": PEAK}, vector_peak={}, memory_bytes=80e9, memory_bandwidth=BANDWIDTH,
    kernels={("gemm", "bf16"): KernelCurve(0.7, 0.8, 4e-6)}, speed_factor={}, idle_power_w=100.0,
    busy_power_w=700.0, layer_overhead_s={},
)  # fmt: skip


def product(m: float, n: float, k: float) -> Sample:
    """0.8 of the peak, half of it at 120 columns and at 60 deep to first order; 0.85 of the bandwidth; 5 us."""
    flop, moved = 2 * m * n * k, 2 * (m * k + n * k + m * n)
    seconds = max(flop * (1 + 120 / n + 60 / k) / (0.8 * PEAK), moved / (0.85 * BANDWIDTH)) + 5e-6
    shape = f"{n:g}x{k:g}"
    return Sample("test", "gemm", "bf16", flop, moved, m, 1.0, seconds, "library", shape, m * k, m * n)


def prompts(length: float, batch: float) -> Sample:
    """A core of 32 heads of 128 at 0.6 of the peak, half of it at 900 tokens; 8 us."""
    flop = batch * 4 * 32 * 128 * length * (length + 1) / 2
    seconds = flop * (1 + 900 / length) / (0.6 * PEAK) + 8e-6
    rows = batch * length
    return Sample(
        "test", "attention_prefill", "bf16", flop, 1e6, rows, 1.0, seconds, "library", "x", length=length
    )


def test_narrow_products_come_back() -> None:
    sides = (512.0, 1024.0, 4096.0, 8192.0)
    samples = [product(m, n, k) for m in (64.0, 2048.0, 8192.0) for n in sides for k in sides]
    (fit,) = fit_sizes(samples, CHIP)
    assert fit.values == pytest.approx({"wide": 0.8, "half_width": 120.0, "half_depth": 60.0}, rel=0.03)
    assert fit.p90 < 0.01 < fit.flat_p90


def test_short_prompts_come_back() -> None:
    samples = [
        prompts(length, batch) for length in 2.0 ** np.arange(9, 15) for batch in (1.0, 2.0, 8.0, 32.0)
    ]
    (fit,) = fit_sizes(samples, CHIP)
    assert fit.values == pytest.approx({"wide": 0.6, "half_length": 900.0}, rel=0.03)


def test_products_that_quantise_their_inputs_are_left_alone() -> None:
    eight = [Sample("test", "gemm", "fp8", 1.0, 1.0, 1.0, 1.0, 1.0, "library", "x") for _ in range(40)]
    assert fit_sizes(eight, CHIP) == []
