"""Export rules for people and programs: one chip, all chips, a table of expected results."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from sim.policy.rules.records import NOT_APPLICABLE, NOT_IN_FORCE, OUT_OF_SCOPE, Margin, Result
from sim.policy.rules.rows import RowAnswer
from sim.policy.rules.truth import UNKNOWN, Bounds
from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem
from sim.profiles.policy import ExportRule
from sim.report.numbers import MINUS
from sim.study.rules.book import RuleBook, load_rules
from sim.study.rules.classify import Classification, check_table, classify_chip
from sim.study.rules.words import said
from sim.views.listing import Listing, print_listing
from sim.views.output import Wanted, deliver, json_text

DISCLAIMER = "Not legal advice: rules in our own words, figures from public sources."
FIGURES = {
    "tpp": "TPP",
    "pd": "performance density, TPP/mm2",
    "dram_bw_gbs": "DRAM bandwidth, GB/s",
    "io_bw_gbs": "I/O bandwidth, both ways, GB/s",
    "dram_plus_io_bw_gbs": "DRAM and I/O, GB/s",
    "transistors_bn": "transistors, billion",
    "memory_bandwidth_density": "memory bandwidth density, GB/s/mm2",
}
SILENT = (NOT_IN_FORCE, OUT_OF_SCOPE, NOT_APPLICABLE)


def day(text: str | None) -> datetime.date | None:
    """A date as typed.

    Raises
    ------
    InputError
        When it is none.
    """
    if text is None:
        return None
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        message = f'--date: read "{text}", expected a full date such as 2026-01-15'
        raise InputError([Problem(message)]) from None


# --- one chip ----------------------------------------------------------------------------------------------


def show_classification(
    catalogue: Catalogue,
    chip: str | None,
    date: str | None,
    destination: str,
    to: TextIO,
    *,
    every: bool = False,
    as_json: bool = False,
) -> None:
    """Print what every rule says of a chip.

    Raises
    ------
    InputError
        When there is no such chip, date or destination.
    """
    if chip is None:
        raise InputError(
            [Problem("name a chip, as in `parity rules classify h20`, or a table with --rows FILE")]
        )
    book = load_rules(catalogue)
    answer = classify_chip(catalogue, book, chip, day(date), destination)
    deliver(
        to,
        Wanted(as_json),
        lambda: json_text(classification_record(answer, book)),
        classification_tables(answer, book, every),
    )


def classification_tables(answer: Classification, book: RuleBook, every: bool = False) -> list[Listing]:
    """Figures, results and margins of a chip."""
    shown = [result for result in answer.results if every or result.result not in SILENT]
    return [_figures(answer), _results(answer, book, shown), _margins(shown, book)]


def _figures(answer: Classification) -> Listing:
    rows = []
    for name, words in FIGURES.items():
        bounds = answer.item.figures.get(name, UNKNOWN)
        if name != "memory_bandwidth_density":
            rows.append((words, figure_range(bounds)))
    facts = answer.facts
    rows.append(("for data centres", "yes" if facts.datacenter else "no"))
    notes = ["Dense rates only, highest product of rate and bit length, all dies of the package."]
    notes += list(answer.item.notes)
    return Listing(f"{facts.name}: figures that the rules test", ("figure", "value"), rows, notes)


def _results(answer: Classification, book: RuleBook, shown: Sequence[Result]) -> Listing:
    rows = []
    for result in shown:
        document = book.files[result.rule]
        chance = ", ".join(
            f"{100 * share:.0f} % {said(name)}" for name, share in result.probability.items() if share < 1
        )
        standing = _standing(document, result)
        rows.append((result.rule, document.name, said(result.result), result.branch, chance, standing))
    title = f"{answer.facts.name} to {answer.destination.upper()} on {answer.date.isoformat()}"
    silent = [r for r in answer.results if r.result in SILENT]
    notes = [
        *_in_short(shown, book),
        f"{len(silent)} further rules are not in force on the day, out of scope, or do not bear on it (--all shows them).",
        "Probability: share of draws over the published ranges; none where the figures are exact.",
        *_alleged(shown, book),
        DISCLAIMER,
    ]
    columns = ("rule", "title", "result", "branch", "probability", "standing")
    return Listing(title, columns, rows, notes)


HEADINGS = {
    "barred": "Barred, discouraged or presumed denied",
    "licence": "Licence",
    "conditional": "On conditions",
    "open": "Not decidable from public data",
}


def _in_short(shown: Sequence[Result], book: RuleBook) -> list[str]:
    """One line per kind of result, hardest first."""
    lines = []
    for weight, heading in HEADINGS.items():
        names = [
            f"{r.rule}{' (alleged)' if book.files[r.rule].alleged_by else ''}"
            for r in shown
            if r.weight == weight
        ]
        if names:
            lines.append(f"{heading}: {', '.join(names)}.")
    return lines or ["No rule in force bears on it."]


def _standing(document: ExportRule, result: Result) -> str:
    words = said(document.standing)
    if result.in_force is None:
        words = "not verified whether in force"
    elif document.solidity == "press" or document.alleged_by:
        words += ", alleged" if document.alleged_by else ", press"
    return words


def _alleged(shown: Sequence[Result], book: RuleBook) -> list[str]:
    files = [book.files[result.rule] for result in shown]
    return [f"{f.id}: alleged by {f.alleged_by}." for f in files if f.alleged_by]


def _margins(shown: Sequence[Result], book: RuleBook) -> Listing:
    rows = []
    for result in shown:
        for margin in result.margins:
            met = {1.0: "met", 0.0: "not met"}.get(margin.truth, "open")
            chance = (
                "" if margin.probability in (None, 0.0, 1.0) else f"{100 * (margin.probability or 0):.0f} %"
            )
            figure, _, unit = FIGURES.get(margin.field, margin.field).partition(", ")
            threshold = f"{figure} {margin.op} {margin.threshold:,g} {unit.rpartition(', ')[2]}".rstrip()
            rows.append((result.rule, margin.branch, threshold, _distance(margin), met, chance))
    columns = ("rule", "branch", "test", "figure above the line by", "", "probability")
    return Listing("margin to each threshold", columns, rows)


def _distance(margin: Margin) -> str:
    low, high = (
        f"{100 * end:+.1f} %".replace("-", MINUS) if np.isfinite(end) else "unknown"
        for end in (margin.low, margin.high)
    )
    return low if low == high else f"{low} to {high}"


def figure_range(bounds: Bounds) -> str:
    """A figure with its range, in words."""
    low, high = float(np.asarray(bounds.low)), float(np.asarray(bounds.high))
    if not np.isfinite(low) and not np.isfinite(high):
        return "not published"
    if not np.isfinite(high):
        return f"at least {_short(low)}"
    return f"{_short(low)}" if low == high else f"{_short(low)} to {_short(high)}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def classification_record(answer: Classification, book: RuleBook) -> dict[str, Any]:
    """A classification for programs."""
    return {
        "chip": answer.facts.id,
        "name": answer.facts.name,
        "date": answer.date.isoformat(),
        "destination": answer.destination,
        "figures": {name: _ends(answer.item.figures.get(name, UNKNOWN)) for name in FIGURES},
        "notes": list(answer.item.notes),
        "rules": [_result_record(result, book) for result in answer.results],
        "disclaimer": DISCLAIMER,
    }


def _result_record(result: Result, book: RuleBook) -> dict[str, Any]:
    document = book.files[result.rule]
    return {
        "rule": result.rule,
        "title": document.name,
        "result": result.result,
        "branch": result.branch,
        "in_force": result.in_force,
        "possible": list(result.possible),
        "probability": dict(result.probability),
        "margins": [asdict(margin) for margin in result.margins],
        "notes": list(result.notes),
        "standing": document.standing,
        "solidity": document.solidity,
        "alleged_by": document.alleged_by,
        "effective": document.effective,
        "ended": document.ended,
        "sources": [source.url for source in document.sources.values()],
    }


def _ends(bounds: Bounds) -> dict[str, float]:
    return {"low": float(np.asarray(bounds.low)), "high": float(np.asarray(bounds.high))}


# --- a table of expected results ---------------------------------------------------------------------------


def show_rows(catalogue: Catalogue, path: Path, to: TextIO, *, as_json: bool = False) -> None:
    """Check a table from its own figures, and print where it agrees.

    Raises
    ------
    InputError
        When the table cannot be read.
    """
    answers = check_table(path, load_rules(catalogue))
    if as_json:
        keys = ("chip_id", "rule", "expected", "got", "branch", "agrees")
        to.write(json_text({"rows": [{key: getattr(answer, key) for key in keys} for answer in answers]}))
        return
    print_listing(_row_table(answers), to)


def _row_table(answers: Sequence[RowAnswer]) -> Listing:
    rows = [
        (a.chip_id, a.rule, a.expected, a.got, a.branch, "yes" if a.agrees else "NO", "; ".join(a.notes))
        for a in answers
    ]
    agreed = sum(answer.agrees for answer in answers)
    title = f"{agreed} of {len(answers)} rows agree"
    return Listing(
        title, ("chip", "rule", "expected", "got", "branch", "agrees", "notes"), rows, [DISCLAIMER]
    )


# --- all rules ---------------------------------------------------------------------------------------------


def show_rules(catalogue: Catalogue, to: TextIO, *, as_json: bool = False) -> None:
    """Print the rules by date of effect."""
    book = load_rules(catalogue)
    if as_json:
        found = [document.model_dump(mode="json", by_alias=True) for document in book.files.values()]
        to.write(json_text({"rules": found}))
        return
    rows = [
        (f.id, f.effective or "-", f.ended or "", said(f.standing), said(f.solidity), f.name, f.instrument)
        for f in book.files.values()
    ]
    columns = ("id", "from", "until (not on)", "standing", "known from", "name", "instrument")
    notes = [f"{f.id}: alleged by {f.alleged_by}." for f in book.files.values() if f.alleged_by]
    print_listing(Listing("export rules", columns, rows, [*notes, DISCLAIMER]), to)
