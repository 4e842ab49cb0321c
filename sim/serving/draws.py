"""Records whose numbers are arrays of draws: how many there are, and a few of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


def count_draws(*records: object) -> int:
    """Draws that the records carry: the common length of their one-dimensional arrays, 1 when all are
    scalars.

    Raises
    ------
    ValueError
        When two arrays have different lengths.
    """
    lengths = {array.shape[-1] for record in records for array in _arrays(record) if array.shape[-1] > 1}
    if len(lengths) > 1:
        raise ValueError(f"inputs carry different numbers of draws: {sorted(lengths)}")
    return lengths.pop() if lengths else 1


def take_draws(record: T, index: NDArray[np.int_]) -> T:
    """The same record with only the draws at ``index``."""
    return cast(T, _taken(record, index))


def _arrays(value: object) -> Iterator[NDArray[Any]]:
    if isinstance(value, np.ndarray) and value.ndim:
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _arrays(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _arrays(each)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _arrays(getattr(value, field.name))


def _taken(value: Any, index: NDArray[np.int_]) -> Any:
    if isinstance(value, np.ndarray) and value.ndim:
        return value[..., index] if value.shape[-1] > 1 else value
    if isinstance(value, Mapping):
        return {key: _taken(each, index) for key, each in value.items()}
    if isinstance(value, tuple):
        return tuple(_taken(each, index) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        changed = {}
        for field in fields(value):
            old = getattr(value, field.name)
            new = _taken(old, index)
            if new is not old:
                changed[field.name] = new
        return replace(value, **changed) if changed else value
    return value
