"""The quantities in a document, each under a name that holds for as long as its file does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from sim.profiles.fields import Document, Source
from sim.profiles.messages import Location
from sim.profiles.tree import DEFAULTS, Tree
from sim.quantity import Quantity

D = TypeVar("D", bound=Document)
_SILENT = {"source": "", "kind": "assumed", "as_of": ""}  # of a number whose file says nothing about it


def with_paths(document: D, folder: str, tree: Tree) -> D:
    """The same document with ``path`` set in every quantity, as in ``chips/h100-sxm#memory.bandwidth``.

    Entries of a list go by their name, id or date, so that adding one does not rename the others. What a file
    inherits from the one it extends keeps the name, source, kind and date it has there: it is the same number, and
    a draw gives it one value.
    """
    return cast(D, _Namer(folder, tree).named(document, (), ()))


def quantities(document: Document) -> dict[str, Quantity]:
    """Every quantity of a document by its path."""
    return {quantity.path: quantity for quantity in _leaves(document)}


def document_sources(document: Document) -> dict[str, Source | None]:
    """Where every quantity of a document comes from, by its path; None where the file names no source."""
    return {path: document.sources.get(leaf.source) for path, leaf in quantities(document).items()}


@dataclass(frozen=True, slots=True)
class _Namer:
    folder: str
    tree: Tree

    def named(self, value: Any, steps: Location, names: tuple[str, ...]) -> Any:
        """The value with its quantities named; ``steps`` lead to it in the file, ``names`` are what is said."""
        if isinstance(value, Quantity):
            return self._quantity(value, steps, names)
        if isinstance(value, BaseModel):
            parts = {name: getattr(value, name) for name in type(value).model_fields}
            new = {name: self.named(part, (*steps, name), (*names, name)) for name, part in parts.items()}
            return value.model_copy(update=new)
        if isinstance(value, dict):
            return {key: self.named(part, (*steps, key), (*names, key)) for key, part in value.items()}
        if isinstance(value, list):
            entries = enumerate(zip(_entry_names(value), value, strict=True))
            return [self.named(part, (*steps, index), (*names, name)) for index, (name, part) in entries]
        return value

    def _quantity(self, quantity: Quantity, steps: Location, names: tuple[str, ...]) -> Quantity:
        place, _ = self.tree.root.walk(steps)
        home = place.mark.file
        path = f"{self.folder}/{home.stem}#{'.'.join(names)}"
        if home == self.tree.path:
            return replace(quantity, path=path)
        said = self.tree.defaults[home]
        unsaid = [key for key in DEFAULTS if place.child(key) is None]
        inherited = {key: str(said[key].content) if key in said else _SILENT[key] for key in unsaid}
        return replace(quantity, path=path, **cast(Any, inherited))


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
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
