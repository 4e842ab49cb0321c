"""Sources: every number that moves a headline, with its source, kind, date, range and reasoning."""

from __future__ import annotations

from sim.report.content import ExactRow, InputRow, ReportContent
from sim.report.numbers import percent, span
from sim.report.pages.cells import Data

SHORT = {"length": "time"}  # of what moves, in a narrow column


def sources_data(content: ReportContent) -> Data:
    """Two tables of numbers, those with a range and those without, and the list of sources that they point to."""
    ranged = sorted(content.inputs, key=lambda row: -max(row.moves, row.moves_other))
    named = [(row.source, row.url) for row in ranged] + [(row.source, row.url) for row in content.exact]
    keys = dict.fromkeys(named)
    numbers = {key: str(index) for index, key in enumerate(keys, 1)}
    return {
        "inputs": [_input(row, numbers[row.source, row.url]) for row in ranged],
        "exact": [_exact(row, numbers[row.source, row.url]) for row in content.exact],
        "list": [{"number": n, "title": title, "url": _link(url)} for (title, url), n in numbers.items()],
    }


def _link(url: str) -> str:
    return url if url.startswith(("https://", "http://")) else ""


def _named(name: str, weak: bool) -> str:
    return name + ("†" if weak else "")


def _input(row: InputRow, source: str) -> Data:
    ranged = bool(row.low and row.high and row.low != row.high)
    return {
        "name": _named(row.name, row.weak),
        "note": row.note,
        "value": row.value,
        "range": span(row.low, row.high) if ranged else "",
        "kind": row.kind.replace("_", " "),
        "as_of": row.as_of,
        "source": source,
        "count": percent(row.moves) if row.moves >= 0.0005 else "–",
        "other": _other(row.moves_other, row.other),
    }


def _exact(row: ExactRow, source: str) -> Data:
    return {
        "name": _named(row.name, row.weak),
        "note": row.note,
        "value": row.value,
        "kind": ", ".join(filter(None, [row.kind.replace("_", " "), row.as_of])),
        "source": source,
        "moves": f"{percent(row.moves, sign=True)} {row.of}",
    }


def _other(moves: float, name: str) -> str:
    """ "49 % cost" from the move of "cost on H100, Chat on V3"."""
    what = name.partition(" ")[0]
    return f"{percent(moves)} {SHORT.get(what, what)}" if moves >= 0.0005 else "–"
