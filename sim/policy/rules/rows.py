"""Rows of a classification table: their own figures, read with care, against one rule each.

A cell that is empty, unreadable or built on a sparse rate is unknown; a range stays a range.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sim.policy.metrics import BITS
from sim.policy.rules.engine import classify, classify_one
from sim.policy.rules.records import NOT_DECIDABLE, NOT_IN_FORCE, OUT_OF_SCOPE, Item, Rule
from sim.policy.rules.truth import UNKNOWN, Bounds

UNKNOWN_RULE = "unknown_rule"
# Words by which a table may say the same; the answer then keeps the word of the table.
SAME = {
    NOT_DECIDABLE: "not_decidable_from_public_data undecidable undecided unknown indeterminate refused sparse_refused",
    NOT_IN_FORCE: "not_yet_in_force no_longer_in_force superseded expired not_effective",
    OUT_OF_SCOPE: "not_applicable not_controlled out_of_scope",
}
NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+"
UNIT = r"(?:\s*(?:gb/s|gbyte/s|tb/s|tops|tflops?(?:/s)?|mm2|mm²|mm\^2))?"
_PRODUCT = re.compile(
    rf"(?P<rate>{NUMBER})\s*(?:dense\s*)?(?:sparse\s*)?(?:t(?:fl)?ops?(?:/s)?\s*)?[x×*]\s*(?P<bits>\d+)\b",
    re.I,
)
_RANGE = re.compile(rf"(?P<low>{NUMBER})\s*(?:-|–|—|\.\.|to)\s*(?P<high>{NUMBER})\s*(?:mm2|mm²|mm\^2)", re.I)
_DENSE = re.compile(r"\bdense\b|halved|half of|without spars|no spars|non-?spars|not spars|/\s*2\b", re.I)
_PLANAR = re.compile(r"(?<!non-)(?<!non )\bplanar\b", re.I)
_BITS = frozenset(BITS.values()) | {32, 64}


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """What the rule of a row says of the row's own figures."""

    chip_id: str
    rule: str
    expected: str
    got: str
    branch: str
    agrees: bool
    possible: tuple[str, ...]
    notes: tuple[str, ...]


Labels = Callable[[str], Mapping[str, str | None]]
"""Vendor, origin and declared status of a chip by its names."""


def check_row(
    row: Mapping[str, str | None],
    rules: Sequence[Rule],
    labels: Labels,
    as_of: datetime.date,
    groups: Callable[[str], frozenset[str]],
) -> RowAnswer:
    """Classify one row under the rule it names; never raises on what the row holds.

    Parameters
    ----------
    row : mapping of column to cell
        ``chip, chip_id, rule, tpp, tpp_basis, die_area_mm2, die_note, pd, mem_bw_gbs, io_bw_gbs, datacenter,
        expected_status``; where a table has them also ``date``, ``destination``, ``transistors_bn`` and
        ``memory_bandwidth_density``.
    as_of : date
        Day on which rows without a date are read. A rule that had ended by then is read on its last day, one that had
        not begun on its first.
    groups : callable
        Country groups of a destination.
    """
    cells = {
        key.strip(): (value or "").strip()
        for key, value in row.items()
        if isinstance(key, str) and _is_text(value)
    }
    item = row_item(cells, labels)
    rule_id, expected = cells.get("rule", ""), cells.get("expected_status", "")
    rule = next((each for each in rules if each.id == rule_id), None)
    if rule is None:
        return RowAnswer(item.id, rule_id, expected, UNKNOWN_RULE, "", False, (), ("no such rule",))
    stated = parse_date(cells.get("date", ""))
    date = stated or standing_day(rule, as_of)
    destination = cells.get("destination", "")
    if destination:
        known = groups(destination)
        result = next(each for each in classify(item, rules, date, known) if each.rule == rule.id)
    else:
        result = classify_one(rule.id, item, rules, date)
    agrees = _same(result.result, expected)
    got = expected if agrees else result.result
    return RowAnswer(item.id, rule_id, expected, got, result.branch, agrees, result.possible, result.notes)


def _same(result: str, expected: str) -> bool:
    """Whether a table's word says what the engine says."""
    word = "_".join(expected.lower().replace("-", " ").split())
    undecided = result == NOT_DECIDABLE and word.startswith(("not_decid", "undecid"))
    return word == result or undecided or word in SAME.get(result, "").split()


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def standing_day(rule: Rule, as_of: datetime.date) -> datetime.date:
    """The day nearest to ``as_of`` on which the rule held."""
    if rule.ended is not None and as_of >= rule.ended:
        return rule.ended - datetime.timedelta(days=1)
    if rule.effective is not None and as_of < rule.effective:
        return rule.effective
    return as_of


def row_item(cells: Mapping[str, str], labels: Labels) -> Item:
    """Figures and labels of a row."""
    notes: list[str] = []
    chip_id, name = cells.get("chip_id", ""), cells.get("chip", "")
    tpp = row_tpp(cells.get("tpp", ""), cells.get("tpp_basis", ""), notes)
    area = row_area(cells.get("die_area_mm2", ""), cells.get("die_note", ""))
    dram, io = (parse_figure(cells.get(key, ""), notes, key) for key in ("mem_bw_gbs", "io_bw_gbs"))
    planar = bool(_PLANAR.search(cells.get("die_note", "")))
    stack = bool(re.match(r"hbm", chip_id or name, re.I))
    density = parse_figure(cells.get("memory_bandwidth_density", ""), notes, "memory_bandwidth_density")
    if stack and density == UNKNOWN and area != UNKNOWN:
        density = dram.over(area)
    figures = {
        "tpp": tpp,
        "pd": row_density(cells.get("pd", ""), tpp, area, cells.get("die_area_mm2", ""), planar, notes),
        "dram_bw_gbs": dram,
        "io_bw_gbs": io,
        "dram_plus_io_bw_gbs": dram + io,
        "memory_bandwidth_density": density,
        "datacenter": parse_flag(cells.get("datacenter", "")),
        "transistors_bn": parse_figure(cells.get("transistors_bn", ""), notes, "transistors_bn"),
        "has_hbm": parse_flag(cells.get("has_hbm", "")),
        "non_planar": Bounds.of(0.0) if planar else UNKNOWN,
    }
    both = f"{chip_id} / {name}"
    known = {**labels(both), "chip": both, "kind": "memory-stack" if stack else "processor"}
    return Item(chip_id or name, figures, known, tuple(notes))


def parse_figure(text: str, notes: list[str] | None = None, name: str = "") -> Bounds:
    """A cell: a number, a range, a bound, or unknown.

    Examples
    --------
    >>> parse_figure("1,398").low, parse_figure("3.35 TB/s").low
    (1398.0, 3350.0)
    >>> parse_figure("920-2400 mm2")
    Bounds(low=920.0, high=2400.0)
    >>> parse_figure("<2400").high < 2400
    True
    >>> parse_figure("not published") == UNKNOWN
    True
    """
    cell = (
        re.sub(r"\s*\([^()]*\)$", "", text.strip().lower())
        .lstrip("~≈")
        .removeprefix("about ")
        .removeprefix("ca. ")
        .strip()
    )
    scale = 1000.0 if "tb/s" in cell else 1.0
    pair = re.fullmatch(rf"({NUMBER}){UNIT}\s*(?:-|–|—|\.\.|to)\s*({NUMBER}){UNIT}", cell)
    if pair:
        low, high = sorted((_number(pair[1]), _number(pair[2])))
        return Bounds(low * scale, high * scale) if np.isfinite(high) else UNKNOWN
    bound = re.fullmatch(rf"(<=|>=|<|>|≤|≥)\s*({NUMBER}){UNIT}", cell)
    if bound:
        return _one_sided(bound[1], _number(bound[2]) * scale)
    single = re.fullmatch(rf"({NUMBER}){UNIT}", cell)
    if single and np.isfinite(_number(single[1])):
        return Bounds.of(_number(single[1]) * scale)
    if cell and notes is not None and any(c.isdigit() for c in cell):
        notes.append(f'{name} "{text}" is not a figure and counts as unknown')
    return UNKNOWN


def _one_sided(sign: str, value: float) -> Bounds:
    if not np.isfinite(value):
        return UNKNOWN
    match sign:
        case "<":
            return Bounds(0.0, float(np.nextafter(value, -np.inf)))
        case "<=" | "≤":
            return Bounds(0.0, value)
        case ">":
            return Bounds(float(np.nextafter(value, np.inf)), np.inf)
        case _:
            return Bounds(value, np.inf)


def _number(text: str) -> float:
    try:
        return float(text.replace(",", ""))
    except (ValueError, OverflowError):
        return float("nan")


def parse_flag(text: str) -> Bounds:
    """Yes, no or unknown as 1, 0 or open between them."""
    word = text.strip().lower()
    if word in ("1", "1.0", "true", "yes", "y"):
        return Bounds.of(1.0)
    if word in ("0", "0.0", "false", "no", "n"):
        return Bounds.of(0.0)
    return Bounds(0.0, 1.0)


def parse_date(text: str) -> datetime.date | None:
    """A full ISO date, or nothing."""
    try:
        return datetime.date.fromisoformat(text.strip()) if text.strip() else None
    except ValueError:
        return None


def row_tpp(cell: str, basis: str, notes: list[str]) -> Bounds:
    """TPP of a row: its cell, unless that rests on a sparse rate; the dense products of its basis where the cell is empty.

    Examples
    --------
    >>> row_tpp("15832", "FP8 1979 x8", []).low
    15832.0
    >>> row_tpp("31664", "FP8 3958 sparse x8", []) == UNKNOWN
    True
    >>> row_tpp("", "FP8 296 x8", []).low
    2368.0
    """
    dense, sparse = _products(f"{basis} ; {cell}" if "spars" in cell.lower() else basis)
    given = parse_figure(cell, notes, "tpp")
    if sparse or ("spars" in (basis + cell).lower() and not _DENSE.search(basis + cell)):
        if dense:
            if given == UNKNOWN or not np.isclose(float(given.high), dense, rtol=0.01):
                notes.append(
                    "the figure with structured sparsity is refused; the dense one of the basis is used"
                )
                return Bounds.of(dense)
            return given
        notes.append("a rate with structured sparsity is refused: TPP counts dense operations")
        return UNKNOWN
    return Bounds.of(dense) if given == UNKNOWN and dense else given


def _products(basis: str) -> tuple[float, list[float]]:
    """Highest dense product of a basis (0 without one), and its sparse products."""
    dense, sparse = 0.0, []
    for clause in re.split(r"[;()=]|, | or ", basis):
        for found in _PRODUCT.finditer(clause):
            bits = int(found["bits"])
            if bits not in _BITS:
                continue
            product = _number(found["rate"]) * bits
            if "spars" in clause.lower() and not _DENSE.search(clause):
                sparse.append(product)
            elif np.isfinite(product):
                dense = max(dense, product)
    return dense, sparse


def row_area(cell: str, note: str) -> Bounds:
    """Applicable die area; the range of the note where it gives one."""
    area = parse_figure(cell)
    stated = _RANGE.search(note)
    if stated is None:
        return area
    low, high = sorted((_number(stated["low"]), _number(stated["high"])))
    return Bounds(
        float(np.minimum(low, area.low)) if area.known else low,
        float(np.maximum(high, area.high)) if area.known else high,
    )


def row_density(
    cell: str, tpp: Bounds, area: Bounds, area_cell: str, planar: bool, notes: list[str]
) -> Bounds:
    """Performance density of a row.

    The quotient of its own TPP and area. The rounded figure of the table stands in where the rounding of the area
    cannot tell the two apart, and where there is no area; where both are given and differ, the range holds both.
    """
    if planar:
        notes.append("no die on a non-planar node: the density tests cannot be met")
        return Bounds.of(0.0)
    given = parse_figure(cell, notes, "pd")
    quotient = tpp.over(area) if area != UNKNOWN else UNKNOWN
    if tpp == UNKNOWN:
        # A density beside a refused or missing TPP has no sound numerator unless nothing was refused.
        return UNKNOWN if any("sparsity" in note for note in notes) else given
    if given == UNKNOWN:
        return quotient
    if quotient == UNKNOWN:
        return given
    if not (given.known and area.known and tpp.known):
        return quotient
    half = 0.5 * 10.0 ** -_decimals(area_cell)
    reach = tpp.over(Bounds(float(area.low) - half, float(area.high) + half))
    if float(reach.low) <= float(given.low) <= float(reach.high):
        return given
    if abs(float(given.low) / float(quotient.low) - 1) > 0.02 if float(quotient.low) else True:
        notes.append("density and TPP over area disagree; both are kept as a range")
        low, high = sorted((float(given.low), float(quotient.low)))
        return Bounds(low, high)
    return quotient


def _decimals(text: str) -> int:
    return len(text.strip().partition(".")[2])
