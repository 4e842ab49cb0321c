"""One broken file per kind of mistake, and the exact line a person sees."""

import os
from pathlib import Path

import pytest

from sim.profiles import catalogue as catalogue_module
from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError

DATA = Path(__file__).parents[1] / "data"

CHIPS = {
    "bad_choice": '6:13: confidence: "datashet" is not allowed; allowed: datasheet, tech_report, analyst, press; '
    'did you mean "datasheet"?',
    "bad_date": '13:48: power.idle: as_of "2025-13" is no date; write YYYY, YYYY-MM or YYYY-MM-DD',
    "bad_id": '4:9: family: read "Hopper", which is not an id; use lower-case letters, digits, hyphens, points, '
    "underscores",
    "bad_precision": '11:20: "bf61" is no key of compute.matrix; allowed: fp64, fp32, tf32, fp16, bf16, fp8, int8, '
    'fp6, fp4, int4; did you mean "bf16"?',
    "bits_or_bytes": '12:31: memory.capacity: read "640 Gb": unit "Gb" is not known; write "Gbit" for bits or "GB" '
    "for bytes",
    "colon": "2:11: YAML: mapping values are not allowed here; a text that holds a colon needs quotes, and keys of "
    "one block start in one column",
    "duplicate_key": '14:1: duplicate key "vendor", first in line 3; keep one',
    "empty": "1:1: the file is empty",
    "id_differs": '1:5: id: "another" differs from the file name "id_differs.yaml"; rename one of them',
    "list": "1:1: the file holds no keys; start with `id:`",
    "low_above_high": "13:46: power.idle: low 90 W is above high 60 W; swap them",
    "missing_key": '12:1: missing key "bandwidth" in memory: Peak, both dies together.',
    "missing_unit": '13:14: power.tdp: 700 needs a unit, for example "700 W"',
    "negative": "13:27: power.idle: value -70 W is below zero",
    "no_share": "13:43: power.training: value 80 is no share; write a number from 0 to 1, or a percentage",
    "no_source": "13:47: power.idle: kind official needs a source: a key of this file's `sources`",
    "no_value": '13:21: power.idle: missing key "value" in a quantity; write the middle of the range, or `unknown`',
    "not_utf8": "1:1: not a text in UTF-8; save it as UTF-8",
    "number_for_text": "3:9: vendor: read 42, where text is expected; put it in quotes",
    "only_comment": "1:1: the file is empty",
    "outside_range": "13:35: power.idle: value 70 W lies outside its range 80 W to 90 W",
    "quantity_key": '13:47: power.idle: unknown key "hihg" in a quantity; did you mean "high"?',
    "range_of_unknown": "13:35: power.idle: an unknown value has no range; write the middle of the range as the value",
    "share_of_one": "13:72: power.training: high 1 is out of reach of a logitnormal distribution; write a number just "
    "below 1",
    "tab": "13:1: YAML: found character '\\t' that cannot start any token; indent with spaces, not with tabs",
    "tails": "13:77: power.idle: 5 % of this triangular distribution lie beyond each end of its range, and reach "
    "below zero; use lognormal",
    "text_for_block": "12:9: memory: read 80 GB, where a block of keys is expected",
    "unknown_key": '12:38: unknown key "bandwidht" in memory; did you mean "bandwidth"?',
    "unknown_kind": '13:47: power.idle: kind "oficial" is not one of official, measured, tech_report, analyst, press, '
    'derived, assumed; did you mean "official"?',
    "unknown_reference": '5:10: kernels: no kernel file "test-kernel"; did you mean "test-kernels"?',
    "unknown_source": '13:49: power.idle: source "shet" is not a key of this file\'s `sources`; did you mean "sheet"?',
    "unknown_unit": '11:26: compute.matrix.bf16: read "100 TFLOPS": unit "TFLOPS" is not known; write "TFLOP/s" for a '
    'rate or "TFLOP" for an amount',
    "unlisted_default_source": '9:9: source: "shet" is not a key of this file\'s `sources`; did you mean "sheet"?',
    "wrong_dimension": '12:49: memory.bandwidth: read "3.35 TB", an amount of data, where a data rate is expected, '
    'for example "3.35 TB/s"; perhaps "3.35 TB/s"',
    "several": [
        '3:1: unknown key "vender"; did you mean "vendor"?',
        '12:31: memory.capacity: read "80 Gb": unit "Gb" is not known; write "Gbit" for bits or "GB" for bytes',
        '13:14: power.tdp: 700 needs a unit, for example "700 W"',
    ],
}
MODELS = {
    "model_group": [
        '10:30: unknown key "headz" in architecture.attention[0]; did you mean "heads"?',
        '12:7: architecture.ffn[0]: kind "dens" is not allowed; allowed: dense, moe; did you mean "dense"?',
    ],
}
WORKLOADS = {
    "workload_kind": '3:14: kind_of_job: read "trainig", where workload needs training, serving; did you mean '
    '"training"?',
    "workload_no_kind": '1:1: missing key "kind_of_job": training, serving',
}
SCENARIOS = {
    "circle_one": "circle_two.yaml:2:10: extends goes in a circle: circle_one.yaml -> circle_two.yaml -> "
    "circle_one.yaml",
    "error_in_base": [
        "base.yaml:5:35: clusters.a.chips: read eight, where a whole number is expected",
        "error_in_base.yaml:5:23: clusters.b.chips: read -1, which should be greater than 0",
    ],
    "extends_nothing": '2:10: extends: no file "flagshp" beside this one, and no such id in the catalogue',
    "no_own_id": '1:1: missing key "id": Name by which other files refer to this one; equals the file name.',
    "one_cluster": "4:1: clusters: needs at least 2 entries, has 1",
    "same_job_twice": '9:10: jobs[1].id: "chat" is used twice, first in line 8',
    "scenario_ids": [
        '6:15: clusters.b.system: no system "test-systems"; did you mean "test-system"?',
        '8:45: jobs[0].workload: no workload "test-trainin"; did you mean "test-training"?',
    ],
}
# Files that only serve as the other half of a mistake.
HELPERS = {"base", "circle_two"}

CASES = [
    (kind, name, lines)
    for kind, cases in (
        ("chips", CHIPS),
        ("models", MODELS),
        ("workloads", WORKLOADS),
        ("scenarios", SCENARIOS),
    )
    for name, lines in cases.items()
]


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    monkeypatch.chdir(DATA / "broken")
    monkeypatch.setattr(catalogue_module, "shipped_root", lambda: DATA / "catalogue")
    # The broken files all stand in one folder, as files beside a scenario do.
    return Catalogue()


@pytest.mark.parametrize(("kind", "name", "lines"), CASES, ids=[name for _, name, _ in CASES])
def test_message(catalogue: Catalogue, kind: str, name: str, lines: str | list[str]) -> None:
    path = Path(f"{name}.yaml")
    with pytest.raises(InputError) as error:
        catalogue.scenario(path) if kind == "scenarios" else catalogue.read(kind, path)
    expected = [lines] if isinstance(lines, str) else lines
    assert str(error.value).splitlines() == [
        line if ".yaml:" in line else f"{path}:{line}" for line in expected
    ]


def test_every_broken_file_is_tried() -> None:
    tried = {name for _, name, _ in CASES} | HELPERS
    assert {path.stem for path in (DATA / "broken").glob("*.yaml")} == tried


def test_missing_file(catalogue: Catalogue) -> None:
    with pytest.raises(
        InputError, match=r'^tst-question.yaml: no such file; did you mean "test-question"\?$'
    ):
        catalogue.scenario("tst-question.yaml")


def test_unknown_id(catalogue: Catalogue) -> None:
    with pytest.raises(InputError, match=r'^no chip "test"; did you mean "test-chip"\?$'):
        catalogue.chip("test")


def test_unreadable_file(catalogue: Catalogue, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        path = tmp_path / "folder.yaml"  # the administrator may read any file, but nobody reads a folder
        path.mkdir()
    else:
        path = tmp_path / "closed.yaml"
        path.write_text("id: closed")
        path.chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        catalogue.read("chips", path)


def test_no_such_extra_folder() -> None:
    with pytest.raises(InputError, match=r"^--profiles nowhere: no such folder$"):
        Catalogue([Path("nowhere")])
