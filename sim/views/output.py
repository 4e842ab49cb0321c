"""What every view does with its answer: check the places, write the files, print tables or one JSON object."""

from __future__ import annotations

import csv
import io
import json
import math
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Generic, TextIO, TypeVar

from matplotlib.figure import Figure

from sim.profiles.messages import InputError, Problem, shown_path
from sim.report.document import standalone
from sim.report.figures import Chart, drawing
from sim.report.outputs import write_all
from sim.views.listing import Listing, print_lines, print_listing


@dataclass(frozen=True, slots=True)
class Wanted:
    """How an answer is to be shown.

    Attributes
    ----------
    as_json : bool
        One JSON object instead of tables.
    out : Path, optional
        Folder for the files of the answer; none are written when left out.
    """

    as_json: bool = False
    out: Path | None = None

    def check(self) -> None:
        """Refuse a folder that cannot be written to before the work, not after it."""
        if self.out is not None:
            check_folder(self.out)


Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class View(Generic[Answer]):
    """What can be shown of the answer of a command.

    Attributes
    ----------
    record : function
        The answer as JSON text.
    tables : function
        The answer as tables.
    files : function
        The files of the answer by name inside the folder.
    headline : function
        The answer in a few lines, and how it was obtained; they come first.
    """

    record: Callable[[Answer], str]
    tables: Callable[[Answer], Iterable[Listing]]
    files: Callable[[Answer], Mapping[str, bytes]]
    headline: Callable[[Answer], Iterable[str]] = lambda _: ()


def show(to: TextIO, wanted: Wanted, find: Callable[[], Answer], view: View[Answer]) -> Answer:
    """Answer a question, write the files that are wanted, and print tables, or one JSON object.

    Parameters
    ----------
    find : function
        Gives the answer; called once the folder is known to be one that can be written to.

    Raises
    ------
    InputError, UnknownQuantityError
        When the question cannot be answered as it stands.
    OSError
        When a file cannot be written.
    """
    wanted.check()
    answer = find()
    deliver(
        to, wanted, lambda: view.record(answer), view.tables(answer), lambda: view.files(answer),
        view.headline(answer),
    )  # fmt: skip
    return answer


def deliver(
    to: TextIO,
    wanted: Wanted,
    record: Callable[[], str],
    listings: Iterable[Listing],
    files: Callable[[], Mapping[str, bytes]] = dict,
    headline: Iterable[str] = (),
) -> None:
    """Write the files that are wanted, and print tables, or one JSON object.

    Parameters
    ----------
    headline : iterable of str
        Lines above the tables.
    record : function
        Gives the answer as JSON text.
    listings : iterable of Listing
        Read only where tables are printed.
    files : function
        Gives the files by name inside the folder; called only where there is one.

    Raises
    ------
    OSError
        When a file cannot be written.
    """
    written = [] if wanted.out is None else write_folder(wanted.out, files())
    if wanted.as_json:
        to.write(record())
        return
    print_lines(headline, to)
    for listing in listings:
        print_listing(listing, to)
    for path in written:
        print(f"wrote {path}", file=to)


def check_folder(out: Path, option: str = "--out") -> None:
    """Refuse a place that cannot be written to before the work, not after it: a file is written there and removed.

    Parameters
    ----------
    option : str
        Where the user named the place.

    Raises
    ------
    InputError
        When it is a file or below one, or nothing can be written in it.
    """
    nearest = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise InputError([Problem(f"{option} {out}: {shown_path(nearest)} is a file; name a folder")])
    missing = [path for path in (out.absolute(), *out.absolute().parents) if not path.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        why = (error.strerror or "error").lower()
        message = f"{option} {out}: nothing can be written there ({why}); name another folder"
        raise InputError([Problem(message)]) from None
    finally:
        with suppress(OSError):  # what was not made, or is in use by now
            for path in missing:
                path.rmdir()


def check_file(path: Path, option: str) -> None:
    """Refuse a file that cannot be written before the work, not after it.

    Raises
    ------
    InputError
        When it is a folder, or nothing can be written beside it.
    """
    if path.is_dir():
        raise InputError([Problem(f"{option} {path}: is a folder; name a file")])
    check_folder(path.parent, option)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files into a folder, all or nothing, and give their paths."""
    write_all(folder, files)
    return [folder / name for name in files]


def json_text(record: Any) -> str:
    """A record as a JSON file holds it; what has no finite value is null."""
    return json.dumps(plain(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """JSON has no infinity and no NaN: what has no finite value is null."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A table as a CSV file, one line feed per row on every system."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return stream.getvalue().encode()


def picture_files(name: str, draw: partial[Figure]) -> dict[str, bytes]:
    """A chart as PNG and SVG."""
    svg, png = standalone({name: drawing(Chart(name, draw))})[name]
    return {f"{name}.png": png, f"{name}.svg": svg}


def command_line(verb: str, request: Any, *named: str) -> str:
    """The line that gives the same answer.

    Parameters
    ----------
    request : dataclass
        What was typed, one field per option; fields at their default are left out.
    named : str
        Fields that are typed without the name of an option, first.
    """
    given = [each for each in fields(request) if getattr(request, each.name) != each.default]
    words = ["parity", verb]
    words += [shlex.quote(str(getattr(request, each.name))) for each in given if each.name in named]
    for each in given:
        if each.name not in named:
            words += [f"--{each.name.replace('_', '-')}", shlex.quote(str(getattr(request, each.name)))]
    return " ".join(words)
