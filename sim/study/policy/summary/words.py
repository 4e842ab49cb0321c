"""Policy outcomes and inputs as people read them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sim.policy.supply_series import iso_month
from sim.report.content import Interval
from sim.report.numbers import bounds, number, percent, signed
from sim.study.inputs import NamedInput, readable
from sim.study.policy.headlines import Headline, gap
from sim.study.policy.question import Group, PolicyQuestion
from sim.study.summary.statistics import interval

Vector = NDArray[np.float64]
NEVER = "not by the end"
WORDS = {
    "grey": "grey market",
    "makers": "",
    "imports": "",
    "sites": "sites",
    "memory": "HBM",
    "use": "",
    "remote": "remote",
    "wafers": "wafer starts",
    "yield_share": "yield",
    "bought_dies": "dies of a foreign foundry",
    "banked": "stock of stacks",
    "banked_dies": "die bank",
    "domestic": "domestic stacks",
    "foreign": "foreign stacks",
    "evaded": "stacks against the rules",
    "export_gate": "licensed share",
    "import_gate": "approved share",
    "home_volume": "sales at home",
    "wanted": "demand",
    "offered": "vendor supply",
    "flow": "chips a year",
    "life": "life of a chip",
    "chips": "chips",
    "training_share": "share of the largest developer",
    "serving_share": "share of chips that serve",
    "frontier_progress": "progress in algorithms",
    "progress_lag": "lag in algorithms",
    "passed_on": "revenue share passed on",
    "software_growth": "software gains a year",
    "packaging": "packages a year",
    "times": "",
    "set": "",
    "plus": "",
    "changes": "",
    "branches": "",
    "options": "",
    "h20": "H20",
    "h200": "H200",
    "b30a": "B30A",
}


def short_interval(headline: Headline | None) -> tuple[str, str]:
    """Median, and 90 % interval, as text."""
    if headline is None:
        return "", ""
    found = interval(headline.values)
    if headline.kind == "date":
        return when(found.p50), f"{when(found.p05)} to {when(found.p95)}"
    return number(found.p50), bounds(found)


def when(year: float) -> str:
    """A date as year and month; what does not happen within the horizon says so."""
    return iso_month(year) if np.isfinite(year) else NEVER


def difference(a: Headline, b: Headline) -> tuple[str, str]:
    """A against B in the same draws: median and 90 % interval, as text."""
    if a.kind == "date":
        months = 12.0 * gap(a.values, b.values)
        found = interval(months)
        if found == Interval(0.0, 0.0, 0.0, 0.0, 0.0):
            return "none", ""
        return f"{_months(found.p50)}", f"{_months(found.p05)} to {_months(found.p95)}"
    if a.kind == "money" or np.median(b.values) == 0.0:
        found = interval(gap(a.values, b.values))
        return _signed(found.p50), f"{_signed(found.p05)} to {_signed(found.p95)}"
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(a.values == b.values, 0.0, a.values / b.values - 1.0)
    found = interval(share)
    return _change(found.p50), f"{_change(found.p05)} to {_change(found.p95)}"


def _months(x: float) -> str:
    if not np.isfinite(x):
        return "beyond the horizon"
    if abs(x) < 0.05:
        return "0 months"
    return f"{number(abs(x), 2)} months {'later' if x > 0 else 'earlier'}"


def _signed(x: float) -> str:
    return "0" if abs(x) < 1e-12 else signed(x)


def _change(share: float) -> str:
    if not np.isfinite(share):
        return "from nothing"
    if share > 2.0:
        return f"{number(1.0 + share)} times"
    return "0 %" if share == 0 else percent(share, sign=True)


def lead_sentence(a: Headline, b: Headline | None, label: str) -> str:
    """The leading outcome in one sentence."""
    median, spread = short_interval(a)
    unit = "" if a.kind in ("date", "ratio") else f" {a.unit}"
    text = f"{a.name[0].upper()}{a.name[1:]}: {median}{unit} (90 % interval {spread})"
    if a.kind == "date" and not np.isfinite(a.values).all():
        text += f"; in {percent(float(np.mean(~np.isfinite(a.values))))} of the draws not within the horizon"
    if b is None:
        return text + "."
    other, other_spread = short_interval(b)
    gap, gap_spread = difference(a, b)
    shift = f"{gap}" + (f" ({gap_spread})" if gap_spread else "")
    return f"{text}. {label[0].upper()}{label[1:]}: {other}{unit} ({other_spread}). Difference in the same draws: {shift}."


# --- inputs ------------------------------------------------------------------------------------------------


def input_name(path: str, question: PolicyQuestion) -> tuple[str, str]:
    """What an input is, and whose.

    Paths of the policy files are put in words; all others read as in the other reports.
    """
    file, field = path.split("#", 1)
    if file.startswith("policy/"):
        own = (question.scenario, *(country.supply for country in question.countries))
        owners = {document.id: document.name for document in own}
    else:
        owners = {document.id: document.name for document in question.documents}
        owner, _, name = readable(path, owners).partition(": ")
        return name, owner
    steps = [WORDS.get(step, step.replace("_", " ").replace("-", " ")) for step in field.split(".")]
    words = [step for step in steps if step]
    return " ".join(words[-1:] + ([f"({' '.join(words[:-1])})"] if len(words) > 1 else [])), owners.get(
        file.rsplit("/", 1)[1], file
    )


def group_at(group: Group, probability: float) -> str:
    """An input at a probability: for a series its last point, with the date from which that holds."""
    member = group.members[-1]
    text = NamedInput(member, "", None).at(probability)
    date = re.search(r"\.(\d{4}(?:-\d{2}){0,2})$", member.path)
    return f"{text} from {date[1]}" if date and len(group.members) > 1 else text


def account_rows(
    accounts: Mapping[str, NDArray[np.int64]], branch: str, option: int, a: Headline, b: Headline | None
) -> tuple[Headline, Headline | None]:
    """The draws that follow one account."""
    chosen = accounts[branch] == option
    return _only(a, chosen), None if b is None else _only(b, chosen)


def _only(headline: Headline, chosen: NDArray[np.bool_]) -> Headline:
    values = headline.values[chosen] if chosen.any() else np.array([np.nan])
    return Headline(headline.id, headline.name, headline.unit, headline.kind, values)
