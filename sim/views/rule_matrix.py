"""All chips against all rules: table, picture, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem
from sim.report.outputs import write_all
from sim.study.rule_book import RuleBook, load_rules
from sim.study.rules import Classification, chip_ids, classify_chip
from sim.views.listing import Listing, print_listing
from sim.views.rule_pictures import matrix_files
from sim.views.rules import DISCLAIMER, SILENT, classification_record, day, dumped, figure_range, said


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
    if out is not None and out.exists() and not out.is_dir():
        raise InputError([Problem(f"--out {out}: is a file; name a folder")])
    book = load_rules(catalogue)
    answers = [classify_chip(catalogue, book, id, day(date), destination) for id in chip_ids(catalogue, book)]
    answers.sort(key=lambda answer: (answer.facts.vendor, answer.facts.id))
    rules = speaking(answers)
    written = [] if out is None else _write_matrix(catalogue, out, answers, book, rules)
    if as_json:
        to.write(dumped({"chips": [classification_record(answer, book) for answer in answers]}))
        return
    print_listing(_matrix(answers, book, rules), to)
    for path in written:
        print(f"wrote {path}", file=to)


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


def _write_matrix(
    catalogue: Catalogue, out: Path, answers: Sequence[Classification], book: RuleBook, rules: Sequence[str]
) -> list[Path]:
    files = matrix_files(catalogue, answers, book, rules)
    files["matrix.csv"] = _csv(answers)
    files["matrix.json"] = dumped({"chips": [classification_record(a, book) for a in answers]}).encode()
    write_all(out, files)
    return [out / name for name in files]


def _csv(answers: Sequence[Classification]) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("chip_id", "rule", "date", "destination", "result", "branch", "in_force", "possible"))
    for answer in answers:
        for r in answer.results:
            fields = (r.rule, answer.date.isoformat(), answer.destination, r.result, r.branch, r.in_force)
            writer.writerow((answer.facts.id, *fields, " | ".join(r.possible)))
    return stream.getvalue().encode()
