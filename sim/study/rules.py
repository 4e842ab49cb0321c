"""Export rules from their files, and what they say of the chips of the catalogue."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.policy.metrics import total_processing_performance
from sim.policy.rule_rows import RowAnswer, check_row
from sim.policy.rules import Branch, Item, Result, Rule, classify
from sim.policy.truth import UNKNOWN, Bounds, Compare, Every, Not, OneOf, Outcome, Some, Test, names_match
from sim.profiles.catalogue import Catalogue
from sim.profiles.fields import Document
from sim.profiles.hardware import ChipProfile
from sim.profiles.messages import InputError, Mark, Problem, shown_path, unknown_id
from sim.profiles.policy import Condition, ControlItems, ExportRule, PaperChip
from sim.quantity import Quantity
from sim.study.worlds import sobol_probabilities

ITEMS = "export-control"
GB, MM2, BILLION = 1e9, 1.0, 1e9  # areas are in mm2 already
DRAWS = 4096
NEEDED = ("chip_id", "rule", "expected_status")


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules, what they are called, and the lists they use.

    Attributes
    ----------
    rules : tuple of Rule
        By date of effect, proposals last.
    files : mapping of rule id to ExportRule
    as_of : date
        Day up to which the rules were looked up.
    """

    rules: tuple[Rule, ...]
    files: Mapping[str, ExportRule]
    items: ControlItems
    as_of: datetime.date

    def groups(self, destination: str) -> frozenset[str]:
        """Groups that a destination is in: a group itself, or a country by its two letters.

        Raises
        ------
        InputError
            When it is neither.
        """
        wanted = destination.strip().lower().replace("-", "_")
        members = {name: self._members(name) for name in self.items.groups}
        if wanted in members:
            return frozenset(name for name, countries in members.items() if members[wanted] <= countries) | {"world"}
        if len(wanted) == 2 and wanted.isalpha():
            return frozenset(name for name, countries in members.items() if wanted in countries) | {"world"}
        if wanted == "world":
            return frozenset({"world"})
        known = [*members, "world"]
        raise InputError([Problem(f"{unknown_id('destination', destination, known)}; or a country by two letters, cn")])

    def _members(self, name: str) -> frozenset[str]:
        found: set[str] = set()
        for entry in self.items.groups[name]:
            found |= self._members(entry[1:]) if entry.startswith("@") else {entry}
        return frozenset(found)

    def labels(self, name: str, vendor: str = "") -> dict[str, str | None]:
        """Vendor, origin and declared status by a name; None where the name tells nothing."""
        maker = next(
            (m for m in self.items.makers if vendor == m.name or any(names_match(name, w) for w in m.words)), None
        )
        declared = [d.status for d in self.items.declared if any(names_match(name, chip) for chip in d.chips)]
        return {
            "vendor": vendor or (maker.name if maker else None),
            "origin": maker.country if maker else None,
            "declared": declared[0] if declared else "nothing",
        }


def load_rules(catalogue: Catalogue) -> RuleBook:
    """Every rule of the catalogue, with the lists of items.

    Raises
    ------
    InputError
        When a file is wrong, or a rule names a group or a rule that does not exist.
    """
    items = catalogue.document("items", ITEMS)
    assert isinstance(items, ControlItems)
    files: dict[str, ExportRule] = {}
    for id in catalogue.ids("rules"):
        document = catalogue.document("rules", id)
        assert isinstance(document, ExportRule)
        files[id] = document
    for document in files.values():
        _check_names(catalogue, document, items, files)
    ordered = sorted(files.values(), key=lambda f: (f.effective is None, f.effective or f.announced, f.id))
    as_of = max((_last_day(f.as_of) for f in files.values() if f.as_of), default=datetime.date(2026, 11, 21))
    return RuleBook(tuple(plain_rule(f) for f in ordered), {f.id: f for f in ordered}, items, as_of)


def _check_names(
    catalogue: Catalogue, document: ExportRule, items: ControlItems, files: Mapping[str, ExportRule]
) -> None:
    for group in document.scope.destinations:
        if group not in (*items.groups, "world"):
            message = f"scope.destinations: {unknown_id('group', group, [*items.groups, 'world'])}"
            raise catalogue.error(document, ("scope", "destinations"), message)
    for index, branch in enumerate(document.branches):
        for other in _rules_named(branch.test):
            if other not in files:
                message = f"branches[{index}]: {unknown_id('rule', other, files)}"
                raise catalogue.error(document, ("branches", index, "test"), message)


def _rules_named(condition: Condition | None) -> Iterable[str]:
    if condition is None:
        return
    if condition.rule is not None:
        yield condition.rule
    for below in (*(condition.all or ()), *(condition.any or ()), condition.not_):
        yield from _rules_named(below)


def _last_day(text: str) -> datetime.date:
    """Last day of a year, a month or a day."""
    parts = [int(part) for part in text.split("-")]
    if len(parts) == 3:
        return datetime.date(*parts)
    year, month = (parts[0], 12) if len(parts) == 1 else (parts[0], parts[1])
    following = datetime.date(year + month // 12, month % 12 + 1, 1)
    return following - datetime.timedelta(days=1)


def plain_rule(document: ExportRule) -> Rule:
    """A rule file as the engine takes it."""
    suspended = None
    if document.suspended_from is not None:
        suspended = (_date(document.suspended_from), _date(document.suspended_until) or datetime.date.max)
    return Rule(
        id=document.id,
        title=document.name,
        effective=_date(document.effective),
        ended=_date(document.ended),
        suspended=suspended,  # type: ignore[arg-type]
        unverified_from=_date(document.unverified_from),
        destinations=tuple(document.scope.destinations),
        addressees=None if document.scope.addressees is None else plain_test(document.scope.addressees),
        branches=tuple(
            Branch(b.id, None if b.test is None else plain_test(b.test), b.result, b.weight, b.note)
            for b in document.branches
        ),
    )


def _date(text: str | None) -> datetime.date | None:
    return None if text is None else datetime.date.fromisoformat(text)


def plain_test(condition: Condition) -> Test:
    """A test of a file as the engine takes it."""
    if condition.all is not None:
        return Every(tuple(plain_test(part) for part in condition.all))
    if condition.any is not None:
        return Some(tuple(plain_test(part) for part in condition.any))
    if condition.not_ is not None:
        return Not(plain_test(condition.not_))
    if condition.label is not None:
        return OneOf(condition.label, tuple(condition.among))
    if condition.rule is not None:
        return Outcome(condition.rule, tuple(condition.gives))
    assert condition.field is not None and condition.op is not None and condition.value is not None
    value = condition.value
    number = float(datetime.date.fromisoformat(value).toordinal()) if isinstance(value, str) else float(value)
    return Compare(condition.field, condition.op, number, condition.note)


# --- items -------------------------------------------------------------------------------------------------


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


def _of_profile(chip: ChipProfile) -> ChipFacts:
    silicon = chip.silicon
    return ChipFacts(
        chip.id, chip.name, chip.vendor, dict(chip.compute.matrix), silicon.die_area, chip.memory.bandwidth,
        silicon.io_bandwidth, silicon.transistors, silicon.datacenter, "hbm" in chip.memory.type.lower(), chip,
    )  # fmt: skip


def _of_paper(chip: PaperChip, items: ControlItems) -> ChipFacts:
    return ChipFacts(
        chip.id, chip.name, chip.vendor, dict(chip.peaks), chip.die_area, chip.dram_bandwidth, chip.io_bandwidth,
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
    labels = book.labels(f"{facts.id} / {facts.name}", facts.vendor)
    labels |= {"chip": f"{facts.id} / {facts.name}", "kind": "processor"}
    notes = (facts.note,) if facts.note else ()
    return (
        Item(facts.id, _figures(facts, [_ends] * 5), labels, notes),
        Item(facts.id, _figures(facts, _draws()), labels),
    )


Reader = Callable[[Quantity], Bounds]


def _ends(quantity: Quantity) -> Bounds:
    low = quantity.value if quantity.low is None else quantity.low
    high = quantity.value if quantity.high is None else quantity.high
    return Bounds(low, high)


def _draws() -> list[Reader]:
    """One reader for all peaks, then one each for area, DRAM, I/O and transistors."""
    columns = sobol_probabilities(DRAWS, 5, seed=0).T
    return [partial(_drawn, column) for column in columns]


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
    catalogue: Catalogue, book: RuleBook, chip: str, date: datetime.date | None = None, destination: str = "cn"
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
    return Classification(facts, item, day, destination, classify(item, book.rules, day, groups, drawn))


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
