"""Values put in the place of those of a file, for one run: what ``--vary`` gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sim.profiles.extends import overlay
from sim.profiles.messages import InputError, Mark, Problem
from sim.profiles.tree import Place, Tree, value_of


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One value of one file.

    Attributes
    ----------
    path : str
        ``clusters.a.chips`` in the scenario itself, ``chips/h100-sxm#memory.bandwidth`` in a file it uses. Entries of
        a list go by their id or name: ``jobs.chat-v3.workload``.
    text : str
        The new value as a file would say it: ``20000``, ``3.2 TB/s``, ``{value: 3.2 TB/s, low: 3 TB/s, high: 3.4 TB/s}``.

    Examples
    --------
    >>> change = Change("chips/h100-sxm#memory.bandwidth", "3.2 TB/s")
    >>> change.folder, change.id, change.steps
    ('chips', 'h100-sxm', ('memory', 'bandwidth'))
    """

    path: str
    text: str

    @property
    def folder(self) -> str:
        """Folder of the file; "" for the scenario."""
        return self.path.split("#")[0].partition("/")[0] if "#" in self.path else ""

    @property
    def id(self) -> str:
        """Id of the file; "" for the scenario."""
        return self.path.split("#")[0].partition("/")[2] if "#" in self.path else ""

    @property
    def steps(self) -> tuple[str, ...]:
        """Keys that lead to the value."""
        return tuple(self.path.rpartition("#")[2].split("."))

    def __str__(self) -> str:
        return f"{self.path}={self.text}"


def changed(tree: Tree, changes: Sequence[Change]) -> Tree:
    """A file with some values replaced; blocks that are missing on the way are made.

    Raises
    ------
    InputError
        When a value is no YAML, or its path leads through something that is no block.
    """
    root = tree.root
    for change in changes:
        root = _put(root, _joined(root, change.steps), change, tree)
    return replace(tree, root=root)


def _joined(root: Place, steps: tuple[str, ...]) -> tuple[str, ...]:
    """The steps, with neighbours put together where the file has a key with points in it (``llama-3.1-405b``)."""
    place: Place | None = root
    found: list[str] = []
    rest = list(steps)
    while rest:
        longest = len(rest)
        names = (".".join(rest[:n]) for n in range(longest, 0, -1))
        name = next((each for each in names if place is not None and _below(place, each)), rest[0])
        found.append(name)
        rest = rest[name.count(".") + 1 :]
        place = None if place is None else _below(place, name)
    return tuple(found)


def _below(place: Place, name: str) -> Place | None:
    if isinstance(place.content, list):
        return next((each for each in place.content if _named(each, name)), None)
    return place.child(name)


def _named(entry: Place, name: str) -> bool:
    return any(entry.walk((key,))[0].content == name for key in ("id", "name", "date") if entry.child(key))


def _put(place: Place, steps: tuple[str, ...], change: Change, tree: Tree) -> Place:
    if not steps:
        return overlay(place, value_of(change.text, Mark(tree.path, place.mark.line, place.mark.column)))
    name, rest = steps[0], steps[1:]
    below = _below(place, name)
    if isinstance(place.content, list):
        if below is None:
            names = [str(each.plain().get("id") or each.plain().get("name")) for each in place.content]
            raise _wrong(change, f'no entry "{name}"; there is {", ".join(names)}')
        entries = [_put(each, rest, change, tree) if each is below else each for each in place.content]
        return replace(place, content=entries)
    if not isinstance(place.content, dict):
        raise _wrong(change, f'"{place.content}" has nothing below it, so no "{name}"')
    fresh = Place({} if rest else None, place.mark, place.mark)
    return replace(place, content={**place.content, name: _put(below or fresh, rest, change, tree)})


def _wrong(change: Change, why: str) -> InputError:
    return InputError([Problem(f"{change}: {why}")])
