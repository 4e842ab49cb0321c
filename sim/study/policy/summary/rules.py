"""What the export rules say of the products of a policy scenario, and which it switches, for its report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sim.policy.supply_series import decimal_year
from sim.profiles.catalogue import Catalogue
from sim.profiles.supply import Import, Supply
from sim.report.policy_content import Row, Table
from sim.study.policy.question import PolicyQuestion
from sim.study.policy.rulings import Period, Switched, periods, switched_rules
from sim.study.rules.book import load_rules

TELLING = ("licence", "barred", "conditional", "open")
NOTE = (
    "Rules in force that ask for a licence, bar, or attach conditions, by the figures of the chip files (`parity rules "
    "classify`), from the day on which they begin to say so. Where none asks for a licence the exporter's gate is open; how "
    "requests that need one are handled is an input. Alleged: no text is public, and the rule file says who reports it."
)


def rules_table(catalogue: Catalogue, question: PolicyQuestion) -> Table | None:
    """Products of the country by period, with the rules that bear on them; None where its gates follow no rules."""
    supply = question.own.supply
    products = [each for each in supply.imports if each.name]
    if not products or supply.rules is None:
        return None
    found = switched_rules(question.scenario.rules, load_rules(catalogue))
    rows: list[Row] = []
    for product in products:
        rows += _periods(catalogue, supply, found, product, question.start)
    columns = ("Product", "From", "Rules")
    return Table("Export rules on the products", NOTE, columns, tuple(rows), (1, 0.6, 3.4), left=True)


def _periods(
    catalogue: Catalogue, supply: Supply, found: Switched, product: Import, begin: str
) -> Iterator[Row]:
    """One row per change of what the rules say."""
    last: str | None = None
    start = decimal_year(begin)
    for period in periods(catalogue, supply, found, product.chip):
        if period.end <= start:
            continue
        words = _words(period, found) or "none"
        if words != last:
            yield (
                product.name if last is None else "",
                period.day.isoformat() if period.start > start else begin,
                words,
            )
        last = words


def _words(period: Period, found: Switched) -> str:
    parts = []
    for each in period.results:
        if each.weight in TELLING:
            alleged = " (alleged)" if found.book.files[each.rule].alleged_by else ""
            parts.append(f"{each.rule}{alleged}: {each.result.replace('_', ' ')}")
    return "; ".join(parts)


def switch_rows(catalogue: Catalogue, switches: Mapping[str, str]) -> Iterator[Row]:
    """Rules that a scenario switches, as rows of its table of changes: date, name, change, meaning, source."""
    files = load_rules(catalogue).files if switches else {}
    for name, state in switches.items():
        rule, _, parameter = name.partition(".")
        file = files[rule]
        what = f"{file.name}: {parameter.replace('_', ' ')}" if parameter else file.name
        says = file.instrument + (f"; alleged by {file.alleged_by}" if file.alleged_by else "")
        yield file.effective or "", name, f"rule {state}", what, says
