"""A policy study as the content of its report."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from sim.profiles.catalogue import Catalogue
from sim.quantity import WEAK_KINDS
from sim.report.content import RunIdentity
from sim.report.numbers import number
from sim.report.policy_content import Bar, PolicyContent, Tornado
from sim.study.policy.headlines import Headline
from sim.study.policy.sensitivity import Moved
from sim.study.policy.study import PolicyStudy
from sim.study.policy.summary.annex import annex_tables
from sim.study.policy.summary.courses import binding, fans, stacks
from sim.study.policy.summary.inputs import end_text, input_words, outcome_text
from sim.study.policy.summary.results import result_tables
from sim.study.policy.summary.words import lead_sentence, short_interval
from sim.study.summary.report import inputs_hash

NOT_MODELLED = (
    "How any government, firm or smuggler reacts to a rule; each pathway goes on as its series says.",
    "Quality of a model: a token counts as a token, a run as its compute.",
    "Prices that rise with scarcity, beyond the stated elasticity of demand for licensed chips.",
    "Tool makers, spare parts and materials behind wafers and HBM: their capacity is an input, not a result.",
    "Chips that stand idle or are hoarded, and the time it takes to make a cluster of scattered chips.",
    "Mixed clusters: one run uses one kind of chip; speed at the simulated cluster size is carried on to larger ones.",
)


def policy_content(catalogue: Catalogue, study: PolicyStudy, command: str) -> PolicyContent:
    """Everything the report says."""
    question = study.a.question
    files = catalogue.files_read
    identity = RunIdentity(
        version("chip-parity"),
        command,
        study.drawn.seed,
        study.drawn.draws,
        0,
        inputs_hash(files),
        files,
        question.scenario.id,
    )
    a, b = study.headline(study.lead)
    first, *rest = fans(study)
    return PolicyContent(
        title=question.scenario.question,
        scope=_scope(study),
        labels=(study.a.label, study.b.label if study.b else ""),
        answers=tuple(_answers(study, a, b)),
        big=tuple(_big(study)),
        not_modelled=NOT_MODELLED,
        warnings=tuple(dict.fromkeys((*study.a.result.rates.warnings, *_late(study))))[:4],
        decides=tuple(_decides(study, a)),
        lead=(first,),
        more=tuple(rest),
        stacks=stacks(study),
        binding=binding(study),
        tornados=tuple(_tornados(study, a)),
        tables=tuple(result_tables(study)),
        annex=tuple(annex_tables(catalogue, study)),
        identity=identity,
    )


def _late(study: PolicyStudy) -> Iterator[str]:
    question = study.a.question
    if question.late:
        names = ", ".join(question.late[:6]) + (" and others" if len(question.late) > 6 else "")
        yield f"Nothing was known by {question.as_of} of {names}: the first point of each is used all the same."


def _scope(study: PolicyStudy) -> str:
    question = study.a.question
    end = question.quarters / 4
    parts = [f"{question.own.supply.name}, {number(end, 2)} years from {question.start}"]
    if question.rival:
        parts.append(f"compared with {question.rival.supply.name}")
    if study.drawn.pinned:
        parts.append("account followed: " + ", ".join(study.drawn.pinned.values()))
    if question.as_of:
        parts.append(f"nothing of the policy files that became known after {question.as_of}")
    note = question.scenario.note.strip()
    return "; ".join(parts) + (f". {note}" if note else ".")


def _answers(study: PolicyStudy, a: Headline, b: Headline | None) -> Iterator[str]:
    label = study.b.label if study.b else ""
    yield lead_sentence(a, b, label)
    for other in _seconds(study):
        mine, theirs = study.headline(other)
        yield lead_sentence(mine, theirs, label)


def _seconds(study: PolicyStudy) -> list[str]:
    """Two further outcomes that belong to the leading one."""
    ids = [each.id for each in study.a.headlines]
    family = study.lead.split(":")[0]
    wanted = {
        "volume": ("landed:",),
        "over": ("over:", "cost:"),
        "stock": ("ratio:", "stock:"),
        "ratio": ("bought:", "ratio:"),
        "feasible": ("run-cost", "largest"),
        "served": ("met",),
        "hbm": ("stock:", "ratio:"),
    }.get(family, ())
    wanted = (*study.a.question.scenario.show.also, *wanted)
    found = [id for prefix in wanted for id in ids if id.startswith(prefix) and id != study.lead]
    return found[:2]


def _big(study: PolicyStudy) -> Iterator[tuple[str, str, str]]:
    shown = dict.fromkeys([study.lead, *_seconds(study), *(each.id for each in study.a.headlines)])
    for id in list(shown)[:4]:
        a, b = study.headline(id)
        median, spread = short_interval(a)
        unit = f", {a.unit}" if a.kind in ("amount", "money") else ""
        against = ""
        if b is not None:
            against = f" · other side {short_interval(b)[0]}"
        yield f"{a.name}{unit}", median, f"{spread}{against}"


def _decides(study: PolicyStudy, a: Headline) -> Iterator[str]:
    _, moved = study.moved
    for each in moved[:3]:
        name, owner = input_words(study, each)
        low, high = outcome_text(a, each.at_low), outcome_text(a, each.at_high)
        yield f"{name} ({owner}), from {end_text(study, each, 0)} to {end_text(study, each, 1)}: {low} to {high}."


def _tornados(study: PolicyStudy, a: Headline) -> Iterator[Tornado]:
    where = (
        "One input at its 10th (amber) and 90th percentile (blue), all others at their median. † weak source."
    )
    if study.moved[1]:
        yield _tornado(study, "tornado", f"What moves: {a.name}", where, study.moved, a.kind == "date")
    if study.moved_difference is not None and study.moved_difference[1]:
        words = "months" if a.kind == "date" else a.unit
        title = f"What moves the difference between the scenarios: {a.name} ({words})"
        yield _tornado(study, "tornado-difference", title, where, study.moved_difference, False)


def _tornado(
    study: PolicyStudy, name: str, title: str, subtitle: str, moved: tuple[float, list[Moved]], is_date: bool
) -> Tornado:
    bars = []
    for each in moved[1]:
        words, owner = input_words(study, each)
        group = next((g for g in study.drawn.groups if g.name == each.name), None)
        weak = group is None or any(member.kind in WEAK_KINDS for member in group.members)
        bars.append(
            Bar(
                words,
                owner,
                each.at_low,
                each.at_high,
                end_text(study, each, 0),
                end_text(study, each, 1),
                each.correlation,
                weak,
            )
        )
    return Tornado(name, title, subtitle, moved[0], tuple(bars), is_date)
