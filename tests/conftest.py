"""Order of the suite: the longest files first, so that no worker is left alone with one at the end."""

from collections.abc import Iterable

import pytest

LONGEST = (
    "test_run.py",
    "test_sweep_run.py",
    "test_validation_record.py",
    "test_serving_rows.py",
    "test_notebook.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _rank(item.path.name, LONGEST))  # stable: the rest keeps its order


def _rank(name: str, first: Iterable[str]) -> int:
    ranks = {each: rank for rank, each in enumerate(first)}
    return ranks.get(name, len(ranks))
