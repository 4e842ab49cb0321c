"""Tables of the catalogue for the terminal: what there is, what one file says, and where it has it from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

from sim.profiles.catalogue import Catalogue
from sim.profiles.fields import Document, Record
from sim.profiles.hardware import ChipProfile, SystemProfile
from sim.profiles.messages import InputError, Problem, unknown_id
from sim.profiles.shelves import SHELVES, references
from sim.quantity import WEAK_KINDS, Quantity
from sim.units import format_quantity
from sim.views.listing import Listing

HARDWARE = ("chips", "systems")
SHOWABLE = tuple(kind for kind in SHELVES if kind != "models")


def known_kinds(kinds: Sequence[str]) -> Sequence[str]:
    """The same kinds, if all of them exist.

    Raises
    ------
    InputError
        With the nearest names otherwise.
    """
    problems = [Problem(unknown_id("kind", kind, SHELVES)) for kind in kinds if kind not in SHELVES]
    if problems:
        raise InputError(problems)
    return kinds


# --- lists -------------------------------------------------------------------------------------------------


def list_files(catalogue: Catalogue, kinds: Sequence[str]) -> Iterator[Listing]:
    """One table per kind of file, with what tells the entries apart."""
    for kind in kinds:
        documents = [catalogue.document(kind, id) for id in catalogue.ids(kind)]
        if kind == "chips":
            yield _chip_list([each for each in documents if isinstance(each, ChipProfile)])
        elif kind == "systems":
            yield _system_list([each for each in documents if isinstance(each, SystemProfile)])
        else:
            yield Listing(kind, ("id", "name"), [(each.id, each.name) for each in documents])


def _chip_list(chips: Sequence[ChipProfile]) -> Listing:
    columns = ("id", "name", "bf16", "fp8", "memory", "bandwidth", "tdp", "price", "peaks from")
    rows = []
    for chip in chips:
        peaks = [_short(chip.compute.matrix.get(precision)) for precision in ("bf16", "fp8")]
        parts = (chip.memory.capacity, chip.memory.bandwidth, chip.power.tdp, chip.price)
        rows.append((chip.id, chip.name, *peaks, *map(_short, parts), chip.confidence))
    return Listing("chips", columns, rows, ["Dense peaks of one package; a dash: not native, or not given."])


def _system_list(systems: Sequence[SystemProfile]) -> Listing:
    columns = ("id", "name", "chip", "per server", "sold by", "network, one way per chip, innermost first")
    rows = []
    for system in systems:
        tiers = " > ".join(f"{tier.name} {_short(tier.bandwidth)}" for tier in system.tiers)
        sizes = (str(system.chips_per_server), str(system.unit))
        rows.append((system.id, system.name, system.chip, *sizes, tiers))
    return Listing("systems", columns, rows)


def _short(quantity: Quantity | None) -> str:
    return "-" if quantity is None else format_quantity(quantity.value, quantity.unit)


# --- one file ----------------------------------------------------------------------------------------------


def show(catalogue: Catalogue, id: str, sources: bool) -> Iterator[Listing]:
    """Every value of the files with an id, on whichever shelf they stand.

    Raises
    ------
    InputError
        When no shelf has the id.
    """
    kinds = [kind for kind in SHOWABLE if catalogue.path(kind, id)]
    if not kinds:
        known = [each for kind in SHOWABLE for each in catalogue.ids(kind)]
        raise InputError([Problem(unknown_id("profile", id, known))])
    for kind in kinds:
        document = catalogue.document(kind, id)
        yield values(document, f"{SHELVES[kind].noun} {document.id}: {document.name}")
        if sources:
            yield from source_lists(document)
        if sources and isinstance(document, ChipProfile):  # how well its kernels do, and where that is from
            kernels = catalogue.document("kernels", document.kernels)
            yield values(kernels, f"{SHELVES['kernels'].noun} {kernels.id}: {kernels.name}")
            yield from source_lists(kernels)


def values(document: Document, title: str) -> Listing:
    """All values of a document with range, kind, date and key of the source."""
    columns = ("field", "value", "5 % to 95 %", "kind", "as of", "source")
    weak = "Kinds analyst, press, derived and assumed are weakly sourced."
    notes = [document.note] if document.note else []
    return Listing(title, columns, list(_rows(document)), [*notes, weak])


def source_lists(document: Document) -> Iterator[Listing]:
    """The sources of a document, and what the notes of its numbers say."""
    rows = [(key, each.title, each.date or "", each.url) for key, each in document.sources.items()]
    yield Listing(f"sources of {document.id}", ("key", "title", "date", "where"), rows)
    leaves = ((name, value) for name, value in _fields(document, "") if isinstance(value, Quantity))
    remarks = [(name, leaf.note) for name, leaf in leaves if leaf.note]
    if remarks:
        yield Listing(f"notes of {document.id}", ("field", "note"), remarks)


_TOLD_ELSEWHERE = ("id", "name", "note", "sources", "source", "kind", "as_of")


def _rows(document: Document) -> Iterator[tuple[str, ...]]:
    for name, value in _fields(document, ""):
        if isinstance(value, Quantity):
            kind = f"{value.kind} *" if value.kind in WEAK_KINDS else value.kind
            yield name, _short(value), _range(value), kind, value.as_of, value.source
        elif name not in _TOLD_ELSEWHERE and not name.startswith("sources."):
            yield name, str(value), "", "", "", ""


def _range(quantity: Quantity) -> str:
    if quantity.low is None or quantity.high is None:
        return ""
    return (
        f"{format_quantity(quantity.low, quantity.unit)} to {format_quantity(quantity.high, quantity.unit)}"
    )


def _fields(value: object, name: str) -> Iterator[tuple[str, object]]:
    """Leaves of a document that say something, with their dotted names."""
    if isinstance(value, Record):
        for field in type(value).model_fields:
            yield from _fields(getattr(value, field), f"{name}.{field}".strip("."))
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _fields(part, f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _fields(part, f"{name}[{index}]")
    elif is_dataclass(value) and not isinstance(value, Quantity):
        for part in fields(value):
            yield from _fields(getattr(value, part.name), f"{name}.{part.name}")
    elif value is not None and value != "":
        yield name, value


# --- checking ----------------------------------------------------------------------------------------------


def check_files(catalogue: Catalogue, scenarios: Sequence[Path]) -> str:
    """Load scenarios and all they refer to, or everything there is; what was checked, in words.

    Raises
    ------
    InputError
        With every mistake of every file.
    """
    problems: list[Problem] = []
    wanted: list[tuple[str, str]] = [("scenarios", str(path)) for path in scenarios]
    wanted = wanted or [(kind, id) for kind in SHELVES for id in catalogue.ids(kind)]
    seen: set[tuple[str, str]] = set()
    while wanted:
        kind, id = wanted.pop(0)
        if (kind, id) in seen:
            continue
        seen.add((kind, id))
        try:
            document = catalogue.document(kind, id)
            wanted += [(other, named) for _, other, named in references(document)]
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return f"{len(catalogue.files_read)} files, no mistakes"
