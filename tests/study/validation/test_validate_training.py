"""Predicting published runs: what the table says, what is refused and why, and what the scores mean."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sim.profiles.messages import InputError
from sim.study.validation.calibrate_training import fit_speed_factors
from sim.study.validation.cases import (
    CannotPredict,
    Case,
    read_cases,
    validation_catalogue,
    validation_folder,
)
from sim.study.validation.page import markdown_page
from sim.study.validation.scores import Prediction, ValidationResult, score
from sim.study.validation.training_cases import (
    look_up,
    precision_of,
    read_rules,
    resolve_hardware,
    resolve_job,
)
from sim.study.validation.training_layouts import candidate_layouts
from sim.study.validation.training_rows import global_batch, recompute_policies, stage_layers
from sim.study.validation.training_totals import CAMPAIGN
from sim.study.validation.validate_training import (
    COLUMNS,
    flop_per_token,
    groups_of,
    predict,
    validate_training,
)

CATALOGUE = validation_catalogue()
RULES = read_rules(validation_folder() / "software.yaml")
TABLE = validation_folder() / "training.csv"


def rows() -> dict[str, dict[str, str]]:
    with TABLE.open(encoding="utf-8") as lines:
        return {row["case_id"]: row for row in csv.DictReader(lines)}


def case(case_id: str, **changes: str) -> Case:
    row = Case(rows()[case_id] | changes, 2)
    return replace(row, groups=groups_of(row, CATALOGUE))


@pytest.fixture(scope="module")
def result() -> ValidationResult:
    return validate_training()


def test_every_row_gets_a_number_or_a_reason(result: ValidationResult) -> None:
    assert len(result.predictions) == len(rows())
    for p in result.predictions:
        assert bool(p.reason) != bool(np.isfinite(p.predicted)), p.case.case_id
        if not p.reason:
            assert p.low < p.predicted < p.high
            assert p.breakdown or p.case.text("metric") in CAMPAIGN
    assert not [p.case.case_id for p in result.counted() if p.reason]


def test_the_model_beats_what_needs_no_model(result: ValidationResult) -> None:
    # The bars: a constant utilisation, and one for each chip family, precision and kind, fitted on the
    # calibrate rows.
    summary = result.summary()
    best = min(baseline["median"] for baseline in summary["baselines"].values())
    assert summary["headline"]["median"] < 0.6 * best
    assert abs(summary["headline"]["bias"]) < 0.04
    assert 0.70 <= summary["headline"]["coverage"] <= 0.95


def test_json_has_the_promised_shape(result: ValidationResult) -> None:
    document = json.loads(result.to_json())
    assert set(document) >= {"summary", "rows"}
    for row in document["rows"]:
        assert {"case_id", "use", "metric", "chip", "measured", "predicted", "low", "high", "reason"} <= set(
            row
        )


def test_page_shows_misses_and_reasons(result: ValidationResult) -> None:
    page = markdown_page(result, "What was fitted.")
    missed = next(p for p in result.counted() if not p.held)
    line = next(line for line in page.splitlines() if line.startswith(f"| {missed.case.case_id} |"))
    assert "**" in line
    assert "constant per family, precision and kind" in page
    assert len(page.splitlines()) > len(result.predictions)


def test_deepseek_v3_within_its_interval() -> None:
    # 19.926 s (arXiv 2505.09343, table 4); a validate row: the H800 has no calibrate row at all.
    prediction = predict(case("dsv3_h800_step"), CATALOGUE, RULES)
    assert prediction.predicted == pytest.approx(19.926, rel=0.10)
    assert prediction.held


def test_unknown_model_is_refused_with_the_nearest_ids() -> None:
    prediction = predict(case("dsv3_h800_step", model_id="deepseek-v33"), CATALOGUE, RULES)
    assert not np.isfinite(prediction.predicted)
    assert "deepseek-v33" in prediction.reason
    assert "deepseek-v3" in prediction.reason.replace("deepseek-v33", "")


def test_unknown_chip_and_missing_layout_are_reasons_not_crashes() -> None:
    assert "tpu-v3" in predict(case("gopher280_mfu"), CATALOGUE, RULES).reason
    no_batch = case("dsv3_h800_step", global_batch_tokens="", num_micro_batches="")
    assert "not published" in predict(no_batch, CATALOGUE, RULES).reason
    assert "number" in predict(case("dsv3_h800_step", seq_len="four"), CATALOGUE, RULES).reason
    assert "does not run fp8" in predict(case("sc21_1.7b", precision="FP8"), CATALOGUE, RULES).reason


def test_a_table_without_the_needed_columns_is_one_line(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("case_id,model_id,chips\nx,y,z\n", encoding="utf-8")
    with pytest.raises(InputError, match="needs a column `chip`"):
        read_cases(table, COLUMNS, lambda _: {})
    with pytest.raises(InputError, match="no such file"):
        read_cases(tmp_path / "absent.csv", COLUMNS, lambda _: {})


def test_layout_strings() -> None:
    # Meta: one layer less on the first and last of 16 stages. Megatron: E, then 62 pairs, then tL over 8 x 8
    # stages.
    meta, _ = stage_layers(case("llama405_h100_8k"), 126)
    assert (meta[0], meta[1], meta[-1], sum(meta), len(meta)) == (7, 8, 7, 126, 16)
    bridge, _ = stage_layers(case("mlperf50_405b_h100_512"), 126)
    assert (bridge, sum(bridge)) == ((15, 16, 16, 16, 16, 16, 16, 15), 126)
    deepseek, _ = stage_layers(case("mb_dsv3_gb200_fp8"), 61)
    assert (len(deepseek), sum(deepseek)) == (4, 61)
    assert stage_layers(case("dsv3_h800_step"), 61) == ((), "")


def test_recompute_words() -> None:
    def policy(written: str) -> object:
        return recompute_policies(case("dsv3_h800_step", recompute_std=written), 80)[0]

    assert policy("full").layers == 1.0  # type: ignore[attr-defined]
    assert policy("full:21 of 80 layers").layers == pytest.approx(21 / 80)  # type: ignore[attr-defined]
    assert policy("full:2 layers per stage").layers == pytest.approx(2 * 16 / 80)  # type: ignore[attr-defined]
    assert policy("selective:core_attn").core == 1.0  # type: ignore[attr-defined]
    mixed = policy("selective:rmsnorm+mla_up_proj+swiglu")
    assert (mixed.latent_up, mixed.elementwise, mixed.experts) == (1.0, 1.0, 0.0)  # type: ignore[attr-defined]
    assert len(recompute_policies(case("dsv3_h800_step", recompute_std=""), 80)) == 3


def test_blank_batch_comes_from_the_micro_batches() -> None:
    # 64 micro-batches of 4 sequences of 4,096 tokens on one replica.
    assert global_batch(case("primus_l7_mi300_1f1b")) == 64 * 4 * 4096
    with pytest.raises(CannotPredict, match="global_batch_tokens"):
        global_batch(case("dsv3_h800_step", global_batch_tokens="", num_micro_batches=""))


def test_blanks_are_searched_and_said() -> None:
    setting = look_up(case("mcore_w_119b_1536"), CATALOGUE, RULES)
    layouts, blank = candidate_layouts(setting, resolve_job(setting))
    assert set(blank) == {"micro_batch", "vpp", "recompute"}
    assert len(layouts) > 10
    assert 23 in layouts.vpp.tolist()


def test_a_row_without_layout_gets_the_best_one() -> None:
    # DeepSeek-V3 without its layout: whatever is best must be near what its makers found, and the interval
    # wider.
    given, open_ = (
        predict(case("dsv3_h800_step", tp=tp, ep=tp and "64"), CATALOGUE, RULES) for tp in ("1", "")
    )
    assert "searched: layout" in open_.note
    assert open_.predicted == pytest.approx(given.predicted, rel=0.25)
    assert predict(case("dsv3_h800_step", ep=""), CATALOGUE, RULES).note.endswith("searched: ep")


def test_flops_by_convention() -> None:
    # DeepSeek quotes 250 and 280 GFLOP per token without its MTP layer (arXiv 2505.09343, table 4).
    def flop(case_id: str) -> float:
        return flop_per_token(look_up(case(case_id), CATALOGUE, RULES))

    assert flop("dsv3_h800_mfu_causal") == pytest.approx(250e9, rel=0.01)
    assert flop("dsv3_h800_mfu_noncausal") == pytest.approx(280e9, rel=0.01)
    # SC21, eq. 3 with full recompute: 96 L h^2 (1 + s/(6h) + V/(16 L h)) per token.
    layers, h, s, v = 80, 12288, 2048, 51200
    assert flop("sc21_145.6b") == pytest.approx(
        96 * layers * h**2 * (1 + s / (6 * h) + v / (16 * layers * h)), rel=1e-3
    )


def test_ranks_that_are_dies_get_half_a_package() -> None:
    setting = look_up(case("as_a3_dsv3_512die"), CATALOGUE, RULES)
    die, network = resolve_hardware(setting)
    assert setting.dies == 2
    assert die.memory_bytes == pytest.approx(64e9)
    assert network.scale_up.size == 768


def test_the_row_decides_about_the_network() -> None:
    _, network = resolve_hardware(look_up(case("vtrain_175b_tp8pp8dp8mbs2"), CATALOGUE, RULES))
    assert network.tiers[-1].bandwidth == pytest.approx(100e9 / 8)
    assert precision_of(case("mb_dsv3_gb200_fp8")) == "fp8"


def test_speed_factors_rest_on_calibrate_rows_alone() -> None:
    chosen = ["sc21_145.6b", "vtrain_18.4b_tp8pp1dp32mbs8", "mlperf41_gpt3_256", "mlperf41_gpt3_512"]
    cases = [case(name) for name in chosen]
    spoiled = [replace(c, row=dict(c.row) | {"value": "1"}) if c.use == "validate" else c for c in cases]
    assert [c.use for c in cases].count("validate") == 1
    honest, other = (fit_speed_factors(each, CATALOGUE, RULES) for each in (cases, spoiled))
    assert honest == other
    # Rows measured twice as slow must ask for a lower factor.
    slower = [replace(c, row=dict(c.row) | {"value": str(2 * c.measured)}) for c in cases[:2]]
    assert fit_speed_factors(slower, CATALOGUE, RULES)["A100", "bf16"].raw > 0.5
    assert (
        fit_speed_factors(slower[1:], CATALOGUE, RULES)["A100", "bf16"].raw
        < fit_speed_factors(cases[1:2], CATALOGUE, RULES)["A100", "bf16"].raw
    )


def test_scores_by_hand() -> None:
    def made(measured: float, predicted: float, weight: str = "1") -> Prediction:
        row = Case({"value": str(measured), "weight": weight}, 1)
        return Prediction(row, predicted, predicted * 0.9, predicted * 1.1)

    # Errors 0.05, 0.20, 0.10 and a refusal, which counts as 1; signed: +0.05, -0.20, +0.10, 0.
    scored = score([made(100, 105), made(100, 80), made(100, 110), made(100, float("nan"))])
    assert (scored.rows, scored.refused) == (4, 1)
    assert scored.median == pytest.approx(0.10)
    assert scored.p90 == pytest.approx(1.0)
    assert scored.bias == pytest.approx(0.0)
    assert scored.coverage == pytest.approx(1 / 3 + 1 / 3)
    # A row of weight 0.25 hardly counts.
    assert score([made(100, 105), made(100, 200, "0.25")]).median == pytest.approx(0.05)


def test_a_blank_split_means_equal_stages_where_the_layers_divide() -> None:
    # 76.1 billion parameters, 60 layers over 4 ranks: 15 each, as the scripts of the paper deal them out.
    assert stage_layers(case("sc21_76.1b", layers_per_stage=""), 60) == ((15, 15, 15, 15), "")
    # 126 over 16 do not divide: the search deals them out, the head counted as a layer, one less at both ends.
    assert stage_layers(case("llama405_h100_8k", layers_per_stage=""), 126) == ((), "")
    assert stage_layers(case("sc21_1.7b"), 24) == ((), "")
