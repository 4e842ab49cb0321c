"""Policy questions for people and programs: tables in the terminal, JSON, the report."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem
from sim.report.policy_content import PolicyContent, Table
from sim.report.policy_report import policy_files, write_policy_report
from sim.study.policy.study import PolicyStudy, study_policy
from sim.study.policy.summary.content import policy_content
from sim.study.policy.summary.quarters import moved_tables, quarter_table
from sim.study.policy.summary.record import policy_record, results_table
from sim.study.policy.summary.results import DELIVERED
from sim.views.listing import Listing, print_listing
from sim.views.output import check_folder, json_text, plain

REPORTS = Path("reports")


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """What was typed."""

    verb: str
    a: str
    b: str | None = None
    draws: int | None = None
    seed: int | None = None
    accounts: tuple[str, ...] = ()
    as_of: str | None = None

    @property
    def command(self) -> str:
        """The line that gives the same answer."""
        options = [
            f"--{name} {value}"
            for name, value in (("draws", self.draws), ("seed", self.seed), ("as-of", self.as_of))
            if value is not None
        ]
        options += [f"--account {shlex.quote(each)}" for each in self.accounts]
        names = [shlex.quote(name) for name in (self.a, self.b) if name is not None]
        return " ".join([f"parity policy {self.verb}", *names, *options])

    @property
    def pinned(self) -> dict[str, str]:
        """Accounts to follow, by contested matter.

        Raises
        ------
        InputError
            When one is not of the form MATTER=ACCOUNT.
        """
        for each in self.accounts:
            if "=" not in each:
                message = f'--account {each}: read no "="; write for example --account ascend-output=kessler'
                raise InputError([Problem(message)])
        return dict(each.split("=", 1) for each in self.accounts)


def show_policy(
    catalogue: Catalogue,
    request: PolicyRequest,
    to: TextIO,
    *,
    as_json: bool = False,
    out: Path | None = None,
) -> None:
    """Answer, write the report, and print tables, or one JSON object.

    With ``--json`` files are written only where ``--out`` says so.

    Raises
    ------
    InputError, UnknownQuantityError
        When the question cannot be answered as it stands.
    OSError
        When a file cannot be written.
    """
    if out is not None:
        check_folder(out)
    study = study_policy(
        catalogue, request.a, request.b, request.draws, request.seed, request.pinned, as_of=request.as_of
    )
    content = policy_content(catalogue, study, request.command)
    record = plain(policy_record(study, content))
    directory = out or (None if as_json else REPORTS / _name(study, request))
    paths = []
    if directory is not None:
        files = policy_files(content, results_table(study), record)
        paths = write_policy_report(directory, content, files)
    if as_json:
        to.write(json_text(record))
        return
    for listing in policy_listings(study, content):
        print_listing(listing, to)
    for path in paths[:1]:
        print(f"PDF    {path}", file=to)
        print(
            f"tables {path.with_name('results.csv')} (.xlsx, .parquet, .json); pictures {path.parent}/figures/",
            file=to,
        )


def _name(study: PolicyStudy, request: PolicyRequest) -> str:
    own = study.a.question.scenario.id
    return own if request.b is None or study.b is None else f"{own}-against-{study.b.question.scenario.id}"


def policy_listings(study: PolicyStudy, content: PolicyContent) -> Iterator[Listing]:
    """What a terminal shows: answers, what moves them, the course by quarter, outcomes; the report has the rest."""
    yield Listing(content.title, ("",), [(sentence,) for sentence in content.answers], list(content.warnings))
    outcomes = [table for table in content.tables if table.title != DELIVERED]
    for table in (*moved_tables(study), quarter_table(study), *outcomes):
        yield _listing(table)


def _listing(table: Table) -> Listing:
    return Listing(table.title, table.columns, list(table.rows), [table.note] if table.note else [])


def list_policies(catalogue: Catalogue) -> Listing:
    """Every policy scenario with its question."""
    rows = []
    for id in catalogue.ids("policies"):
        found = catalogue.policy(id)
        rows.append(
            (
                id,
                found.question,
                found.against or "the baseline"
                if found.changes or found.rules or found.against
                else "nothing",
            )
        )
    return Listing("policy scenarios", ("id", "question", "compared with"), rows)
