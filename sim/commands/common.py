"""What the commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.commands.usage import finite

if TYPE_CHECKING:
    from sim.profiles.catalogue import Catalogue

Scenario = Annotated[str, typer.Argument(help="Scenario file, or the id of a shipped one.")]


def enough_draws(draws: int | None) -> int | None:
    """Refuse a number of draws from which no interval can be read.

    Raises
    ------
    InputError
        When there are fewer than ``LEAST_DRAWS``.
    """
    if draws is not None:
        from sim.profiles.messages import InputError, Problem
        from sim.profiles.scenario import LEAST_DRAWS

        if draws < LEAST_DRAWS:
            why = "are too few to read a 90 % interval from, of which 5 % lie beyond either end"
            raise InputError([Problem(f"--draws: {draws} worlds {why}; draw {LEAST_DRAWS} or more")])
    return draws


def draws_option(help: str) -> Any:
    """The option of a number of worlds."""
    return typer.Option("--draws", metavar="N", callback=enough_draws, help=help)


def number_option(*names: str, help: str, **rest: Any) -> Any:
    """The option of a number with or without a fraction, which has to be finite."""
    return typer.Option(*names, callback=finite, help=help, **rest)


Draws = Annotated[int | None, draws_option("Worlds to draw, instead of the scenario's own.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of the draws, instead of the scenario's own.")]
ServingJob = Annotated[
    str | None, typer.Option(metavar="ID", help="Serving job of the scenario; the first when left out.")
]
Cluster = Annotated[
    str | None, typer.Option(metavar="a|b", help="Which of the two clusters; a when left out.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Profiles = Annotated[
    list[Path] | None,
    typer.Option("--profiles", metavar="DIR", help="Look for files here, too. May be given several times."),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="DATE", help="Use no price later than this date: YYYY, YYYY-MM or YYYY-MM-DD."
    ),
]
Sources = Annotated[bool, typer.Option("--sources", help="Also print the sources and the notes.")]


def folder(help: str) -> Any:
    """The option of a place to write to."""
    return typer.Option(metavar="DIR", help=help)


def catalogue(profiles: list[Path] | None) -> Catalogue:
    """All files there are; those under ``profiles`` come first."""
    from sim.profiles.catalogue import Catalogue

    return Catalogue(profiles or ())


def group(text: str) -> typer.Typer:
    """A group of commands; alone it prints its help."""
    return typer.Typer(no_args_is_help=True, help=text)
