"""What a person is told about a mistake in a file: one plain line, with the place to click on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin, get_type_hints

from sim.units import did_you_mean

if TYPE_CHECKING:
    from pydantic import BaseModel

Location = tuple[str | int, ...]
UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")  # of records and of plain dataclasses


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; line and column count from 1."""

    file: Path
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{shown_path(self.file)}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, and where it stands; without a place when no file is at fault."""

    message: str
    mark: Mark | None = None

    def __str__(self) -> str:
        return f"{self.mark}: {self.message}" if self.mark else self.message


class InputError(Exception):
    """What the user gave cannot be used; ``str`` is one line per mistake, in the order of the file.

    Examples
    --------
    >>> print(InputError([Problem("tdp: 700 needs a unit", Mark(Path("chips/x.yaml"), 9, 8))]))
    chips/x.yaml:9:8: tdp: 700 needs a unit
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=_order))
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)  # comes back whole from another process


def _order(problem: Problem) -> tuple[str, int, int]:
    mark = problem.mark
    return (str(mark.file), mark.line, mark.column) if mark else ("", 0, 0)


def shown_path(path: Path) -> str:
    """Path as a person reads it: relative to where they stand, if it is below."""
    absolute = Path(os.path.abspath(path))
    here = Path.cwd()
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else absolute).as_posix()


def unknown_id(what: str, wanted: str, known: Iterable[str]) -> str:
    """Message for an id that no file has, with the nearest ones.

    Examples
    --------
    >>> unknown_id("chip", "h100", ["h100-sxm", "h20"])
    'no chip "h100"; did you mean "h100-sxm" or "h20"?'
    """
    import difflib

    ids = sorted(known)
    holding = sorted((each for each in ids if wanted and (wanted in each or each in wanted)), key=len)
    near = list(dict.fromkeys([*holding, *difflib.get_close_matches(wanted, ids, n=3, cutoff=0.5)]))[:3]
    if near:
        return f'no {what} "{wanted}"; did you mean {" or ".join(_quoted(each) for each in near)}?'
    return f'no {what} "{wanted}"; there is {", ".join(ids) or "none yet"}'


def dotted(location: Location) -> str:
    """Location as people write it: ``tiers[1].bandwidth``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return text.removeprefix(".")


def describe(error: Mapping[str, Any], location: Location, model: type[BaseModel]) -> str:
    """Line for one pydantic error; ``location`` is the part of its place that exists in the file."""
    kind, context, raw, place = error["type"], error.get("ctx") or {}, error.get("input"), error["loc"]
    inside = dotted(location)
    if kind == "missing":
        return _missing(str(place[-1]), inside, fields_at(model, place[:-1]))
    if kind in UNKNOWN_KEY:
        return _unknown_key(str(place[-1]), dotted(location[:-1]), fields_at(model, place[:-1]))
    if place and place[-1] == "[key]":
        return f'"{location[-1]}" is no key of {dotted(location[:-1])}{_choice(str(location[-1]), context)}'
    message = _wrong_value(kind, context, raw, error["msg"])
    return f"{inside}: {message}" if inside else message


_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a block of keys",
    "model": "a block of keys",
    "dataclass": "a block of keys",
}


def _wrong_value(kind: str, context: Mapping[str, Any], raw: Any, message: str) -> str:
    if kind == "literal_error":
        return f'"{_plain(raw)}" is not allowed{_choice(str(raw), context)}'
    if kind == "union_tag_not_found":
        return f"missing key {context['discriminator']}".replace("'", '"')
    if kind == "union_tag_invalid":
        choice = _choice(str(context["tag"]), {"expected": context["expected_tags"]})
        return f'{context["discriminator"]} "{context["tag"]}" is not allowed{choice}'.replace("'", "")
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind == "string_pattern_mismatch":
        return f'read "{raw}", which is not {_pattern(str(context["pattern"]))}'
    if kind == "too_short":
        return f"needs at least {context['min_length']} entries, has {context['actual_length']}"
    family = kind.split("_")[0]
    if family in _EXPECTED and kind.endswith(("_type", "_parsing", "_from_float")):
        quotes = "; put it in quotes" if family == "string" and not isinstance(raw, list | dict) else ""
        return f"read {_plain(raw)}, where {_EXPECTED[family]} is expected{quotes}"
    if message.startswith("Input should be "):
        return f"read {_plain(raw)}, which should be {message.removeprefix('Input should be ')}"
    return message


def _pattern(pattern: str) -> str:
    if r"\d{4}" in pattern:
        return "a date; write YYYY, YYYY-MM or YYYY-MM-DD"
    return "an id; use lower-case letters, digits, hyphens, points, underscores"


def _choice(given: str, context: Mapping[str, Any]) -> str:
    options = re.findall(r"'([^']*)'", str(context.get("expected", "")))
    return f"; allowed: {', '.join(options)}{did_you_mean(given, options)}" if options else ""


def _missing(key: str, inside: str, fields: Mapping[str, str]) -> str:
    where, text = f" in {inside}" if inside else "", fields.get(key)
    return f'missing key "{key}"{where}' + (f": {text}" if text else "")


def _unknown_key(key: str, inside: str, fields: Mapping[str, str]) -> str:
    where = f" in {inside}" if inside else ""
    hint = did_you_mean(key, fields) or (f"; known keys: {', '.join(fields)}" if fields else "")
    return f'unknown key "{key}"{where}{hint}'


def fields_at(model: type, location: Location) -> dict[str, str]:
    """Names and descriptions of the fields of the record at a pydantic location, if any."""
    current: Any = model
    for step in location:
        current = _bare(_below(current, step))
    return _fields(current)


def _fields(record: Any) -> dict[str, str]:
    known = getattr(record, "model_fields", None)
    if known is not None:
        return {name: " ".join((each.description or "").split()) for name, each in known.items()}
    return dict.fromkeys(getattr(record, "__dataclass_fields__", {}), "")


def _below(current: Any, step: str | int) -> Any:
    """Type of what stands under a field, a key, an index, or under the tag of a union."""
    if step in _fields(current):
        return get_type_hints(current, include_extras=True)[str(step)]
    members = get_args(current)
    tagged = (each for each in members if _tag(each) == step)
    return next(tagged, next((each for each in reversed(members) if each is not Ellipsis), None))


def _tag(record: Any) -> Any:
    kind = getattr(record, "__dataclass_fields__", {}).get("kind")
    return kind.default if kind is not None else None


def _bare(annotation: Any) -> Any:
    """A type without what wraps it: Annotated, optional."""
    while get_origin(annotation) in (Annotated, Union, UnionType):
        members = [each for each in get_args(annotation) if each is not NoneType]
        if get_origin(annotation) is not Annotated and len(members) > 1:
            return annotation
        annotation = members[0]
    return annotation


def _plain(raw: Any) -> str:
    if raw is None:
        return "nothing"
    if isinstance(raw, bool):
        return str(raw).lower()
    if isinstance(raw, dict):
        return "a block of keys"
    return "a list" if isinstance(raw, list) else str(raw)


def _quoted(text: str) -> str:
    return f'"{text}"'
