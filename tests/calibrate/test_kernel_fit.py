"""Fits of kernel curves: known curves come back from noisy tables; public tables give their published fits."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sim.calibrate.collectives import fit_tiers
from sim.calibrate.fit import fit_all
from sim.calibrate.samples import Sample, Transfer
from sim.calibrate.tables import read_tables
from sim.physics.chip import Chip
from sim.profiles.catalogue import Catalogue
from sim.resolve import resolve_chip

PEAK, WIDTH = 1e15, 3e12
NOISE = 0.03


def shared(name: str) -> Path:
    """A public table, which is no part of the repository."""
    root = os.environ.get("CHIP_PARITY_SHARED", "")
    path = Path(root) / "data" / "kernels" / name
    if not root or not path.is_file():
        pytest.skip(f"CHIP_PARITY_SHARED names no folder with data/kernels/{name}")
    return path


def chip(id: str = "h100-sxm") -> Chip:
    profile = Catalogue().chip(id)
    return resolve_chip(profile, Catalogue().kernels(profile.kernels))


def plain_chip() -> Chip:
    return Chip("x", {"bf16": PEAK}, {}, 80e9, WIDTH, {}, {}, 80.0, 700.0, {})


def noisy(seconds: float, random: np.random.Generator) -> float:
    return float(seconds * np.exp(NOISE * random.standard_normal()))


def products(a: float, b: float, t0: float) -> list[Sample]:
    """Dense products whose time is max(2mnk / aP, 2(mn + nk + mk) / bW) + t0, written out here."""
    random, found = np.random.default_rng(1), []
    for n, k in [(2048, 7168), (8192, 8192), (28672, 8192), (512, 512)]:
        for m in (2.0 ** np.arange(15)).tolist():
            flop, moved = 2.0 * m * n * k, 2.0 * (m * n + n * k + m * k)
            seconds = noisy(max(flop / (a * PEAK), moved / (b * WIDTH)) + t0, random)
            found.append(Sample("x", "gemm", "bf16", flop, moved, m, 1.0, seconds, "", f"{n}x{k}"))
    return found


def experts(a: float, b: float, t0: float, half: float) -> list[Sample]:
    random, found = np.random.default_rng(2), []
    for groups, hidden, inner in [(8, 4096, 14336), (32, 7168, 2048), (64, 4096, 1536)]:
        for rows in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096):
            weights = 3.0 * groups * hidden * inner
            flop, moved = 2.0 * rows * weights, 2.0 * weights
            share = a * rows / (rows + half)
            seconds = noisy(max(flop / (share * PEAK), moved / (b * WIDTH)) + t0, random)
            shape = f"{groups}x{hidden}"
            found.append(Sample("x", "grouped_gemm", "bf16", flop, moved, rows, 1.0, seconds, "", shape))
    return found


@pytest.mark.parametrize(("a", "b", "t0"), [(0.75, 0.80, 7e-6), (0.42, 0.65, 12e-6), (0.9, 0.5, 2e-6)])
def test_a_known_curve_comes_back(a: float, b: float, t0: float) -> None:
    (fit,) = fit_all(products(a, b, t0), plain_chip())
    assert fit.curve.compute == pytest.approx(a, rel=0.03)
    assert fit.curve.bandwidth == pytest.approx(b, rel=0.03)
    assert fit.curve.overhead_s == pytest.approx(t0, rel=0.05)
    assert set(fit.ranges) == {"compute", "bandwidth", "overhead"}
    # The noise is lognormal with 3 %: its median absolute value is 0.6745 x 3 % = 2.0 %.
    assert fit.median == pytest.approx(0.020, abs=0.008)
    for name, truth in (("compute", a), ("bandwidth", b), ("overhead", t0)):
        low, high = fit.ranges[name]
        assert low * 0.97 < truth < high * 1.03


def test_a_known_grouped_curve_comes_back() -> None:
    (fit,) = fit_all(experts(0.7, 0.8, 25e-6, 100.0), plain_chip())
    assert fit.curve.compute == pytest.approx(0.7, rel=0.03)
    assert fit.curve.bandwidth == pytest.approx(0.8, rel=0.03)
    assert fit.curve.overhead_s == pytest.approx(25e-6, rel=0.15)
    # Memory hides the rise up to some 400 rows, so the noise of 3 % weighs heavily on half_rows.
    assert fit.curve.half_rows == pytest.approx(100.0, rel=0.25)


def test_rows_gone_wrong_do_not_move_the_fit() -> None:
    rows = products(0.75, 0.80, 7e-6)
    broken = [each if i % 15 else replace(each, seconds=6 * each.seconds) for i, each in enumerate(rows)]
    (fit,) = fit_all(broken, plain_chip())
    assert fit.curve.compute == pytest.approx(0.75, rel=0.05)
    assert fit.curve.bandwidth == pytest.approx(0.80, rel=0.05)


def test_what_the_rows_do_not_show_is_not_stated() -> None:
    large = [each for each in products(0.6, 0.8, 5e-6) if each.rows >= 4096]
    (fit,) = fit_all(large, plain_chip())
    assert set(fit.ranges) == {"compute"}


def test_several_softwares_widen_the_joint_range() -> None:
    slow, fast = products(0.5, 0.8, 5e-6), products(0.8, 0.8, 5e-6)
    rows = [replace(each, software=name) for name, part in (("slow", slow), ("fast", fast)) for each in part]
    fits = {fit.software: fit for fit in fit_all(rows, plain_chip())}
    assert set(fits) == {"slow", "fast", ""}
    low, high = fits[""].ranges["compute"]
    assert low <= 0.51
    assert high >= 0.79


def test_a_known_tier_comes_back() -> None:
    # Ring over 8: all-reduce 2 V 7/8 over 400 GB/s x 0.8 and 2 log2(8) = 6 steps of 3 us; all-gather half of both.
    random, rows = np.random.default_rng(3), []
    for payload in (2.0 ** np.arange(10, 31)).tolist():
        for operation, passes in (("all_reduce", 2), ("all_gather", 1)):
            seconds = noisy(passes * payload * 7 / 8 / (400e9 * 0.8) + passes * 3 * 3e-6, random)
            rows.append(Transfer("x", operation, 8.0, payload, seconds, "lib"))
    fit = next(each for each in fit_tiers(rows, 400e9) if each.operation == "rings")
    assert fit.latency_s == pytest.approx(3e-6, rel=0.03)
    assert fit.efficiency == pytest.approx(0.8, rel=0.03)


# --- public tables -------------------------------------------------------------------------------------------------

# Fits published with the tables (roofline against datasheet peaks, mean absolute error, grid search): a, b, t0 [us].
# They took 8.0 TB/s for B200; the catalogue has 7.7, so b is 0.75 x 8.0 / 7.7.
PUBLISHED = {
    ("a100-sxm-80g", "bf16"): (0.75, 0.80, 7.0),
    ("h100-sxm", "bf16"): (0.81, 0.85, 4.0),
    ("h200-sxm", "bf16"): (0.81, 0.85, 5.0),
    ("b200", "bf16"): (0.69, 0.75 * 8.0 / 7.7, 4.0),
    ("gb200-nvl72", "bf16"): (0.66, 0.80, 4.0),
    ("b200", "fp4"): (0.42, 0.65 * 8.0 / 7.7, 12.0),
    ("gb200-nvl72", "fp4"): (0.39, 0.65, 11.0),
}


def test_the_published_fits_of_dense_products() -> None:
    table = read_tables([shared("gemm.csv")])
    for (id, precision), (a, b, t0) in PUBLISHED.items():
        (fit,) = fit_all(
            [each for each in table.samples if (each.chip, each.precision) == (id, precision)], chip(id)
        )
        assert fit.curve.compute == pytest.approx(a, rel=0.04), id
        assert fit.curve.bandwidth == pytest.approx(b, rel=0.06), id
        assert 1e6 * fit.curve.overhead_s == pytest.approx(t0, rel=0.25), id  # their grid ends at 12 us


def test_the_published_rates_of_attention() -> None:
    # Kernel README of the tables: grouped-query decode reads 2.6-2.8 TB/s on H100 (best 3.0) of 3.35; prefill reaches
    # 500-570 TFLOP/s causal of 989.5; latent decode with 128 heads 560-583.
    table = read_tables([shared("attention_gqa.csv"), shared("attention_mla.csv")])
    rows = [each for each in table.samples if each.chip == "h100-sxm" and each.precision == "bf16"]
    fits = {(fit.family, fit.software): fit for fit in fit_all(rows, chip())}
    assert 2.6 <= fits["attention_decode", "TRTLLM grouped-query"].curve.bandwidth * 3.35 <= 3.0
    assert 500 <= fits["attention_prefill", "SGLang grouped-query"].curve.compute * 989.5 <= 570
    high = fits["attention_decode", "TRTLLM latent"].ranges["compute"][1]
    assert high * 989.5 >= 560


def test_the_published_rates_of_deepgemm() -> None:
    # DeepGEMM README, H800: 4096 x 7168 x 16384 in FP8 at 1426 TFLOP/s; its M-grouped products at 1346 at best.
    samples = read_tables([shared("deepseek_published_kernels.csv")]).samples
    dense = max(each.flop / each.seconds for each in samples if each.family == "gemm")
    grouped = max(each.flop / each.seconds for each in samples if each.family == "grouped_gemm")
    assert dense == pytest.approx(1426e12, rel=2e-3)
    assert grouped == pytest.approx(1346e12, rel=2e-3)


def test_nccl_reaches_its_published_bus_bandwidth() -> None:
    # README of the tables: all-reduce over 8 at 445 GB/s (H100) and 222 GB/s (A100); as shares of 450 and 300.
    table = read_tables([shared("collectives.csv")])
    for id, bandwidth, published in (("h100-sxm", 450e9, 445e9), ("a100-sxm-80g", 300e9, 222e9)):
        rows = [
            each
            for each in table.transfers
            if each.chip == id and each.software.startswith("NCCL") and each.members == 8
        ]
        fit = next(each for each in fit_tiers(rows, bandwidth) if each.operation == "all_reduce")
        assert fit.ranges["efficiency"][1] * bandwidth == pytest.approx(published, rel=0.05)
