"""What a policy report rests on: changes, allegations, inputs, sources."""

from __future__ import annotations

from collections.abc import Iterator

from sim.profiles.catalogue import Catalogue
from sim.profiles.fields import Source
from sim.profiles.leaves import document_sources
from sim.profiles.supply import Supply
from sim.profiles.supply_changes import Change
from sim.profiles.supply_scenario import PolicyScenario
from sim.quantity import WEAK_KINDS
from sim.report.policy_content import Table
from sim.study.policy.question import PolicyQuestion
from sim.study.policy.study import PolicyStudy
from sim.study.policy.summary.inputs import (
    group_of,
    input_words,
    period_of,
    range_of,
    series_words,
    value_at,
)
from sim.study.policy.summary.rules import rules_table, switch_rows
from sim.study.policy.summary.words import capital, outcome_text


def annex_tables(catalogue: Catalogue, study: PolicyStudy) -> Iterator[Table]:
    """Changes, rules, allegations, inputs that matter, sources."""
    for side in (study.a, study.b):
        asked = None if side is None or side.label == "without these changes" else side.question.scenario
        if side is not None and asked is not None and (asked.changes or asked.losses or asked.rules):
            yield _change_table(catalogue, side.question, side.label)
    rules = rules_table(catalogue, study.a.question)
    if rules is not None:
        yield rules
    yield _allegation_table(study.a.question)
    yield _input_table(study)
    yield _file_table(study)


def _change_table(catalogue: Catalogue, question: PolicyQuestion, label: str) -> Table:
    sources = question.scenario.sources
    rows = list(switch_rows(catalogue, question.scenario.rules))
    for change in question.scenario.changes:
        source = sources.get(change.source)
        supply = (
            question.own.supply if change.country == "own" or not question.rival else question.rival.supply
        )
        series = [change.series] if isinstance(change.series, str) else change.series
        names = "; ".join(capital(series_words(name, supply)) for name in series)
        says = source.title if source else "supposition of this scenario"
        if change.alleged_by:
            says += f"; alleged by {change.alleged_by}"
        period = change.date + (f" to {change.until}" if change.until else "")
        rows.append((period, names, _value(change), change.note, says))
    for loss in question.scenario.losses:
        share = value_at(loss.share, 0.5)
        rows.append(
            (loss.date, loss.of, f"sudden loss of {share}", loss.note, "supposition of this scenario")
        )
    return Table(
        f"Changes: {label}",
        "",
        ("Date", "What", "Change", "Meaning", "Source"),
        tuple(rows),
        (0.7, 1.2, 1.6, 1.2, 1.4),
        left=True,
    )


def _value(change: Change) -> str:
    for word, quantity in (("to", change.set), ("times", change.times), ("plus", change.plus)):
        if quantity is not None:
            text = value_at(quantity, 0.5)
            return f"{word} {text} ({range_of(quantity)})" if quantity.is_uncertain else f"{word} {text}"
    return ""


def _allegation_table(question: PolicyQuestion) -> Table:
    rows = []
    documents: list[PolicyScenario | Supply] = [
        question.scenario,
        *(each.supply for each in question.countries),
    ]
    for document in documents:
        for each in document.allegations:
            source = document.sources.get(each.source)
            rows.append((each.claim, each.by, str(each.date), source.title if source else ""))
    note = "Claims that bear on the subject and are no established facts; who makes them."
    return Table(
        "Alleged", note, ("Claim", "By", "Date", "Source"), tuple(rows), (2, 1.5, 0.6, 1.5), left=True
    )


def _input_table(study: PolicyStudy) -> Table:
    """Inputs that move the leading outcome, with what they rest on."""
    sources: dict[str, Source | None] = {}
    for side in (study.a, study.b):
        if side is not None:
            for document in side.question.documents:
                sources |= document_sources(document)
    rows = []
    a, _ = study.headline(study.lead)
    for each in study.moved[1]:
        if each.name.startswith("branch:"):
            continue
        group = group_of(study, each)
        member = group.members[-1]
        source = sources.get(member.path)
        name, owner = input_words(study, each)
        weak = "†" if member.kind in WEAK_KINDS else ""
        moves = f"{outcome_text(a, each.at_low)} to {outcome_text(a, each.at_high)}"
        title = source.title if source else "own assumption"
        if member.kind == "assumed" and member.note:
            title = f"own assumption: {member.note}"
        value = f"{value_at(member, 0.5)} {period_of(group)}".rstrip()
        head = f"{capital(name)}{weak} ({owner})"
        rows.append((head, value, range_of(member), member.kind, title, member.as_of, moves))
    note = (
        "Inputs that move the leading outcome most, largest first; for a series its last uncertain point. Ranges: 5th to "
        "95th percentile. † analyst, press, arithmetic or assumption. Notes on every number stand in the supply file."
    )
    columns = ("Input", "Value", "Range", "Kind", "Source", "As of", "Moves it from, to")
    return Table("Sources", note, columns, tuple(rows), (1.6, 1.1, 1.1, 0.6, 1.7, 0.6, 1), left=True)


def _file_table(study: PolicyStudy) -> Table:
    """Sources of the policy files, for a reader who wants to check a number."""
    rows: list[tuple[str, str, str]] = []
    for document in (study.a.question.scenario, *(c.supply for c in study.a.question.countries)):
        for source in document.sources.values():
            rows.append((source.title, str(source.date or ""), source.url))
    return Table(
        "Sources of the policy files",
        "",
        ("Title", "Date", "Address"),
        tuple(dict.fromkeys(rows)),
        (1.6, 0.4, 1.6),
        left=True,
    )
