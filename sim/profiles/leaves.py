"""The quantities in a document, each under a name that holds for as long as the file does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel

from sim.profiles.fields import Document, Source
from sim.quantity import Quantity

D = TypeVar("D", bound=Document)


def with_paths(document: D, folder: str) -> D:
    """The same document with ``path`` set in every quantity, as in ``chips/h100-sxm#memory.bandwidth``.

    Entries of a list go by their name, id or date, so that adding one does not rename the others.
    """
    named = _named(document, f"{folder}/{document.id}#")
    assert isinstance(named, type(document))
    return named


def quantities(document: Document) -> dict[str, Quantity]:
    """Every quantity of a document by its path."""
    return {quantity.path: quantity for quantity in _leaves(document)}


def document_sources(document: Document) -> dict[str, Source | None]:
    """Where every quantity of a document comes from, by its path; None where the file names no source."""
    return {path: document.sources.get(leaf.source) for path, leaf in quantities(document).items()}


def _named(value: Any, path: str) -> Any:
    if isinstance(value, Quantity):
        return replace(value, path=path)
    if isinstance(value, BaseModel):
        parts = {name: getattr(value, name) for name in type(value).model_fields}
        new = {name: _named(part, _join(path, name)) for name, part in parts.items()}
        changed = {name: part for name, part in new.items() if part is not parts[name]}
        return value.model_copy(update=changed) if changed else value
    if isinstance(value, dict):
        return {key: _named(part, _join(path, str(key))) for key, part in value.items()} if value else value
    if isinstance(value, list):
        names = _entry_names(value)
        return [_named(part, _join(path, name)) for name, part in zip(names, value, strict=True)]
    return value


def _join(path: str, step: str) -> str:
    return f"{path}{step}" if path.endswith("#") else f"{path}.{step}"


def _entry_names(entries: list[Any]) -> list[str]:
    names: list[str] = []
    for index, entry in enumerate(entries):
        found = (getattr(entry, key, None) for key in ("id", "name", "date"))
        name = next((str(each) for each in found if each), str(index))
        names.append(name if name not in names else f"{name}-{index}")
    return names


def _leaves(value: Any) -> Iterator[Quantity]:
    if isinstance(value, Quantity):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _leaves(getattr(value, name))
    elif isinstance(value, dict):
        for part in value.values():
            yield from _leaves(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _leaves(part)
