"""A file that changes a few lines of another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sim.profiles.messages import InputError, Problem
from sim.profiles.tree import DEFAULTS, Place, Tree, read_tree

Finder = Callable[[str], Path | None]


def read_extended(path: Path, find: Finder | None = None, chain: tuple[Path, ...] = ()) -> Tree:
    """Tree of a file laid over the one it extends, and that one over the next.

    Parameters
    ----------
    path : Path
        The file.
    find : callable, optional
        Path of the file that has a given id. A path relative to the extending file is tried first.
    chain : tuple of Path
        Files that are being extended already.

    Raises
    ------
    InputError
        When a file cannot be read or found, or when the chain closes.
    """
    change = read_tree(path)
    extends = change.top.get("extends")
    if extends is None or not extends.content:
        return change
    base_path = _base_path(str(extends.content), path, find)
    if base_path is None:
        message = f'extends: no file "{extends.content}" beside this one, and no such id in the catalogue'
        raise InputError([Problem(message, extends.mark)])
    chain = (*chain, path.resolve())
    if base_path.resolve() in chain:
        circle = " -> ".join(each.name for each in (*chain[chain.index(base_path.resolve()) :], base_path))
        raise InputError([Problem(f"extends goes in a circle: {circle}", extends.mark)])
    base = read_extended(base_path, find, chain)
    # An id is a file's own name, and what it says of its numbers holds for them alone: neither is inherited.
    own = ("id", "extends", *DEFAULTS)
    inherited = {key: place for key, place in base.top.items() if key not in own}
    root = overlay(Place(inherited, base.root.key, base.root.mark), change.root)
    return Tree(root, (*change.files, *base.files), {**base.defaults, **change.defaults})


def _base_path(wanted: str, path: Path, find: Finder | None) -> Path | None:
    for candidate in (path.parent / wanted, path.parent / f"{wanted}.yaml"):
        if candidate.is_file():
            return candidate
    return find(wanted) if find else None


def overlay(base: Place, change: Place) -> Place:
    """One value laid over another; every part keeps the place it came from.

    Blocks merge key by key, and a key that is set to nothing is taken away. Lists whose entries all have an
    ``id`` merge by id, new entries last. Everything else is replaced, a quantity with a new ``value`` too: the
    range and the source of the old value say nothing about the new one.
    """
    new_quantity = isinstance(change.content, dict) and "value" in change.content
    if isinstance(base.content, dict) and isinstance(change.content, dict) and not new_quantity:
        return Place(_overlay_blocks(base.content, change.content), change.key, change.mark)
    if _has_ids(base) and _has_ids(change):
        old, new = _by_id(base), _by_id(change)
        return Place(list(_overlay_blocks(old, new).values()), change.key, change.mark)
    return change


def _overlay_blocks(base: dict[str, Place], change: dict[str, Place]) -> dict[str, Place]:
    merged = dict(base)
    for key, place in change.items():
        if place.content is None:
            merged.pop(key, None)
        else:
            merged[key] = overlay(base[key], place) if key in base else place
    return merged


def _has_ids(place: Place) -> bool:
    return isinstance(place.content, list) and all(each.child("id") for each in place.content)


def _by_id(place: Place) -> dict[str, Place]:
    assert isinstance(place.content, list)
    return {str(each.walk(("id",))[0].content): each for each in place.content}
