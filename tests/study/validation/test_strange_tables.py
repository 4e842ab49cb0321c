"""Tables that strangers write: every row ends in a number or in a sentence, and a table that is none in one line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sim.profiles.messages import InputError
from sim.study.validation.cases import Case, read_cases, validation_catalogue, validation_folder
from sim.study.validation.training_cases import read_rules
from sim.study.validation.training_rows import stage_layers
from sim.study.validation.training_words import depth, month, said, schedule_of, zero_stage
from sim.study.validation.validate_training import COLUMNS, groups_of, predict, validate_training

CATALOGUE = validation_catalogue()
RULES = read_rules(validation_folder() / "software.yaml")
PICKED = ("dsv3_h800_step", "sc21_1.7b", "llama3_goodput", "bloom_wall", "mlperf40_gpt3_power")


def shipped() -> list[dict[str, str]]:
    with (validation_folder() / "training.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = {row["case_id"]: row for row in csv.DictReader(lines)}
    return [rows[name] for name in PICKED]


def text_of(rows: list[dict[str, str]], delimiter: str = ",") -> str:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def reason(**changes: str) -> str:
    row = Case(shipped()[0] | changes, 2)
    found = predict(Case(row.row, 2, groups_of(row, CATALOGUE)), CATALOGUE, RULES, draws=4)
    return found.reason or "predicted"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"chip": "h900"}, 'no chip "h900"; did you mean "h800"'),
        ({"chip": "../../etc/passwd"}, "is no id"),
        ({"chip": ""}, "chip is not given"),
        ({"n_chips": "many"}, 'n_chips: read "many"'),
        ({"n_chips": "nan"}, 'n_chips: read "nan"'),
        ({"n_chips": "-8"}, "whole number"),
        ({"seq_len": "4096.5"}, "whole number"),
        ({"seq_len": "1e400"}, "where a number is expected"),
        ({"tp": "7"}, "does not go into n_chips = 2,048"),
        ({"dp": "9999999"}, "does not go into n_chips"),
        ({"global_batch_tokens": "2048"}, "less than one sequence of 4,096 tokens"),
        ({"zero_stage": "some"}, "zero_stage: read"),
        ({"chip": "H800", "model_id": "DeepSeek-V3"}, "predicted"),
        ({"vpp": "none", "zero_stage": "ZeRO-1", "tp_overlap": "n/a", "micro_batch": "-"}, "predicted"),
        ({"pp": "1", "dp": "2048", "layers_per_stage": ""}, "predicted"),
        ({"recompute_std": "full:21 of 0 layers"}, "does not fit together"),
        ({"global_batch_tokens": "", "num_micro_batches": ""}, "not published"),
        ({"metric": "happiness"}, 'metric: "happiness" is not one of those'),
        ({"metric": ""}, "is not one of those"),
        ({"precision": "FP4"}, "does not run fp4"),
        ({"metric": "interruptions", "note": ""}, "duration_days"),
        ({"global_batch_tokens": "62,914,560"}, "predicted"),
        ({"value": "", "weight": "heavy", "use": "Validate"}, "predicted"),
        ({"value": "0"}, "predicted"),
        (
            dict.fromkeys(("tp", "pp", "cp", "dp", "ep", "vpp", "micro_batch", "schedule"), ""),
            "predicted",
        ),
    ],
)
def test_a_row_ends_in_a_number_or_in_a_sentence(changes: dict[str, str], said: str) -> None:
    assert said in reason(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layers_per_stage": "10x1000000000"}, "more than 1,000 stages"),
        ({"layers_per_stage": "seven"}, "layers_per_stage: read"),
        ({"layers_per_stage": "5+5+5"}, "has 3 stages, but pp = 16; split evenly"),
        ({"layers_per_stage": "3x16"}, "48 layers, the model 61; split evenly"),
        ({"schedule": "chimera"}, 'schedule "chimera" read as 1F1B'),
        ({"precision": "INT8"}, 'precision "INT8" read as 16 bit'),
        ({"ep": "4096"}, "ep = 4096 read as 128"),
        ({"recompute_std": "some"}, "searched: recompute"),
        (
            {"metric": "mfu", "value": "0.4", "mfu_peak_tflops": "", "flop_convention": ""},
            "dense 16-bit peak",
        ),
        ({"metric": "mfu", "value": "0.4", "flop_convention": "unknown"}, "attention counted in full"),
        ({"value": "about 20"}, "the row is not scored"),
        ({"dp": "128", "global_batch_tokens": "262144"}, "fewer sequences per step"),
    ],
)
def test_what_is_taken_for_granted_is_said(changes: dict[str, str], said: str) -> None:
    found = predict(Case(shipped()[0] | changes, 2, {"family": "Hopper"}), CATALOGUE, RULES, draws=4)
    assert not found.reason
    assert said in found.note


def test_a_split_may_count_the_layer_of_the_multi_token_prediction() -> None:
    row = Case({"pp": "4", "layers_per_stage": "15x2+16x2", "mtp_layers": "1"}, 2)
    assert stage_layers(row, 61) == ((15, 15, 16, 15), "")


@pytest.mark.parametrize(
    ("column", "written", "read"),
    [
        *(("schedule", word, "zero-bubble") for word in ("ZB", "ZBH1", "zb-v", "zero-bubble")),
        *(("schedule", word, "interleaved") for word in ("interleaved", "1F1B-interleaved", "VPP")),
        *(("schedule", word, "dualpipev") for word in ("DualPipeV", "dualpipe-v")),
        *(("schedule", word, "1f1b") for word in ("", "none", "1F1B", "GPipe")),
        *(("zero_stage", word, 3) for word in ("3", "zero-3", "ZeRO-3", "FSDP", "fsdp2", "hsdp")),
        *(("zero_stage", word, 1) for word in ("", "1", "zero1", "distributed optimizer")),
        *(("zero_stage", word, 0) for word in ("0", "none", "ddp")),
        *(("software_date", word, "2024-09") for word in ("2024-09", "2024-09-15", "2024/09")),
        *(("software_date", word, "") for word in ("", "Sep 2024", "unknown", "20240915")),
        *(("fused_attention", word, True) for word in ("true", "TRUE", "yes", "FA3", "FlashAttention-2")),
        *(("fused_attention", word, False) for word in ("false", "no", "0", "none")),
        *(("fused_attention", word, None) for word in ("", "-", "unknown")),
        *(("vpp", word, None) for word in ("", "none", "n/a")),
        ("vpp", "4", 4),
    ],
)
def test_words_mean_what_their_writer_meant(column: str, written: str, read: object) -> None:
    reader: dict[str, Callable[[Case], object]] = {
        "schedule": schedule_of,
        "zero_stage": zero_stage,
        "software_date": month,
        "fused_attention": lambda case: said(case, "fused_attention"),
        "vpp": depth,
    }
    assert reader[column](Case({column: written}, 2)) == read


@pytest.mark.parametrize(
    ("written", "counted"), [("Validate", "validate"), ("blind", "validate"), ("CONTEXT", "context")]
)
def test_a_row_counts_unless_it_says_otherwise(written: str, counted: str) -> None:
    assert Case({"use": written}, 2).use == counted


def as_semicolons(text: str) -> bytes:
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    return text_of(rows, ";").encode("cp1252", errors="replace")


@pytest.mark.parametrize(
    "saved",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("DeepSeek-V3", "DeepSéek-V3").encode("cp1252", errors="replace"),
        lambda text: text.replace("\r\n", "\n").encode(),
        lambda text: text.replace("case_id,", " case_id ,", 1).encode(),
        lambda text: (text + "," * 40 + "\r\n\r\n").encode(),
        as_semicolons,
    ],
)
def test_a_table_may_come_from_any_editor(saved: Callable[[str], bytes], tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(saved(text_of(shipped())))
    cases = read_cases(path, COLUMNS, lambda case: groups_of(case, CATALOGUE))
    assert [case.case_id for case in cases] == list(PICKED)
    assert cases[0].groups["family"] == "Hopper"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "needs a column `case_id`"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not a CSV table"),
        (b"case_id;model\nx;y\n", "needs a column `model_id`"),
        (b"case_id,model_id,chip,n_chips,seq_len,metric,valu\nx,,,,,,\n", "needs a column `value`"),
    ],
)
def test_what_is_no_table_is_said_in_one_line(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        validate_training(path, CATALOGUE)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(InputError, match="cannot be read"):
        validate_training(tmp_path, CATALOGUE)


def test_rows_may_share_an_id_and_a_table_may_have_none(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    first = shipped()[1]
    path.write_text(text_of([first, first | {"value": "1", "use": "validate"}]), encoding="utf-8")
    document = json.loads(validate_training(path, CATALOGUE).to_json())
    assert [row["case_id"] for row in document["rows"]] == [first["case_id"]] * 2
    assert all(row["predicted"] for row in document["rows"])
    path.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    empty = json.loads(validate_training(path, CATALOGUE).to_json())
    assert empty["rows"] == []
    assert empty["summary"]["headline"]["rows"] == 0
