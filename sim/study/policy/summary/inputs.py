"""Inputs of a policy question as people read them: what they are, whose, and their values."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sim.profiles.supply import Change, Supply
from sim.profiles.supply_scenario import PolicyScenario
from sim.quantity import Quantity
from sim.report.numbers import percent, span
from sim.study.inputs import NamedInput, readable
from sim.study.policy.question import Group, PolicyQuestion
from sim.study.policy.sensitivity import Moved
from sim.study.policy.study import PolicyStudy

# What the last step of the path of a series means; {} is what the steps before it name.
WORDS = {
    "wafers": "wafers started for {}",
    "die_area": "die area of {}",
    "gross_dies": "dies on a wafer of {}",
    "yield_share": "yield of {}",
    "yield": "yield of {}",
    "fab_lead": "time from wafer to die, {}",
    "build_lead": "time from package to server, {}",
    "packaging": "packages of {}",
    "banked_dies": "die bank of {}",
    "bought_dies": "dies that {} obtains from a foreign foundry",
    "die_store": "packaging time of the dies in store, {}",
    "first_dies": "packaging time of the dies at the start, {}",
    "weight": "share in the packages, {}",
    "offered": "vendor's supply of {}",
    "wanted": "demand for {}",
    "export_gate": "licensed share of {}",
    "import_gate": "approved share of {}",
    "quota": "quota of {}",
    "volume_cap": "volume cap on {}",
    "home_volume": "sales of {} in the vendor's country",
    "price": "price of {}",
    "duty": "duty on {}",
    "revenue_share": "revenue share on {}",
    "passed_on": "revenue share put on the price of {}",
    "elasticity": "elasticity of demand for {}",
    "lead": "delivery time, {}",
    "flow": "{}",
    "enforcement": "enforcement factor, {}",
    "premium": "price premium, {}",
    "open": "share that stays within reach, {}",
    "installed": "{} in use at the start",
}
SINGLE = {
    "memory.banked": "HBM stacks at hand at the start",
    "memory.foreign": "foreign HBM stacks",
    "memory.domestic": "domestic HBM stacks",
    "memory.evaded": "HBM stacks against the rules",
    "sites.power": "power for AI chips",
    "sites.network": "chips that can be connected",
    "sites.life": "life of a chip",
    "sites.failures": "chips that break for good",
    "use.training_share": "share of the largest developer",
    "use.serving_share": "share of the chips that serve",
    "use.utilisation": "utilisation of serving chips",
    "use.demand": "demand for tokens",
    "use.software_growth": "software gains a year",
    "use.frontier_progress": "progress in algorithms, factor a year",
    "use.progress_lag": "lag in algorithms",
    "use.distilled_share": "share of the training that distillation saves",
    "use.teacher_tokens": "tokens of the teacher",
    "use.teacher_price": "price of the teacher's tokens",
}
COUNTED = re.compile(r"(?<![/\w])(chip|stack|wafer|die|package|year|month|quarter|day|token)\b")


def input_words(study: PolicyStudy, moved: Moved) -> tuple[str, str]:
    """What an input of a tornado is, and whose."""
    if moved.name.startswith("branch:"):
        branch = next(each for each in study.drawn.branches if each.id == moved.name.partition(":")[2])
        return branch.name, "contested"
    questions = [study.a.question, *([study.b.question] if study.b else [])]
    found = (input_name(moved.name, question) for question in questions)
    return next((each for each in found if each is not None), (moved.name, ""))


def input_name(path: str, question: PolicyQuestion) -> tuple[str, str] | None:
    """What an input is, and whose; None where no file of the question has it.

    Paths of scenarios and supply files are put in words; all others read as in the other reports.
    """
    file, _, field = path.partition("#")
    kind, id = file.rpartition("/")[::2]
    if kind not in ("policy/scenarios", "policy/supply"):
        owners = {document.id: document.name for document in question.documents}
        owner, _, name = readable(path, owners).partition(": ")
        return (name, owner) if owner != file else None
    files: list[PolicyScenario | Supply] = [question.scenario, *(each.supply for each in question.countries)]
    document = next((each for each in files if each.id == id), None)
    if document is None:
        return None
    supply = document if isinstance(document, Supply) else question.own.supply
    steps = field.split(".")
    if "changes" not in steps:
        return series_words(field, supply), document.name
    id = steps[steps.index("changes") + 1]
    change, account = next(each for each in _changes(document) if each[0].id == id)
    period = f"{change.date} to {change.until}" if change.until else f"from {change.date}"
    return _change_words(change, steps[-1], supply), ", ".join(
        part for part in (document.name, period, account) if part
    )


def _changes(document: PolicyScenario | Supply) -> Iterator[tuple[Change, str]]:
    """Every change of a file with the account that it belongs to."""
    yield from ((change, "") for change in document.changes)
    for branch in document.branches:
        for option in branch.options:
            yield from ((change, option.name or option.id) for change in option.changes)


def _change_words(change: Change, key: str, supply: Supply) -> str:
    name = series_words(change.series if isinstance(change.series, str) else change.series[0], supply)
    kind = {"late": "delay: ", "times": "factor on ", "plus": "more "}.get(key, "")
    return f"{kind}{name}"


def series_words(series: str, supply: Supply) -> str:
    """A series of a supply file in words.

    Examples
    --------
    >>> series_words("memory.domestic", None)
    'domestic HBM stacks'
    """
    if series in SINGLE:
        return SINGLE[series]
    part, *ids, key = series.split(".")
    entry = next(
        (each for each in getattr(supply, part, []) or [] if getattr(each, "id", "") == ids[0]), None
    )
    name = (getattr(entry, "name", "") or (ids[0].replace("-", " ") if ids else part)).split(",")[0]
    if part in ("remote", "grey") and key in ("chips", "flow"):
        return name
    if len(ids) > 1 and ids[1] in ("products", "chips"):
        name = f"{ids[2] if len(ids) > 2 else key}, {name}"
        key = key if len(ids) > 2 else "weight"
    return WORDS.get(key, f"{key.replace('_', ' ')}, {{}}").format(name)


# --- values ------------------------------------------------------------------------------------------------


def value_at(quantity: Quantity, probability: float) -> str:
    """A number at a probability: shares as per cent, counted things in the plural.

    Examples
    --------
    >>> value_at(Quantity(2e5 / 31557600, unit="chip/year"), 0.5), value_at(Quantity(0.12, distribution="logitnormal"), 0.5)
    ('200,000 chips/year', '12 %')
    """
    if not quantity.unit and quantity.distribution == "logitnormal":
        return percent(float(quantity.quantile(probability)))
    text = NamedInput(quantity, "", None).at(probability).replace(" / ", "/")
    return text if text.startswith("1.00 ") and "illion" not in text else counted(text)


def counted(text: str) -> str:
    """Units of counted things in the plural.

    Examples
    --------
    >>> counted("chip/year"), counted("3 month")
    ('chips/year', '3 months')
    """
    return COUNTED.sub(r"\1s", text)


def range_of(quantity: Quantity, low: float = 0.05, high: float = 0.95) -> str:
    """From one probability to another, the unit once."""
    return span(value_at(quantity, low), value_at(quantity, high))


def period_of(group: Group) -> str:
    """When the value of a group holds that is shown: the last uncertain point of a series; empty for a number alone."""
    date = re.search(r"\.(\d{4}(?:-\d{2}){0,2})$", group.members[-1].path)
    if date is None or (len(group.members) == 1 and not group.until):
        return ""
    return f"{date[1]} to {group.until}" if group.until else f"from {date[1]}"


def end_text(study: PolicyStudy, moved: Moved, end: int) -> str:
    """The input at its 10th (0) or 90th (1) percentile."""
    if moved.name.startswith("branch:"):
        return (moved.low_text, moved.high_text)[end]
    return value_at(group_of(study, moved).members[-1], (0.1, 0.9)[end])


def group_of(study: PolicyStudy, moved: Moved) -> Group:
    """The inputs behind a bar of a tornado that is no contested matter."""
    return next(each for each in study.drawn.groups if each.name == moved.name)
