"""Which points a sweep has: the values of its axes, in all combinations."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sim.profiles.changes import Change
from sim.profiles.messages import InputError, Problem

OPEN, CLOSE = "{[(", "}])"


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing that varies.

    Attributes
    ----------
    path : str
        As in :class:`sim.profiles.changes.Change`.
    texts : tuple of str
        Its values, as a file would say them.
    """

    path: str
    texts: tuple[str, ...]


Point = tuple[Change, ...]


def axis(text: str) -> Axis:
    """An axis as it is typed.

    Raises
    ------
    InputError
        When there is no ``=``, no value, or one value twice.

    Examples
    --------
    >>> axis("clusters.a.chips=10000, 20000").texts
    ('10000', '20000')
    >>> axis("chips/h100-sxm#price={value: 20000 USD, low: 15000 USD, high: 30000 USD},25000 USD").texts[1]
    '25000 USD'
    """
    path, equals, values = text.partition("=")
    texts = tuple(_split(values))
    example = "for example --vary clusters.a.chips=10000,20000"
    if not equals or not path.strip() or not texts:
        raise InputError([Problem(f'--vary {text}: read no "path=value,value"; {example}')])
    twice = [each for each in texts if texts.count(each) > 1]
    if twice:
        raise InputError([Problem(f"--vary {text}: {twice[0]} is given twice; keep one")])
    return Axis(path.strip(), texts)


def change(text: str) -> tuple[str, str]:
    """Path and value of one change as it is typed.

    Raises
    ------
    InputError
        When there is no ``=`` or nothing on one side of it.

    Examples
    --------
    >>> change("chips/h100-sxm#power.tdp=650 W")
    ('chips/h100-sxm#power.tdp', '650 W')
    """
    path, equals, value = (part.strip() for part in text.partition("="))
    if not (path and equals and value):
        raise InputError(
            [Problem(f'--set {text}: read no "path=value"; for example --set clusters.a.chips=10000')]
        )
    return path, value


def axes_of(vary: Mapping[str, Sequence[Any]]) -> tuple[Axis, ...]:
    """Axes from plain values, as a notebook gives them."""
    return tuple(Axis(path, tuple(str(value) for value in values)) for path, values in vary.items())


def points(axes: Sequence[Axis]) -> list[Point]:
    """All combinations, the last axis running fastest; one point without a change where there is no axis.

    Raises
    ------
    InputError
        When two axes vary the same thing.
    """
    paths = [each.path for each in axes]
    for path in paths:
        if paths.count(path) > 1:
            raise InputError([Problem(f"--vary {path}: given twice; put all values behind one =")])
    return [
        tuple(Change(path, text) for path, text in zip(paths, texts, strict=True))
        for texts in itertools.product(*(each.texts for each in axes))
    ]


def _split(text: str) -> list[str]:
    """Values between commas, save commas inside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in OPEN) - (character in CLOSE)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]
