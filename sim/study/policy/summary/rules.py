"""What the export rules say of the products of a policy scenario, and which it switches, for its report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sim.policy.supply.series import decimal_year
from sim.profiles.catalogue import Catalogue
from sim.profiles.supply import Import, Supply
from sim.report.policy_content import Row, Table
from sim.study.policy.question import PolicyQuestion
from sim.study.policy.rulings import Period, Switched, periods, switched_rules
from sim.study.rules.book import load_rules
from sim.study.rules.words import said

TELLING = ("licence", "barred", "conditional", "open")
NOTE = (
    "Rules that ask for a licence, bar, or attach conditions, by the figures of the chip files (parity rules classify), on "
    "the days on which what they say changes. Where none asks for a licence the exporter's gate is open; how requests that "
    "need one are handled is an input. Alleged: no text is public, and the rule file says who reports it."
)


def rules_table(catalogue: Catalogue, question: PolicyQuestion) -> Table | None:
    """Products of the country by day, with the rules that begin and end to bear on them.

    None where its gates follow no rules.
    """
    supply = question.own.supply
    products = [each for each in supply.imports if each.name]
    if not products or supply.rules is None:
        return None
    found = switched_rules(question.scenario.rules, load_rules(catalogue))
    rows: list[Row] = []
    for product in products:
        rows += _changes(catalogue, supply, found, product, question.start)
    columns = ("Product", "From", "Now bears on it", "No longer")
    return Table("Export rules on the products", NOTE, columns, tuple(rows), (0.8, 0.6, 2.6, 1.6), left=True)


def _changes(
    catalogue: Catalogue, supply: Supply, found: Switched, product: Import, begin: str
) -> Iterator[Row]:
    """One row per day on which the rules begin to say something else."""
    last: dict[str, str] = {}
    first, start = True, decimal_year(begin)
    for period in periods(catalogue, supply, found, product.chip):
        if period.end <= start:
            continue
        now = _words(period, found)
        if first or now != last:
            new = "; ".join(
                f"{_name(rule, found)}: {words}" for rule, words in now.items() if last.get(rule) != words
            )
            gone = "; ".join(_name(rule, found) for rule in last if rule not in now)
            day = period.day.isoformat() if period.start > start else begin
            yield product.name if first else "", day, new or ("" if gone else "none"), gone
        first, last = False, now


def _words(period: Period, found: Switched) -> dict[str, str]:
    return {each.rule: said(each.result) for each in period.results if each.weight in TELLING}


def _name(rule: str, found: Switched) -> str:
    file = found.book.files[rule]
    return f"{file.name} (alleged)" if file.alleged_by else file.name


def switch_rows(catalogue: Catalogue, switches: Mapping[str, str]) -> Iterator[Row]:
    """Rules that a scenario switches, as rows of its table of changes: date, what, change, meaning, source."""
    files = load_rules(catalogue).files if switches else {}
    for name, state in switches.items():
        rule, _, parameter = name.partition(".")
        file = files[rule]
        what = f"{file.name}: {parameter.replace('_', ' ')}" if parameter else file.name
        says = file.instrument + (f"; alleged by {file.alleged_by}" if file.alleged_by else "")
        yield file.effective or "", what, f"rule switched {state}", "", says
