"""What a file leaves out, taken from one that ships: files from before a key existed stay valid."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from sim.profiles.fields import Record

R = TypeVar("R", bound=Record)
T = TypeVar("T")


def filled(record: R, keys: Iterable[str], shipped: Callable[[], R]) -> R:
    """The record with the keys that it leaves out as in the shipped one, which is read only then."""
    missing = [key for key in keys if getattr(record, key) is None]
    if not missing:
        return record
    source = shipped()
    return record.model_copy(update={key: getattr(source, key) for key in missing})


def given(value: T | None) -> T:
    """A value that was stated or filled in."""
    assert value is not None
    return value
