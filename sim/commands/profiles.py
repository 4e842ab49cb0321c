"""``parity profiles``: the input files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sim.commands.common import Profiles, Sources, catalogue, group

app = group("Chips, systems and the other input files.")


@app.command("list")
def profiles_list(
    kinds: Annotated[
        list[str] | None,
        typer.Argument(help="chips, systems, kernels, workloads, regions, rentals, scenarios, models"),
    ] = None,
    profiles: Profiles = None,
) -> None:
    """List what there is: chips and systems, or the kinds you name."""
    from sim.views.catalogue import HARDWARE, known_kinds, list_files
    from sim.views.listing import print_listing

    for listing in list_files(catalogue(profiles), known_kinds(kinds or HARDWARE)):
        print_listing(listing, sys.stdout)


@app.command("show")
def profiles_show(id: str, sources: Sources = False, profiles: Profiles = None) -> None:
    """Show every value of a file, with range, kind, date and source."""
    from sim.views.catalogue import show
    from sim.views.listing import print_listing

    for listing in show(catalogue(profiles), id, sources):
        print_listing(listing, sys.stdout)


@app.command("check")
def profiles_check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Scenario files; all there is when left out.")
    ] = None,
    profiles: Profiles = None,
) -> None:
    """Check files and everything they refer to; exit code 2 when there is a mistake."""
    from sim.views.catalogue import check_files

    print(check_files(catalogue(profiles), files or ()))
