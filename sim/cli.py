"""The command ``parity``: reads what was typed, calls one function, prints what it gives."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

# Heavy packages are imported inside the commands: `parity --help` answers at once.
if TYPE_CHECKING:
    from sim.profiles.catalogue import Catalogue


class _PlainEnd(TyperGroup):
    """Mistakes of the user end in plain lines on stderr and exit code 2; ours end in the traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _end("interrupted", 130)
        except BrokenPipeError:  # the reader has seen enough
            sys.stderr.close()
            raise typer.Exit(0) from None
        except Exception as error:
            if not _is_mistake_of_user(error):
                raise
            _end(_line(error), 2)


def _is_mistake_of_user(error: Exception) -> bool:
    from sim.profiles.messages import InputError
    from sim.quantity import UnknownQuantityError

    return isinstance(error, InputError | UnknownQuantityError | OSError)


def _line(error: Exception) -> str:
    """What went wrong with a file, without the number that the system gives it."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}"
    return str(error)


def _end(message: str, code: int) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(code) from None


app = typer.Typer(
    name="parity",
    cls=_PlainEnd,
    help="How much of one AI chip is worth how much of another, for a real job, at what cost, how sure?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
profiles_app = typer.Typer(no_args_is_help=True, help="Chips, systems and the other input files.")
models_app = typer.Typer(no_args_is_help=True, help="Language models and what follows from their shape.")
app.add_typer(profiles_app, name="profiles")
app.add_typer(models_app, name="models")
calibrate_app = typer.Typer(no_args_is_help=True, help="Measure a chip and fit its curves.")
app.add_typer(calibrate_app, name="calibrate")

Profiles = Annotated[
    list[Path] | None,
    typer.Option("--profiles", metavar="DIR", help="Look for files here, too. May be given several times."),
]
Sources = Annotated[bool, typer.Option("--sources", help="Also print the sources and the notes.")]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"parity {version('chip-parity')}")
        raise typer.Exit


@app.callback()
def _start(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


# --- catalogue ---------------------------------------------------------------------------------------------


def _catalogue(profiles: list[Path] | None) -> Catalogue:
    from sim.profiles.catalogue import Catalogue

    return Catalogue(profiles or ())


@profiles_app.command("list")
def profiles_list(
    kinds: Annotated[
        list[str] | None,
        typer.Argument(help="chips, systems, kernels, workloads, regions, rentals, scenarios, models"),
    ] = None,
    profiles: Profiles = None,
) -> None:
    """List what there is: chips and systems, or the kinds you name."""
    from sim.catalogue_view import HARDWARE, known_kinds, list_files, print_listing

    for listing in list_files(_catalogue(profiles), known_kinds(kinds or HARDWARE)):
        print_listing(listing, sys.stdout)


@profiles_app.command("show")
def profiles_show(id: str, sources: Sources = False, profiles: Profiles = None) -> None:
    """Show every value of a file, with range, kind, date and source."""
    from sim.catalogue_view import print_listing, show

    for listing in show(_catalogue(profiles), id, sources):
        print_listing(listing, sys.stdout)


@profiles_app.command("check")
def profiles_check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Scenario files; all there is when left out.")
    ] = None,
    profiles: Profiles = None,
) -> None:
    """Check files and everything they refer to; exit code 2 when there is a mistake."""
    from sim.catalogue_view import check_files

    print(check_files(_catalogue(profiles), files or ()))


@models_app.command("list")
def models_list(profiles: Profiles = None) -> None:
    """List the models with their computed size."""
    from sim.catalogue_view import print_listing
    from sim.model_card import list_models

    print_listing(list_models(_catalogue(profiles)), sys.stdout)


@models_app.command("show")
def models_show(id: str, sources: Sources = False, profiles: Profiles = None) -> None:
    """Show a model: parameters, work per token and cache, all computed from its shape."""
    from sim.catalogue_view import print_listing
    from sim.model_card import show_model

    for listing in show_model(_catalogue(profiles), id, sources):
        print_listing(listing, sys.stdout)


# --- questions ---------------------------------------------------------------------------------------------


@app.command("run")
def run(
    scenario: Annotated[str, typer.Argument(help="Scenario file, or the id of a shipped one.")],
    draws: Annotated[
        int | None, typer.Option(min=1, help="Worlds to draw, instead of the scenario's own.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the draws, instead of the scenario's own.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where to write; reports/<id of the scenario> when left out."),
    ] = None,
    profiles: Profiles = None,
) -> None:
    """Answer the question of a scenario and write its report."""
    from sim.api import run_and_report

    for line in run_and_report(_catalogue(profiles), scenario, draws, seed, out):
        print(line)


class Kind(StrEnum):
    """What is validated."""

    training = "training"
    serving = "serving"


@app.command("validate")
def validate(
    kind: Kind,
    cases: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A table with the same columns, instead of the published one."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write the page and its charts there.")
    ] = None,
    profiles: Profiles = None,
) -> None:
    """Predict published measurements, and say how far off the predictions are."""
    from sim.validation_view import validate_and_show

    print(validate_and_show(kind.value, cases, profiles or (), json, out))


@app.command("layout")
def layout(
    model: Annotated[str, typer.Option(metavar="ID", help="Model to train.")],
    system: Annotated[str, typer.Option(metavar="ID", help="System to train it on.")],
    chips: Annotated[int, typer.Option(min=1, max=10_000_000, help="Chips there are.")],
    recipe: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Training recipe; a plain one for the kind of model when left out."),
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="best, bf16, fp8 or fp4, instead of the recipe's own.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=100, help="Layouts to show.")] = 8,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a step of the best layout for Perfetto.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write JSON, trace and timeline there.")
    ] = None,
    profiles: Profiles = None,
) -> None:
    """Find the best parallel layouts of a training job, and say what does not fit and why."""
    from sim.layout_view import LayoutRequest, show_layouts

    request = LayoutRequest(model, system, chips, recipe, precision, top)
    show_layouts(_catalogue(profiles), request, sys.stdout, as_json=json, out=out, trace=trace)


@app.command("capacity")
def capacity(
    scenario: Annotated[str, typer.Argument(help="Scenario file, or the id of a shipped one.")],
    job: Annotated[
        str | None, typer.Option(metavar="ID", help="Serving job of the scenario; the first when left out.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="a|b", help="Which of the two clusters; a when left out.")
    ] = None,
    demand: Annotated[
        str | None,
        typer.Option(
            metavar="RATE",
            help='Prompt and output tokens to serve, "140e12 token/day"; what the cluster can when left out.',
        ),
    ] = None,
    draws: Annotated[
        int | None, typer.Option(min=1, help="Worlds to draw, instead of the scenario's own.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the draws, instead of the scenario's own.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also write JSON, the frontier as table and picture there."),
    ] = None,
    profiles: Profiles = None,
) -> None:
    """Say how much a fleet serves within its promise, which units do it, and what a demand needs."""
    from sim.capacity_view import CapacityRequest, show_capacity

    request = CapacityRequest(scenario, job, cluster, demand, draws, seed)
    show_capacity(_catalogue(profiles), request, sys.stdout, as_json=json, out=out)


@app.command("schema")
def schema(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder that holds the data folders.")
    ] = Path(),
) -> None:
    """Write the JSON Schemas of the input files, for editors."""
    from sim.profiles.schemas import write_schemas

    changed = write_schemas(out)
    print("\n".join(f"wrote {path}" for path in changed) or "all schemas are up to date")


# --- calibration -------------------------------------------------------------------------------------------


@calibrate_app.command("kernels")
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
    print("\n".join(fit(_catalogue(profiles), request)))


@calibrate_app.command("measure")
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


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
