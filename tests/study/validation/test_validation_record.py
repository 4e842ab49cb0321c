"""The validation record in the repository is what this code predicts."""

import json

import pytest

from sim.study.summary.trust import committed_record
from sim.study.validation.cases import validation_folder
from sim.study.validation.scores import PAGES
from sim.study.validation.validate_serving import validate_serving
from sim.study.validation.validate_training import validate_training


@pytest.mark.parametrize(("kind", "maker"), [("training", validate_training), ("serving", validate_serving)])
def test_committed_record_is_current(kind: str, maker) -> None:
    committed = json.loads((validation_folder() / f"{PAGES[kind]}.json").read_text(encoding="utf-8"))
    now, then = (
        {row["case_id"]: row["predicted"] or float("nan") for row in rows}
        for rows in (maker().as_dict()["rows"], committed["rows"])
    )
    # A record of an older state of the physics would let the report claim what the code no longer does.
    assert then == pytest.approx(now, rel=1e-3, nan_ok=True), f"run: parity validate {kind} --out validation"


@pytest.mark.parametrize("kind", ["training", "serving"])
def test_record_is_fit_for_the_report(kind: str) -> None:
    record = committed_record(kind)
    assert record is not None
    assert record.groups[0].name == "all"
    assert len(record.worst) == 5
    assert {family for _, family, _, _ in record.points} >= {"Hopper"}
    assert len(record.baselines) == 2
