"""The command ``parity``: reads what was typed, calls one function, prints what it gives."""

from __future__ import annotations

import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from sim.commands import calibrate, fleet, models, money, parity, policy, profiles, questions, rules, sweep
from sim.commands.usage import is_usage, usage_line


class _PlainEnd(TyperGroup):
    """Mistakes of the user end in plain lines on stderr and exit code 2; ours end in the traceback."""

    def make_context(self, *args: Any, **rest: Any) -> Any:
        try:
            return super().make_context(*args, **rest)
        except Exception as error:
            if not is_usage(error):
                raise
            _end(usage_line(error), 2)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _end("interrupted", 130)
        except BrokenPipeError:  # the reader has seen enough
            sys.stderr.close()
            raise typer.Exit(0) from None
        except Exception as error:
            if is_usage(error):
                _end(usage_line(error), 2)
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
app.add_typer(profiles.app, name="profiles")
app.add_typer(models.app, name="models")
app.add_typer(questions.app)
app.add_typer(parity.app)
app.add_typer(money.app)
app.add_typer(sweep.app)
app.add_typer(fleet.app)
app.add_typer(calibrate.app, name="calibrate")
app.add_typer(policy.app, name="policy")
app.add_typer(rules.app, name="rules")


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


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
