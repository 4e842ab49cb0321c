"""YAML text as a tree that remembers the place of every key and value."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sim.profiles.messages import InputError, Location, Mark, Problem, shown_path

Scalar: TypeAlias = str | int | float | bool | None
DEFAULTS = ("source", "kind", "as_of")  # keys at the top of a file that its numbers inherit


@dataclass(frozen=True, slots=True)
class Place:
    """A value of a file where it stands.

    Attributes
    ----------
    content : dict of Place, list of Place, or scalar
        What the file says.
    key : Mark
        Where its key, or its list entry, begins.
    mark : Mark
        Where the value itself begins; for a block, its key.
    """

    content: dict[str, Place] | list[Place] | Scalar
    key: Mark
    mark: Mark

    def plain(self) -> Any:
        """Content without the places."""
        if isinstance(self.content, dict):
            return {key: place.plain() for key, place in self.content.items()}
        if isinstance(self.content, list):
            return [place.plain() for place in self.content]
        return self.content

    def child(self, step: str | int) -> Place | None:
        """What stands under a key or an index, if anything does."""
        if isinstance(self.content, dict):
            return self.content.get(str(step))
        if isinstance(self.content, list) and isinstance(step, int) and 0 <= step < len(self.content):
            return self.content[step]
        return None

    def walk(self, location: Location) -> tuple[Place, Location]:
        """The deepest value on the way to a location, and the way to it.

        Steps that stand for nothing in the file are passed over: pydantic adds the tags of unions.
        """
        place, way = self, []
        for step in location:
            below = place.child(step)
            if below is not None:
                place = below
                way.append(step)
        return place, tuple(way)


@dataclass(frozen=True, slots=True)
class Tree:
    """A file as read.

    Attributes
    ----------
    root : Place
        The document.
    files : tuple of (Path, str)
        The files it is made of with their SHA-256, the one asked for first.
    defaults : mapping of Path to mapping of str to Place
        What each of these files says of every number in it that does not say itself: source, kind, date.
    """

    root: Place
    files: tuple[tuple[Path, str], ...]
    defaults: Mapping[Path, Mapping[str, Place]]

    @property
    def path(self) -> Path:
        """The file that was asked for."""
        return self.files[0][0]

    @property
    def top(self) -> Mapping[str, Place]:
        """Keys of the document."""
        assert isinstance(self.root.content, dict)
        return self.root.content

    def mark(self, location: Location) -> Mark:
        """Place of a value, or of the block that should hold it."""
        return self.root.walk(location)[0].mark


def read_tree(path: Path) -> Tree:
    """Tree of one YAML 1.2 file.

    Raises
    ------
    InputError
        When the file is missing, empty, no YAML, no block of keys, or repeats a key.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except FileNotFoundError:
        raise InputError([Problem(f"{shown_path(path)}: no such file")]) from None
    except UnicodeDecodeError:
        raise InputError([Problem("not a text in UTF-8; save it as UTF-8", Mark(path))]) from None
    except OSError as error:
        raise InputError([Problem(f"{shown_path(path)}: cannot be read ({error.strerror})")]) from None
    node = _compose(text, path)
    if node is None:
        raise InputError([Problem("the file is empty", Mark(path))])
    if not isinstance(node, MappingNode):
        raise InputError([Problem("the file holds no keys; start with `id:`", Mark(path))])
    reader = _Reader(path, [])
    root = reader.place(node, Mark(path))
    if reader.problems:
        raise InputError(reader.problems)
    assert isinstance(root.content, dict)
    defaults = {key: root.content[key] for key in DEFAULTS if key in root.content}
    return Tree(root, ((path, hashlib.sha256(content).hexdigest()),), {path: defaults})


def value_of(text: str, mark: Mark) -> Place:
    """A value as it would stand in a file, given on its own; all of it stands at ``mark``.

    Raises
    ------
    InputError
        When the text is no YAML value.

    Examples
    --------
    >>> value_of("{value: 3 TB/s, low: 2 TB/s}", Mark(Path("x.yaml"))).plain()
    {'value': '3 TB/s', 'low': '2 TB/s'}
    """
    node = _compose(text, mark.file)
    problems: list[Problem] = []
    place = Place(None, mark, mark) if node is None else _Reader(mark.file, problems).place(node, mark)
    if problems:
        raise InputError(problems)
    return _at(place, mark)


def _at(place: Place, mark: Mark) -> Place:
    content = place.content
    if isinstance(content, dict):
        content = {key: _at(below, mark) for key, below in content.items()}
    elif isinstance(content, list):
        content = [_at(below, mark) for below in content]
    return Place(content, mark, mark)


def _compose(text: str, path: Path) -> Node | None:
    # Composing stops short of building values: every node still knows its place, and numbers their text.
    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Mark(path, mark.line + 1, mark.column + 1) if mark else Mark(path)
        raise InputError(
            [Problem(f"YAML: {_syntax_hint(str(error.problem or error.context))}", place)]
        ) from None
    except YAMLError as error:
        raise InputError([Problem(f"YAML: {str(error).splitlines()[0]}", Mark(path))]) from None
    return node


def _syntax_hint(problem: str) -> str:
    if "\\t" in problem:
        return f"{problem}; indent with spaces, not with tabs"
    if "mapping values are not allowed" in problem:
        return f"{problem}; a text that holds a colon needs quotes, and keys of one block start in one column"
    if "<block end>" in problem or "could not find expected ':'" in problem:
        return f"{problem}; keys of one block start in one column and end in a colon"
    return problem


@dataclass(frozen=True, slots=True)
class _Reader:
    path: Path
    problems: list[Problem]

    def place(self, node: Node, key: Mark) -> Place:
        if isinstance(node, MappingNode):
            return Place(self._block(node), key, key)
        if isinstance(node, SequenceNode):
            return Place([self.place(each, self._mark(each)) for each in node.value], key, key)
        assert isinstance(node, ScalarNode)
        return Place(_scalar(node), key, self._mark(node))

    def _block(self, node: MappingNode) -> dict[str, Place]:
        result: dict[str, Place] = {}
        for key_node, value_node in node.value:
            key, mark = str(key_node.value), self._mark(key_node)
            if key in result:
                first = result[key].key.line
                self.problems.append(Problem(f'duplicate key "{key}", first in line {first}; keep one', mark))
            else:
                result[key] = self.place(value_node, mark)
        return result

    def _mark(self, node: Node) -> Mark:
        return Mark(self.path, node.start_mark.line + 1, node.start_mark.column + 1)


def _scalar(node: ScalarNode) -> Scalar:
    kind, text = str(node.tag).rsplit(":", 1)[-1], str(node.value)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        digits = text.replace("_", "")
        return int(digits, 0 if digits.lstrip("+-")[:2] in ("0x", "0o") else 10)
    if kind == "float":
        return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text  # dates stay text: YYYY-MM is no date to YAML, and all three forms must read alike
