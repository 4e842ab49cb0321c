"""A file as read becomes a checked, frozen document, and every mistake in it one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from sim.profiles.fields import Document
from sim.profiles.messages import UNKNOWN_KEY, InputError, Location, Mark, Problem, describe, dotted
from sim.profiles.tree import Place, Tree
from sim.quantity import KINDS
from sim.units import did_you_mean

D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[D]):
    """A checked document, and the tree it came from for later messages about it."""

    document: D
    tree: Tree


def check(tree: Tree, model: type[D]) -> D:
    """The document that a tree must be.

    Parameters
    ----------
    tree : Tree
        As read, with what it extends.
    model : type of Document
        Shape and units it must have. Its id must be the name of its file, and names in a list must differ.

    Raises
    ------
    InputError
        With one line per mistake.
    """
    problems = list(_repeated_names(tree.root, ()))
    data = tree.root.plain()
    try:
        document = model.model_validate(data, context=_context(data))
    except ValidationError as error:
        raise InputError([*problems, *_translated(error, tree, model)]) from None
    if document.id != tree.path.stem:
        message = f'id: "{document.id}" differs from the file name "{tree.path.name}"; rename one of them'
        problems.append(Problem(message, tree.mark(("id",))))
    if problems:
        raise InputError(problems)
    return document


def _context(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a number inherits from the top of its file."""
    sources, kind = data.get("sources"), data.get("kind")
    return {
        "sources": tuple(sources) if isinstance(sources, Mapping) else (),
        "default_source": data.get("source") or "",
        "default_kind": kind if kind in KINDS else "assumed",
        "default_as_of": data.get("as_of") or "",
    }


def _translated(error: ValidationError, tree: Tree, model: type[D]) -> Iterator[Problem]:
    errors = error.errors(include_url=False)
    strange = [each["loc"] for each in errors if each["type"] in UNKNOWN_KEY]
    told: set[Location] = set()
    for each in errors:
        place, location = tree.root.walk(each["loc"])
        about_keys = each["type"] in ("missing", *UNKNOWN_KEY)
        misspelt = each["type"] == "missing" and any(_is_typo_of(loc, each["loc"]) for loc in strange)
        if misspelt or (location in told and not about_keys):  # a union complains once per member
            continue
        yield Problem(describe(each, location, model), _mark(each, place, about_keys))
        if not about_keys:
            told.add(location)


def _is_typo_of(strange: Location, missing: Location) -> bool:
    """One mistake, one line: the unknown key beside it is the missing one."""
    return strange[:-1] == missing[:-1] and bool(did_you_mean(str(strange[-1]), [str(missing[-1])]))


def _mark(error: Any, place: Place, about_keys: bool) -> Mark:
    part = place.child((error.get("ctx") or {}).get("part", ""))
    if part is not None:
        return part.mark
    return place.key if about_keys or error["loc"][-1:] == ("[key]",) else place.mark


def _repeated_names(place: Place, at: Location) -> Iterator[Problem]:
    """Two entries of one list may not share an id or a name: nobody could tell them apart."""
    if isinstance(place.content, dict):
        for key, below in place.content.items():
            yield from _repeated_names(below, (*at, key))
    elif isinstance(place.content, list):
        first: dict[tuple[str, str], Mark] = {}
        for index, entry in enumerate(place.content):
            yield from _repeated_names(entry, (*at, index))
            for key in ("id", "name"):
                own = entry.child(key)
                if own is None:
                    continue
                before = first.setdefault((key, str(own.content)), own.mark)
                if before is not own.mark:
                    where = dotted((*at, index, key))
                    message = f'{where}: "{own.content}" is used twice, first in line {before.line}'
                    yield Problem(message, own.mark)
