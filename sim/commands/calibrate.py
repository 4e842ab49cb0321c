"""``parity calibrate``: measure a chip and fit its curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sim.commands.common import Profiles, catalogue, group

app = group("Measure a chip and fit its curves.")


@app.command("kernels")
def calibrate_kernels(
    tables: Annotated[list[Path], typer.Argument(metavar="TABLE...", help="Measured kernels, CSV.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a kernel file with the fits.")
    ] = None,
    chip: Annotated[str, typer.Option(metavar="ID", help="Only the rows of this chip.")] = "",
    software: Annotated[str, typer.Option(metavar="TEXT", help="Only software whose name holds this.")] = "",
    base: Annotated[
        str,
        typer.Option(
            metavar="ID", help="Kernel file for what the tables do not show; the chip's own when left out."
        ),
    ] = "",
    title: Annotated[str, typer.Option(metavar="TEXT", help="Title of the source: who measured.")] = "",
    page: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write the fits as a page.")] = None,
    profiles: Profiles = None,
) -> None:
    """Fit efficiency curves and network tiers to measured kernels, and compare them with what ships."""
    from datetime import date

    from sim.calibrate.kernels import Request
    from sim.calibrate.kernels import calibrate_kernels as fit

    today = date.today().isoformat()
    request = Request(tuple(tables), chip, software, base, out, page, title, today)
    print("\n".join(fit(catalogue(profiles), request)))


@app.command("measure")
def calibrate_measure(
    out: Annotated[
        Path, typer.Option(metavar="TABLE.csv", help="Rows that are in it already are kept and skipped.")
    ],
    chip: Annotated[str, typer.Option(metavar="ID", help="Id of the chip in the catalogue.")] = "my-chip",
    device: Annotated[
        str, typer.Option(metavar="KIND", help="cuda, rocm, npu or cpu; the first there is when left out.")
    ] = "",
    quick: Annotated[bool, typer.Option("--quick", help="A few sizes only.")] = False,
    ranks: Annotated[
        int,
        typer.Option(min=0, help="Devices for collectives; all there are when left out.", show_default=False),
    ] = 0,
) -> None:
    """Measure the kernels of a device of this machine; may be stopped and continued at any time."""
    from datetime import date

    from sim.calibrate.measure.run import measure_device

    print("\n".join(measure_device(out, device, chip, quick, ranks, date.today().isoformat())))
