"""What the export rules say of the chips of the catalogue, and of the rows of a table."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.policy.metrics import total_processing_performance
from sim.policy.rules.engine import classify
from sim.policy.rules.records import Item, Result
from sim.policy.rules.rows import RowAnswer, check_row
from sim.policy.rules.truth import UNKNOWN, Bounds
from sim.profiles.catalogue import Catalogue
from sim.profiles.fields import Document
from sim.profiles.hardware import ChipProfile
from sim.profiles.messages import InputError, Mark, Problem, shown_path, unknown_id
from sim.profiles.policy import ControlItems, PaperChip
from sim.quantity import Quantity
from sim.study.rules.book import RuleBook
from sim.study.worlds import sobol_probabilities

GB, MM2, BILLION = 1e9, 1.0, 1e9  # areas are in mm2 already
DRAWS = 4096
NEEDED = ("chip_id", "rule")


@dataclass(frozen=True, slots=True)
class ChipFacts:
    """What the rules need of a chip, from a profile or from the list of paper chips."""

    id: str
    name: str
    vendor: str
    peaks: Mapping[str, Quantity]
    die_area: Quantity | None
    dram: Quantity | None
    io: Quantity | None
    transistors: Quantity | None
    datacenter: bool
    hbm: bool
    document: Document
    note: str = ""
    origin: str = ""

    @property
    def is_uncertain(self) -> bool:
        """Whether any figure is a range."""
        given = (*self.peaks.values(), self.die_area, self.dram, self.io, self.transistors)
        return any(quantity is not None and quantity.is_uncertain for quantity in given)


def chip_facts(catalogue: Catalogue, book: RuleBook, id: str) -> ChipFacts:
    """Facts of a chip by id: a profile first, else a paper chip.

    Raises
    ------
    InputError
        When neither has the id.
    """
    if catalogue.path("chips", id) is not None:
        return _of_profile(catalogue.chip(id))
    paper = {chip.id: chip for chip in book.items.chips}
    if id in paper:
        return _of_paper(paper[id], book.items)
    raise InputError([Problem(unknown_id("chip", id, [*catalogue.ids("chips"), *paper]))])


def chip_ids(catalogue: Catalogue, book: RuleBook) -> list[str]:
    """Every chip that can be classified."""
    return sorted({*catalogue.ids("chips"), *(chip.id for chip in book.items.chips)})


def _by_name(peaks: Mapping[Any, Quantity]) -> dict[str, Quantity]:
    return {str(precision): rate for precision, rate in peaks.items()}


def _of_profile(chip: ChipProfile) -> ChipFacts:
    silicon = chip.silicon
    return ChipFacts(
        chip.id, chip.name, chip.vendor, _by_name(chip.compute.matrix), silicon.die_area, chip.memory.bandwidth,
        silicon.io_bandwidth, silicon.transistors, silicon.datacenter, "hbm" in chip.memory.type.lower(), chip,
        origin=chip.origin,
    )  # fmt: skip


def _of_paper(chip: PaperChip, items: ControlItems) -> ChipFacts:
    return ChipFacts(
        chip.id, chip.name, chip.vendor, _by_name(chip.peaks), chip.die_area, chip.dram_bandwidth, chip.io_bandwidth,
        chip.transistors, chip.datacenter, chip.hbm, items, chip.note,
    )  # fmt: skip


def item_of(facts: ChipFacts, book: RuleBook) -> tuple[Item, Item]:
    """A chip as the rules see it: with its ranges as bounds, and with one value per draw.

    Returns
    -------
    Item
        Figures between their 5th and 95th percentile.
    Item
        The same figures in ``DRAWS`` draws. All peaks of a chip move together: they share a clock.
    """
    labels = book.labels(f"{facts.id} / {facts.name}", facts.vendor, facts.origin)
    labels |= {"chip": f"{facts.id} / {facts.name}", "kind": "processor"}
    declared = book.declared(f"{facts.id} / {facts.name}")
    notes = [facts.note] if facts.note else []
    if declared is not None:
        notes.append(f"Taken as given: {declared.basis} (alleged by {declared.alleged_by}).")
    return (
        Item(facts.id, _figures(facts, [_ends] * 5), labels, tuple(notes)),
        Item(facts.id, _figures(facts, _draws()), labels),
    )


Reader = Callable[[Quantity], Bounds]


def _ends(quantity: Quantity) -> Bounds:
    low = quantity.value if quantity.low is None else quantity.low
    high = quantity.value if quantity.high is None else quantity.high
    return Bounds(low, high)


@cache
def _draws() -> tuple[Reader, ...]:
    """One reader for all peaks, then one each for area, DRAM, I/O and transistors."""
    columns = sobol_probabilities(DRAWS, 5, seed=0).T
    return tuple(partial(_drawn, column) for column in columns)


def _drawn(probabilities: NDArray[np.float64], quantity: Quantity) -> Bounds:
    return Bounds.of(quantity.quantile(probabilities))


def _figures(facts: ChipFacts, readers: Sequence[Reader]) -> dict[str, Bounds]:
    peaks = {p: readers[0](q) for p, q in facts.peaks.items() if not q.is_unknown}
    tpp = UNKNOWN
    if peaks:
        tpp = Bounds(
            total_processing_performance({p: bounds.low for p, bounds in peaks.items()}),
            total_processing_performance({p: bounds.high for p, bounds in peaks.items()}),
        )
    area, dram, io, transistors = (
        UNKNOWN if q is None or q.is_unknown else _scaled(reader(q), unit)
        for q, reader, unit in zip(
            (facts.die_area, facts.dram, facts.io, facts.transistors),
            readers[1:],
            (MM2, GB, GB, BILLION),
            strict=True,
        )
    )
    return {
        "tpp": tpp,
        "pd": tpp.over(area),
        "dram_bw_gbs": dram,
        "io_bw_gbs": io,
        "dram_plus_io_bw_gbs": dram + io,
        "transistors_bn": transistors,
        "datacenter": Bounds.of(float(facts.datacenter)),
        "has_hbm": Bounds.of(float(facts.hbm)),
        "non_planar": UNKNOWN if facts.die_area is None else Bounds.of(1.0),
    }


def _scaled(bounds: Bounds, unit: float) -> Bounds:
    return Bounds(np.asarray(bounds.low) / unit, np.asarray(bounds.high) / unit)


@dataclass(frozen=True, slots=True)
class Classification:
    """What the rules say of one chip."""

    facts: ChipFacts
    item: Item
    date: datetime.date
    destination: str
    results: tuple[Result, ...]


def classify_chip(
    catalogue: Catalogue,
    book: RuleBook,
    chip: str,
    date: datetime.date | None = None,
    destination: str = "cn",
) -> Classification:
    """Every rule on a chip of the catalogue.

    Raises
    ------
    InputError
        When chip or destination is unknown, or a file is wrong.
    """
    day = date or book.as_of
    groups = book.groups(destination)
    facts = chip_facts(catalogue, book, chip)
    item, drawn = item_of(facts, book)
    results = classify(item, book.rules, day, groups, drawn if facts.is_uncertain else None)
    return Classification(facts, item, day, destination, results)


# --- tables ------------------------------------------------------------------------------------------------


def check_table(path: Path, book: RuleBook) -> list[RowAnswer]:
    """Every row of a classification table from its own figures.

    Raises
    ------
    InputError
        When the file cannot be read or lacks a column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError([Problem(f"{shown_path(path)}: no such file")]) from None
    except UnicodeDecodeError:
        raise InputError([Problem("not a text in UTF-8; save it as UTF-8", Mark(path))]) from None
    except OSError as error:
        raise InputError([Problem(f"{shown_path(path)}: cannot be read ({error.strerror})")]) from None
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
    columns = [(column or "").strip() for column in reader.fieldnames or ()]
    missing = [column for column in NEEDED if column not in columns]
    if missing:
        message = f"no column {', '.join(missing)}; a table needs {', '.join(NEEDED)} and the figures"
        raise InputError([Problem(message, Mark(path, 1, 1))])
    try:
        rows = list(reader)
    except csv.Error as error:
        raise InputError([Problem(f"no CSV: {error}", Mark(path, reader.line_num, 1))]) from None
    return [check_row(row, book.rules, book.labels, book.as_of, _groups_or_none(book)) for row in rows]


def _groups_or_none(book: RuleBook) -> Callable[[str], frozenset[str]]:
    """Groups of a destination of a table; one that is in none is outside every scope."""

    def groups(destination: str) -> frozenset[str]:
        try:
            return book.groups(destination)
        except InputError:
            return frozenset()

    return groups
