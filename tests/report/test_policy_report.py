"""The report of a policy question: pages, charts, tables, and no recommendation."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from openpyxl import load_workbook

from sim.profiles.catalogue import Catalogue
from sim.report.policy_report import TEMPLATE, policy_files
from sim.study.policy.study import PolicyStudy, study_policy
from sim.study.policy.summary.content import policy_content
from sim.study.policy.summary.record import policy_record, results_table
from sim.views.policy import PolicyRequest, list_policies, show_policy


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue()


@pytest.fixture(scope="module")
def study(catalogue: Catalogue) -> PolicyStudy:
    return study_policy(catalogue, "remote-closed", draws=24)


def test_the_report_has_its_pages_charts_and_tables(catalogue: Catalogue, study: PolicyStudy) -> None:
    content = policy_content(catalogue, study, "parity policy run remote-closed")
    files = policy_files(content, results_table(study), {"a": 1})
    assert files["report.pdf"].startswith(b"%PDF")
    assert sum(name.startswith("page-") for name in files) >= 4
    for name in ("ratio-tpp", "stock-tpp", "chips-by-pathway", "binding", "tornado", "tornado-difference"):
        assert f"figures/{name}.svg" in files
        assert b"inputs" in files[f"figures/{name}.svg"] or len(files[f"figures/{name}.png"]) > 1000
    assert load_workbook(io.BytesIO(files["results.xlsx"])).sheetnames[0] == "Outcomes"
    assert any(table.title == "By account: Ascend units made in 2025" for table in content.tables)
    assert any(
        table.title == "Export rules on the products" and len(table.rows) > 3 for table in content.annex
    )
    assert any(table.title == "Alleged" and table.rows for table in content.annex)


VERDICTS = re.compile(
    r"\b(should|must|ought|recommend\w*|advis\w+|better to|unfortunately|alarming)\b", re.IGNORECASE
)


def test_the_voice_is_neutral(catalogue: Catalogue, study: PolicyStudy) -> None:
    content = policy_content(catalogue, study, "")
    cells = [cell for table in (*content.tables, *content.annex) for row in table.rows for cell in row]
    notes = [table.note for table in (*content.tables, *content.annex) if table.title != "Alleged"]
    texts = [content.title, content.scope, *content.answers, *content.decides, *content.not_modelled, *notes]
    # Titles and addresses of sources are quoted as they are.
    titles = {source.title for document in study.a.question.documents for source in document.sources.values()}
    said = [text for text in (*texts, *cells) if text not in titles and not text.startswith("http")]
    assert not [text for text in said if VERDICTS.search(text)]


def test_every_shipped_scenario_is_neutral_and_marks_allegations(catalogue: Catalogue) -> None:
    for id in catalogue.ids("policies"):
        scenario = catalogue.policy(id)
        notes = [change.note for change in scenario.changes]
        for text in (scenario.name, scenario.question, scenario.label, scenario.note, *notes):
            assert not VERDICTS.search(text), f"{id}: {text}"
        for allegation in (*scenario.allegations, *catalogue.supply(scenario.baseline).allegations):
            assert allegation.by, f"{id}: {allegation.id}"
            assert allegation.source, f"{id}: {allegation.id}"


def test_page_one_says_what_is_not_modelled_in_every_report(catalogue: Catalogue, study: PolicyStudy) -> None:
    # The list is one for all scenarios; the template puts it on the first page whatever the question.
    content = policy_content(catalogue, study, "")
    assert len(content.not_modelled) >= 5
    template = TEMPLATE.read_text(encoding="utf-8")
    assert template.index("not_modelled") < template.index("d.tables")


def test_a_closed_door_leaves_what_is_inside(study: PolicyStudy) -> None:
    # Closing remote access takes rented chips away and touches nothing else.
    assert study.b is not None
    own, other = study.a.result.own, study.b.result.own
    assert (own.course.installed == other.course.installed).all()
    ends = own.chips("remote")[-1], other.chips("remote")[-1]
    assert (ends[0] <= ends[1]).all()
    assert np.mean(ends[0] < ends[1]) > 0.9  # in a few draws the rule takes hold after the horizon


def test_tables_and_record_are_complete(catalogue: Catalogue, study: PolicyStudy) -> None:
    table = results_table(study)
    assert set(table["scenario"]) == {"remote access closed", "without these changes"}
    assert {"legal", "domestic", "proxy foundry", "smuggled", "remote"} <= set(table["pathway"])
    record = policy_record(study, policy_content(catalogue, study, ""))
    assert {"a", "b", "difference"} <= set(record["outcomes"][0])


def test_json_is_one_object_and_writes_nothing(catalogue: Catalogue) -> None:
    stream = io.StringIO()
    show_policy(catalogue, PolicyRequest("run", "power-limit", draws=4), stream, as_json=True)
    record = json.loads(stream.getvalue())
    assert record["lead"] == "stock:fp16"
    assert record["identity"]["draws"] == 4


def test_the_list_names_every_scenario(catalogue: Catalogue) -> None:
    rows = {row[0] for row in list_policies(catalogue).rows}
    wanted = {
        "h20-allowed",
        "h200-cap-and-duty",
        "hbm-bottleneck",
        "domestic-v4",
        "grey-blackwell",
        "serve-140t",
        "distillation",
    }
    assert wanted <= rows
