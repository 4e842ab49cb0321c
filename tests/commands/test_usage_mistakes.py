"""Mistyped commands: one plain line and exit code 2, whatever is wrong with the words."""

import math
from collections.abc import Iterator
from typing import get_args, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

from sim import cli
from sim.commands.usage import finite, usage_line

MISTAKES = (
    (("sweep", "x", "--workers", "0"), "--workers: "),
    (("run", "x", "--draws", "0"), "--draws: "),
    (("run", "x", "--draws", "many"), "--draws: "),
    (("run", "x", "--precision", "0"), "--precision: "),
    (("run", "x", "--precision", "nan"), "--precision: "),
    (("capacity", "x", "--precision", "nan"), "--precision: "),
    (("capacity", "x", "--precision", "0"), "--precision: "),
    (("cost", "x", "--session-requests", "inf"), "--session-requests: "),
    (("cost", "x", "--served-days", "inf"), "--served-days: "),
    (("cost", "x", "--served-days", "nan"), "--served-days: "),
    (("fleet", "x", "--load", "nan"), "--load: "),
    (("validate", "nonsense"), "kind: "),
    (("sweep", "x", "--wrkers", "2"), "No such option: --wrkers"),
    (("layout", "--model", "x"), "Missing option"),
    (("nonsense",), "No such command"),
    (("--nonsense",), "No such option"),
)


@pytest.mark.parametrize(("words", "start"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_one_plain_line(words: tuple[str, ...], start: str) -> None:
    done = CliRunner().invoke(cli.app, words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(start)
    assert done.stderr.count("\n") == 1
    assert not set("╭│╰") & set(done.stderr)


def test_a_group_alone_prints_its_help() -> None:
    assert "Usage: " in CliRunner().invoke(cli.app, ["rules"]).output


def _numbers(app: typer.Typer) -> Iterator[tuple[str, object]]:
    """Every option with a fraction of every command, with its callback."""
    for group in app.registered_groups:
        yield from _numbers(group.typer_instance)  # type: ignore[arg-type]
    for command in app.registered_commands:
        hints = get_type_hints(command.callback, include_extras=True)  # type: ignore[arg-type]
        for name, hint in hints.items():
            kind, *rest = get_args(hint) or (None,)
            if kind is float or float in get_args(kind):
                yield f"{command.name} {name}", rest[0].callback


EVERY = dict(_numbers(cli.app))


def test_there_are_such_options() -> None:
    assert {"fleet load", "cost served_days", "chip-hour activity", "run precision"} <= set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_every_number_has_to_be_finite(name: str) -> None:
    # No option may forget it: comparisons with NaN are false, so limits let it through.
    assert EVERY[name] is finite


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite(value: float) -> None:
    with pytest.raises(typer.BadParameter):
        finite(value)


def test_finite() -> None:
    assert (finite(None), finite(0.5)) == (None, 0.5)


def test_the_line_is_the_option_and_what_is_wrong() -> None:
    assert usage_line(typer.BadParameter("give one of two")) == "give one of two"
