"""Words and names that many sentences share: views of cost, headline jobs, names of inputs and families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sim.report.content import JobContent, JobSide, ReportContent
from sim.report.numbers import finite, number, percent

VIEW_NAMES = {"amortised": "Amortised", "rental": "Rental", "acquisition": "Acquisition"}
VIEW_ORDER = ("amortised", "rental", "acquisition")
TRAINING_UNIT, SERVING_UNIT = "USD per run", "USD per million output tokens"


def views_of(costs: Mapping[str, object]) -> list[str]:
    """The views of cost in reading order."""
    return [v for v in VIEW_ORDER if v in costs] + [v for v in costs if v not in VIEW_ORDER]


def view_name(view: str) -> str:
    """A view of cost as a heading."""
    return VIEW_NAMES.get(view, view.replace("_", " ").capitalize())


def cost_unit(job: JobContent) -> str:
    """The unit of the costs of a job, before scaling."""
    return TRAINING_UNIT if job.kind == "training" else SERVING_UNIT


def known_views(job: JobContent) -> list[str]:
    """The views in which the cost is a number on both sides, in reading order."""
    return [
        view
        for view in views_of(job.a.cost)
        if view in job.b.cost and finite(job.a.cost[view], job.b.cost[view])
    ]


def drawn_views(job: JobContent) -> list[str]:
    """The views in which the cost is a number on at least one side, in reading order."""
    views = views_of({**job.a.cost, **job.b.cost})
    return [view for view in views if any(_costed(side, view) for side in (job.a, job.b))]


def _costed(side: JobSide, view: str) -> bool:
    return view in side.cost and finite(side.cost[view])


def main_view(job: JobContent) -> str | None:
    """The view that stands for the job: amortised where it is known, else the next that is; unknown where none is."""
    given = [view for view in views_of(job.a.cost) if view in job.b.cost]
    return next(iter([*known_views(job), *given]), None)


def headline_jobs(content: ReportContent) -> list[JobContent]:
    """The first training and the first serving job: those that the first two pages speak of."""
    firsts = [
        next((job for job in content.jobs if job.kind == kind), None) for kind in ("training", "serving")
    ]
    return [job for job in firsts if job is not None]


def money_jobs(content: ReportContent) -> list[JobContent]:
    """Two jobs whose cost is drawn block by block: the headline jobs, and the next one where they are of one kind."""
    heads = headline_jobs(content)
    others = [job for job in content.jobs if job not in heads]
    return [*heads, *others[: max(0, 2 - len(heads))]]


def more_or_less(a: float, b: float) -> str:
    """How A's number stands to B's: "34 % more than", "as much as"."""
    if b == 0 or abs(a / b - 1) < 0.005:
        return "about as much as"
    if a / b >= 2:
        return f"{number(a / b, 2)} times as much as"
    return f"{percent(abs(a / b - 1))} {'more' if a > b else 'less'} than"


def listed(words: Sequence[str]) -> str:
    """Words as a list in a sentence.

    Examples
    --------
    >>> listed(["price", "power", "staff"])
    'price, power and staff'
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def capital(text: str) -> str:
    """The text with its first letter as a capital, the others as they are."""
    return text[:1].upper() + text[1:]


def owner_and_field(name: str) -> tuple[str, str]:
    """The name of an input taken apart: "H100: memory bandwidth" is ("H100", "memory bandwidth").

    Examples
    --------
    >>> owner_and_field("H100: memory bandwidth"), owner_and_field("routing imbalance")
    (('H100', 'memory bandwidth'), ('', 'routing imbalance'))
    """
    owner, colon, rest = name.partition(": ")
    if not colon:
        return "", name
    further, colon, field = rest.rpartition(": ")  # "NVIDIA Hopper: H100, H800: speed factor"
    return (f"{owner}: {further}" if colon else owner), field


def spoken(name: str) -> str:
    """The name of an input inside a sentence: "Ascend 910C: memory bandwidth" loses its colon."""
    owner, field = owner_and_field(name)
    return f"{owner}, {field}" if "," in owner or ":" in owner else f"{owner} {field}".strip()


def family_name(name: str) -> str:
    """A chip family or group as read in a chart: "ascend-910" becomes "Ascend 910"."""
    words = name.replace("-", " ")
    known = {"h20": "H20", "tpu": "TPU", "cdna3": "CDNA 3", "cdna4": "CDNA 4", "fp8": "FP8", "bf16": "BF16", "fp4": "FP4",
             "int8": "INT8", "all": "All rows", "moe": "MoE"}  # fmt: skip
    if words.lower() in known:
        return known[words.lower()]
    return words if any(c.isupper() for c in words) or (" " in words and "-" not in name) else capital(words)
