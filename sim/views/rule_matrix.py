"""All chips against all rules: table, picture, CSV and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from sim.profiles.catalogue import Catalogue
from sim.study.rules.book import RuleBook, load_rules
from sim.study.rules.classify import Classification, chip_ids, classify_chip
from sim.study.rules.words import said
from sim.views.listing import Listing
from sim.views.output import Wanted, csv_bytes, deliver, json_text
from sim.views.rule_pictures import matrix_files
from sim.views.rules import DISCLAIMER, SILENT, classification_record, day, figure_range


def show_matrix(
    catalogue: Catalogue,
    date: str | None,
    destination: str,
    to: TextIO,
    *,
    as_json: bool = False,
    out: Path | None = None,
) -> None:
    """Print all chips against all rules that say something, and write table and picture.

    Raises
    ------
    InputError
        When date or destination is wrong, or ``out`` is a file.
    OSError
        When a file cannot be written.
    """
    wanted = Wanted(as_json, out)
    wanted.check()
    book = load_rules(catalogue)
    answers = [classify_chip(catalogue, book, id, day(date), destination) for id in chip_ids(catalogue, book)]
    answers.sort(key=lambda answer: (answer.facts.vendor, answer.facts.id))
    rules = speaking(answers)
    deliver(
        to,
        wanted,
        lambda: _json(answers, book),
        [_matrix(answers, book, rules)],
        lambda: {
            **matrix_files(catalogue, answers, book, rules),
            "matrix.csv": _csv(answers),
            "matrix.json": _json(answers, book).encode(),
        },
    )


def speaking(answers: Sequence[Classification]) -> list[str]:
    """Rules that give at least one chip a result of its own."""
    return [
        r.rule
        for i, r in enumerate(answers[0].results)
        if any(a.results[i].result not in SILENT for a in answers)
    ]


def _matrix(answers: Sequence[Classification], book: RuleBook, rules: Sequence[str]) -> Listing:
    rows = [(a.facts.id, figure_range(a.item.figures["tpp"]), *_cells(a, rules)) for a in answers]
    title = f"rules in force on {answers[0].date.isoformat()}, to {answers[0].destination}"
    notes = ["A dash: the rule does not bear on the chip.", DISCLAIMER]
    return Listing(title, ("chip", "TPP", *rules), rows, notes)


def _cells(answer: Classification, rules: Sequence[str]) -> list[str]:
    by_rule = {result.rule: result for result in answer.results}
    return ["-" if by_rule[r].result in SILENT else said(by_rule[r].result) for r in rules]


def _json(answers: Sequence[Classification], book: RuleBook) -> str:
    return json_text({"chips": [classification_record(answer, book) for answer in answers]})


def _csv(answers: Sequence[Classification]) -> bytes:
    columns = ("chip_id", "rule", "date", "destination", "result", "branch", "in_force", "possible")
    rows = (
        (a.facts.id, r.rule, a.date.isoformat(), a.destination, r.result, r.branch, r.in_force,
         " | ".join(r.possible))
        for a in answers
        for r in a.results
    )  # fmt: skip
    return csv_bytes(columns, rows)
