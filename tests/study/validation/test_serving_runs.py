"""Engines as installed: caps by version and chip, launches from the host, the end of a run, pace of software, levels."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from sim.study.validation.calibrate_serving import fit_engine_levels
from sim.study.validation.calibrate_widths import Residual, engine_levels, runs_by_level
from sim.study.validation.cases import Case, validation_catalogue, validation_folder
from sim.study.validation.serving_cases import look_up, read_engine_rules
from sim.study.validation.serving_points import measure
from sim.study.validation.validate_serving import TABLE, groups_of, level_error, predict

H100 = "ix-llama-3.3-70b-h100-vllm-tp2-1024-1024-c64-tpot"
R1 = "ix-deepseek-r1-h200-sglang-tp8-1024-1024-c64-tpot"
TRTLLM = "trtllm-qwen3-235b-a22b-h200-tp8-1000-1000"


@pytest.fixture(scope="module")
def known():
    rules = read_engine_rules(validation_folder() / "engines.yaml")
    with (validation_folder() / "inference.csv").open(encoding="utf-8", newline="") as lines:
        return validation_catalogue(), rules, {row["case_id"]: row for row in csv.DictReader(lines)}


def setting(known, case_id, **changes):
    catalogue, rules, rows = known
    return look_up(Case({**rows[case_id], **changes}, 2), catalogue, rules)


def value(found):
    return float(np.ravel(measure(found).value)[0])


@pytest.mark.parametrize(
    ("changes", "cap"),
    [
        ({}, 1024), ({"chip": "a100-sxm-80g"}, 256), ({"chip": "ascend-910b"}, 256), ({"chip": "mi300x"}, 1024),
        ({"software_date": "2024-11"}, 256), ({"software_date": "2025-10"}, 1024), ({"software_date": "soon"}, 1024),
        ({"load_mode": "saturated"}, 512),
    ],
)  # fmt: skip
def test_vllm_admits_what_its_code_says_by_chip_and_month(known, changes, cap):
    """EngineArgs.get_batch_defaults: 1,024 from 70 GiB but not on A100, else 256; the V0 engine 256."""
    assert setting(known, H100, **changes).chosen()["max_batch"].median == cap


def test_requests_of_a_published_run_bound_its_batch(known):
    """TensorRT-LLM sends 3,000 requests of 1,000 + 1,000 tokens, 375 to each of eight replicas; 1,000 of 20,000 + 2,000."""
    assert setting(known, TRTLLM).sent() == 3000
    assert setting(known, TRTLLM, isl="20000", osl="2000").sent() == 1000
    assert setting(known, TRTLLM, n_requests="77").sent() == 77
    assert "375 sequences" in measure(setting(known, TRTLLM)).note


def test_a_run_of_many_waves_is_as_fast_as_one_without_end(known):
    endless, long = (
        value(setting(known, TRTLLM, source_kind="other", n_requests=n)) for n in ("", "1000000")
    )
    short = value(setting(known, TRTLLM, n_requests="800"))
    assert long == pytest.approx(endless, rel=0.02)
    assert short < 0.8 * endless


def test_a_step_takes_at_least_the_launches_of_its_layers(known):
    """64 layers at 1.6 ms: a dense 32B model takes at least 102 ms a token where graphs did not exist, and 4 requests cannot
    hide it; with 2,000 the device is slower than the host."""
    few = {"chip": "ascend-910b", "model_id": "qwen3-32b", "concurrency_total": "4", "weights_dtype": "bf16"}
    few |= {"compute_dtype": "bf16", "kv_dtype": "bf16"}
    eager = value(setting(known, H100, software_date="2025-04", **few))
    assert 102.4 <= eager <= 115
    assert value(setting(known, H100, software_date="2026-05", **few)) < 0.6 * eager
    assert value(setting(known, H100, **few, overlap="off_eager")) == pytest.approx(eager, rel=0.05)


def test_software_outside_the_data_is_that_of_its_edge(known):
    """Pace 0.34 a year from 2025-12, over 2025-11 to 2026-04: nothing beyond, nothing for dense models or no date."""
    at = {
        date: value(setting(known, R1, software_date=date))
        for date in ("2024-01", "2025-11", "2026-04", "2027-01", "")
    }
    assert at["2024-01"] == at["2025-11"] > at[""] > at["2026-04"] == at["2027-01"]
    assert at["2025-11"] / at["2026-04"] == pytest.approx(np.exp(0.34 * 5 / 12), rel=0.03)
    assert setting(known, H100, software_date="2026-04").years_later() is None


def test_an_unknown_level_and_an_unknown_month_widen(known):
    """One run leaves tau sqrt(k / (1 + k)), none tau; a month anywhere in 5 months at 0.34 a year adds 0.041 in squares."""
    found = known[1].engine_levels
    known_model = level_error(setting(known, TRTLLM, software_date="2025-12"))
    new = level_error(setting(known, TRTLLM, software_date="2025-12", model_id="gpt-oss-120b"))
    assert new == pytest.approx(found.spread)
    assert known_model == pytest.approx(found.spread * np.sqrt(found.runs_alike / (0.5 + found.runs_alike)))
    undated = level_error(setting(known, TRTLLM, software_date="", model_id="gpt-oss-120b"))
    assert undated == pytest.approx(np.hypot(found.spread, 0.34 * 5 / 12 / np.sqrt(12)), rel=1e-3)


def test_checkpoints_of_nvidia_have_a_narrow_cache(known):
    assert setting(known, TRTLLM, kv_dtype="").case.text("kv_dtype") == "fp8"
    assert setting(known, TRTLLM, kv_dtype="", weights_dtype="bf16").case.text("kv_dtype") == ""
    assert setting(known, TRTLLM, kv_dtype="bf16").case.text("kv_dtype") == "bf16"
    assert setting(known, R1, kv_dtype="").case.text("kv_dtype") == ""


def test_four_bit_floats_are_widened_where_there_are_no_units(known):
    found = setting(known, TRTLLM, weights_dtype="fp4", compute_dtype="fp8")
    assert found.precision == "bf16"
    assert any("widened to 16 bits" in note for note in found.remarks())


def test_level_spread_of_groups_with_known_levels():
    """200 groups of 10 runs, levels N(0, 0.2), runs N(0, 0.1): tau 0.2 (t of 200 degrees adds 0.3 %), k = 0.25."""
    rng = np.random.default_rng(1)
    levels = np.repeat(rng.normal(0, 0.2, 200), 10)
    errors = levels + rng.normal(0, 0.1, 2000)
    rows = [
        Residual(float(e), 0.0, 1.0, str(n), str(n // 10), "", "both", "vllm", "m")
        for n, e in enumerate(errors)
    ]
    found = engine_levels(rows, errors)
    assert found.spread == pytest.approx(0.2, rel=0.15)
    assert found.runs_alike == pytest.approx(0.25, rel=0.3)
    assert runs_by_level([replace(rows[0], weight=0.5), rows[1]])["vllm/0/m"] == 1.5


def test_runs_of_the_file_are_those_of_the_calibrate_rows(known):
    catalogue, rules, _ = known
    cases = TABLE.read(validation_folder() / "inference.csv", lambda case: groups_of(case, catalogue))
    levels, runs = fit_engine_levels(cases, catalogue, rules)
    assert {k: round(v, 2) for k, v in runs.items()} == rules.engine_levels.runs
    assert levels.spread < rules.engine_levels.spread


def test_an_open_loop_spreads_with_its_launches(known):
    catalogue, rules, rows = known
    row = {**rows["servingsim-rtxpro6000-qwen30b-tpot"], "chip": "ascend-910b", "software_date": "2025-09"}
    case = Case(row, 2, groups_of(Case(row, 2), catalogue))
    found = predict(case, catalogue, rules, draws=4)
    assert found.high / found.low > 1.8
