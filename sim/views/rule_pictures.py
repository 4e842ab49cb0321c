"""Pictures of the export rules as files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.metadata import version

from sim.profiles.catalogue import Catalogue
from sim.report.charts.export_rules import MatrixContent, matrix
from sim.report.content import RunIdentity
from sim.study.rules.book import RuleBook
from sim.study.rules.classify import DRAWS, Classification
from sim.study.summary.report import inputs_hash
from sim.views.output import picture_files
from sim.views.rules import SILENT


def matrix_files(
    catalogue: Catalogue, answers: Sequence[Classification], book: RuleBook, rules: Sequence[str]
) -> dict[str, bytes]:
    """Chips against rules as PNG and SVG."""
    first = answers[0]
    command = f"parity rules matrix --date {first.date.isoformat()} --destination {first.destination}"
    rows = [(answer.facts.name, _weights(answer, rules)) for answer in answers]
    barred = sum("licence" in weights or "barred" in weights for _, weights in rows)
    open_ = sum("open" in weights for _, weights in rows)
    content = MatrixContent(
        identity(catalogue, command),
        f"{barred} of {len(rows)} chips meet a licence or a bar; for {open_} public data leave a rule open",
        f"Export rules in force on {first.date.isoformat()}, to {first.destination}; measures known from the press "
        "alone are alleged. Not legal advice.",
        [_named(rule, book) for rule in rules],
        rows,
    )
    return picture_files("matrix", partial(matrix, content))


def identity(catalogue: Catalogue, command: str, seed: int = 0, draws: int = DRAWS) -> RunIdentity:
    """What a picture needs to be traced."""
    files = catalogue.files_read
    return RunIdentity(version("chip-parity"), command, seed, draws, 0, inputs_hash(files), files)


def _weights(answer: Classification, rules: Sequence[str]) -> list[str]:
    by_rule = {result.rule: result for result in answer.results}
    return ["none" if by_rule[rule].result in SILENT else by_rule[rule].weight for rule in rules]


def _named(rule: str, book: RuleBook) -> str:
    document = book.files[rule]
    mark = " (alleged)" if document.alleged_by else ""
    return f"{rule}{mark}"
