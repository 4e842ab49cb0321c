"""A policy study as the content of its report."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from sim.profiles.catalogue import Catalogue
from sim.quantity import WEAK_KINDS
from sim.report.content import RunIdentity
from sim.report.policy_content import Bar, PolicyContent, Tornado
from sim.study.policy.headlines import Headline
from sim.study.policy.sensitivity import Moved
from sim.study.policy.study import PolicyStudy
from sim.study.policy.summary.annex import annex_tables
from sim.study.policy.summary.courses import binding, fans, stacks
from sim.study.policy.summary.inputs import end_text, group_of, input_words, period_of
from sim.study.policy.summary.quarters import course_sentences
from sim.study.policy.summary.results import result_tables
from sim.study.policy.summary.words import (
    label,
    lead_sentence,
    outcome_text,
    shares,
    short_interval,
    shown_scale,
)
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
    parts = [f"{question.own.supply.name}, {end:g} years from {question.start}"]
    if question.rival:
        parts.append(f"compared with {question.rival.supply.name}")
    if study.drawn.pinned:
        parts.append("account followed: " + ", ".join(study.drawn.pinned.values()))
    if question.as_of:
        parts.append(f"nothing of the policy files that became known after {question.as_of}")
    note = question.scenario.note.strip()
    return "; ".join(parts) + (f". {note}" if note else ".")


def _answers(study: PolicyStudy, a: Headline, b: Headline | None) -> Iterator[str]:
    other_label = study.b.label if study.b else ""
    yield lead_sentence(a, b, other_label)
    for other in _seconds(study):
        mine, theirs = study.headline(other)
        yield lead_sentence(mine, theirs, other_label)
    if study.a.question.scenario.show.outcome in ("stock", "hbm"):
        yield from course_sentences(study)


def _seconds(study: PolicyStudy) -> list[str]:
    """Two further outcomes that belong to the leading one."""
    ids = [each.id for each in study.a.headlines]
    family = study.lead.split(":")[0]
    wanted = {
        "volume": ("landed:",),
        "over": ("cost:",),
        "stock": ("ratio:", "stock:"),
        "ratio": ("bought:", "ratio:"),
        "bought": ("ratio:", "bought:"),
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
        scale = shown_scale(a, b)
        median, spread = short_interval(a, scale)
        against = "" if b is None or study.b is None else f" · {study.b.label}: {short_interval(b, scale)[0]}"
        yield (
            label(a),
            f"{median} {scale[1]}".rstrip(),
            f"{(a.kind == 'date' and shares(a)) or spread}{against}",
        )


def _decides(study: PolicyStudy, a: Headline) -> Iterator[str]:
    _, moved = study.moved
    if not moved:
        yield "Nothing uncertain moves it: it follows from what the scenario sets."
    for each in moved[:3]:
        name, owner = input_words(study, each)
        ends = ((end_text(study, each, 0), each.at_low), (end_text(study, each, 1), each.at_high))
        gives = ", ".join(f"{text} gives {outcome_text(a, value)}" for text, value in ends)
        yield f"{name} ({owner}): {gives}."


def _tornados(study: PolicyStudy, a: Headline) -> Iterator[Tornado]:
    if study.moved[1]:
        counted = a.unit if a.kind in ("amount", "money") else ""
        title = f"What moves: {a.name}"
        yield _tornado(study, "tornado", title, counted, study.moved, a.kind == "date")
    if study.moved_difference is not None and study.moved_difference[1]:
        counted = "months" if a.kind == "date" else "" if a.kind == "ratio" else a.unit
        title = f"What moves the difference between the scenarios: {a.name}"
        yield _tornado(study, "tornado-difference", title, counted, study.moved_difference, False)


def _tornado(
    study: PolicyStudy, name: str, title: str, unit: str, moved: tuple[float, list[Moved]], is_date: bool
) -> Tornado:
    where = (
        "One input at its 10th (amber) and 90th percentile (blue), all others at their median. † weak source."
    )
    bars = []
    for each in moved[1]:
        words, owner = input_words(study, each)
        group = None if each.name.startswith("branch:") else group_of(study, each)
        weak = group is None or any(member.kind in WEAK_KINDS for member in group.members)
        below = ", ".join(part for part in (owner, "" if group is None else period_of(group)) if part)
        low, high = (end_text(study, each, end) for end in (0, 1))
        bars.append(Bar(words, below, each.at_low, each.at_high, low, high, each.correlation, weak))
    return Tornado(name, title, where, moved[0], tuple(bars), is_date, unit)
