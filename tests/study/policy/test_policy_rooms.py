"""Data go one way through the rooms of a policy study, in the order that docs/policy.md tells."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
POLICY = ROOT / "sim" / "study" / "policy"
ORDER = (
    "changes", "as_of", "rulings", "question", "worlds", "series", "resolve", "rates", "simulate", "outcomes", "headlines",
    "sensitivity", "marginal", "study", "solve", "summary", "validation",
)  # fmt: skip


def room(path: Path) -> str:
    return path.relative_to(POLICY).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Rooms of a policy study that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    head = "sim.study.policy."
    return {name.removeprefix(head).split(".")[0] for name in names if name.startswith(head)}


@pytest.mark.parametrize("path", sorted(POLICY.rglob("*.py")), ids=lambda path: path.stem)
def test_a_room_knows_only_those_before_it(path: Path) -> None:
    if path.name == "__init__.py":
        return
    place = ORDER.index(room(path))
    assert imported(path) <= set(ORDER[: place + 1])


def test_the_page_names_every_room() -> None:
    text = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    assert [name for name in ORDER if f"`{name}.py`" not in text and f"`{name}/`" not in text] == []
