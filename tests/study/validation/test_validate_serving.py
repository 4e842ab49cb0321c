"""Predicting a table of serving results: rows, reasons, weights, fits."""

import csv
import json

import numpy as np
import pytest

from sim.profiles.messages import InputError
from sim.study.validation.calibrate_serving import fit_serving_factors, phase_of
from sim.study.validation.cases import Case, read_cases, validation_catalogue, validation_folder
from sim.study.validation.scores import Prediction
from sim.study.validation.serving_cases import read_engine_rules
from sim.study.validation.validate_serving import (
    COLUMNS,
    TABLE,
    groups_of,
    rank_correlation,
    validate_serving,
)

PICKED = (
    "dsprofile-decode", "cm384-decode-50ms", "ant-h20-decode-bs12", "mooncake-h20-kvxfer-32k",
    "mooncake-h20-qwen235-ttft-4096", "a3-r1-w8a8-32c-3k5-tput", "trtllm-llama-3.3-70b-h200-tp1-500-2000",
    "ix-llama-3.3-70b-h200-vllm-tp1-1024-1024-c4-ttft", "ix-llama-3.3-70b-h200-vllm-tp1-1024-1024-c4-tpot",
    "lmsys-h100-prefill-1024",
)  # fmt: skip


def table(tmp_path, change=lambda row: row, picked=PICKED):
    with (validation_folder() / "inference.csv").open(encoding="utf-8", newline="") as lines:
        rows = [change(dict(row)) for row in csv.DictReader(lines) if row["case_id"] in picked]
    path = tmp_path / "cases.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_rows_of_every_kind_are_predicted(tmp_path):
    """Published numbers; within 45 % each, which no roofline or constant reaches."""
    result = validate_serving(table(tmp_path), validation_catalogue())
    assert {p.case.case_id for p in result.predictions} == set(PICKED)
    for p in result.predictions:
        assert p.reason == ""
        assert abs(p.error) < 0.45
        assert p.low < p.predicted < p.high
    document = json.loads(result.to_json())
    assert document["summary"]["headline"]["rows"] > 3
    assert {"case_id", "use", "metric", "chip", "measured", "predicted", "low", "high", "reason"} <= set(
        document["rows"][0]
    )


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("chip", "h100", "no chip"),
        ("metric", "", "metric is not given"),
        ("load_mode", "", "load_mode is not given"),
        ("load_mode", "slo_max_rate", "no column states the limits"),
    ],
)
def test_a_row_that_cannot_be_predicted_says_why(tmp_path, column, value, words):
    path = table(tmp_path, lambda row: {**row, column: value}, ("trtllm-llama-3.3-70b-h200-tp1-500-2000",))
    (prediction,) = validate_serving(path, validation_catalogue()).predictions
    assert words in prediction.reason
    assert np.isnan(prediction.predicted)


def test_a_table_without_a_needed_column_is_refused(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("case_id,chips\nx,8\n")
    with pytest.raises(InputError, match="needs a column"):
        validate_serving(path, validation_catalogue())


def test_rows_of_one_run_share_a_weight(tmp_path):
    def same_run(row):
        return {**row, "run_group": "one", "use": "validate", "weight": "1"}

    picked = ("ant-h20-decode-bs12", "dsprofile-decode", "cm384-decode-50ms")
    result = validate_serving(table(tmp_path, same_run, picked), validation_catalogue())
    assert result.summary()["headline"]["rows"] == 3
    errors = sorted(abs(p.error) for p in result.predictions)
    assert result.summary()["headline"]["median"] == pytest.approx(errors[1], abs=1e-4)


def prediction(chip, predicted, measured):
    row = {
        "case_id": chip,
        "chip": chip,
        "metric": "tokens_per_s_per_chip",
        "value": str(measured),
        "model_id": "m",
    }
    return Prediction(Case(row, 1), predicted, predicted, predicted)


def test_rank_correlation_by_hand():
    """Orders 1 2 3 and 1 3 2: rho = 1 - 6 (0 + 1 + 1) / (3 x 8) = 0.5."""
    rows = [prediction("a", 1, 10), prediction("b", 3, 20), prediction("c", 2, 30)]
    assert rank_correlation(rows) == pytest.approx(0.5)
    assert rank_correlation(rows[:2]) is None


def test_the_fit_finds_a_factor_that_was_put_in(tmp_path):
    """Measured values doubled: the fitted speed is twice that of the table (and pulled a little towards one)."""
    catalogue = validation_catalogue()
    rules = read_engine_rules(validation_folder() / "engines.yaml")
    picked = ("lmsys-h100-prefill-1024", "lmsys-h100-decode-2k")
    found = []
    for factor in (1.0, 1.5):
        path = table(tmp_path, lambda row, f=factor: {**row, "value": str(float(row["value"]) * f)}, picked)
        cases = read_cases(path, COLUMNS, lambda case: groups_of(case, catalogue))
        found.append(fit_serving_factors(cases, catalogue, rules))
    assert {phase_of(case) for case in cases} == {"prefill", "decode"}
    for key in found[0]:
        assert found[1][key].raw / found[0][key].raw == pytest.approx(1.5, rel=0.06)
        assert abs(np.log(found[1][key].value)) < abs(np.log(found[1][key].raw)) + 1e-9


def test_the_page_names_every_speed_of_an_engine():
    rules = read_engine_rules(validation_folder() / "engines.yaml")
    for table in (rules.engine_speed, rules.grouped_speed):
        for speed in table.values():
            value = "1.0" if speed.value == 1 else f"{speed.value:.2f}"
            low, high = (
                f"{x:.2f}".removesuffix("0") if x == 1 else f"{x:.2f}" for x in (speed.low, speed.high)
            )
            assert f"{value} ({low} to {high}" in TABLE.preface().replace("\n", " ")
