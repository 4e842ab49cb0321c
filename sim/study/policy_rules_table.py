"""What the export rules say of the products of a policy scenario, for its report."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from sim.policy.supply_series import decimal_year
from sim.profiles.catalogue import Catalogue
from sim.report.policy_content import Row, Table
from sim.study.policy_question import PolicyQuestion
from sim.study.rules.book import RuleBook, load_rules
from sim.study.rules.classify import classify_chip

TELLING = ("licence", "barred", "conditional")
NOTE = (
    "Rules in force for China on the first day of each half-year that ask for a licence, bar, or attach conditions, by the "
    "figures of the chip files (`parity rules classify`). How such rules were handled is what the gates say, inputs of "
    "their own."
)


def rules_table(catalogue: Catalogue, question: PolicyQuestion) -> Table | None:
    """Products of the country by half-year, with the rules that bear on them; None where nothing is imported."""
    products = [each for each in question.own.supply.imports if each.name]
    if not products:
        return None
    book = load_rules(catalogue)
    rows: list[Row] = []
    for product in products:
        rows += _periods(catalogue, book, question, product.chip, product.name)
    return Table(
        "Export rules on the products",
        NOTE,
        ("Product", "From", "Rules"),
        tuple(rows),
        (1, 0.6, 3.4),
        left=True,
    )


def _periods(
    catalogue: Catalogue, book: RuleBook, question: PolicyQuestion, chip: str, name: str
) -> Iterator[Row]:
    """One row per change of what the rules say."""
    last: str | None = None
    for day in _days(question.start, book.as_of):
        found = classify_chip(catalogue, book, chip, day)
        bearing = [each for each in found.results if each.in_force is not False and each.weight in TELLING]
        words = "; ".join(f"{each.rule}: {each.result.replace('_', ' ')}" for each in bearing) or "none"
        if words != last:
            yield name if last is None else "", day.isoformat(), words
        last = words


def _days(start: str, end: datetime.date) -> Iterator[datetime.date]:
    year = int(decimal_year(start))
    while True:
        for month in (1, 7):
            day = datetime.date(year, month, 1)
            if day > end:
                return
            yield day
        year += 1
