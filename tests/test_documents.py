"""The documents speak of what is there: links, paths and commands are looked up."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from sim.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("validation/*.md"),
        *ROOT.glob("benchmarks/*.md"),
    ]
)
LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"`([^`\n]+)`")
OURS = (
    "sim/",
    "docs/",
    "tests/",
    "scenarios/",
    "hardware_profiles/",
    "validation/",
    "benchmarks/",
    "reports/gallery/",
)
EXAMPLE = re.compile(r"my-|mine|<|NAME|\.\.\.")  # names that a reader is to put in the place of
COMMAND = re.compile(r"\bparity ((?:[a-z][a-z-]* ?)+)")


def _told(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    missing = [link for link in LINK.findall(_told(page)) if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_in_backticks_exists(page: Path) -> None:
    missing = [path for path in _paths(_told(page)) if not _there(path)]
    assert missing == []


def _paths(text: str) -> Iterator[str]:
    """Paths inside the repository that a page names in code marks, without line numbers and options."""
    for code in CODE.findall(text):
        for word in re.split(r"[\s,;=]+", code):
            if word.startswith(OURS) and not EXAMPLE.search(word):
                yield word.rstrip(":.").partition("#")[0]


def _there(path: str) -> bool:
    if "*" in path or "{" in path:
        plain = re.sub(r"\{[^}]*\}", "*", path)
        return any(True for _ in ROOT.glob(plain))
    return (ROOT / path).exists()


def test_every_command_that_a_page_names_is_there() -> None:
    known = {" ".join(words) for words in _commands(typer.main.get_command(app), ())}
    missing = {
        (page.name, words.strip())
        for page in PAGES
        for code in CODE.findall(_told(page))
        for words in COMMAND.findall(code)
        if words.split()[0] not in known
    }
    assert missing == set()


def _commands(command: object, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Names of all commands, groups included."""
    for name, each in getattr(command, "commands", {}).items():
        yield (*above, name)
        yield from _commands(each, (*above, name))


def test_every_room_of_the_house_is_on_the_map() -> None:
    """`docs/architecture.md` names every package of `sim`, and every module that stands beside them."""
    text = _told(ROOT / "docs" / "architecture.md")
    tracked = subprocess.run(
        ["git", "ls-files", "sim/*.py"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    if not tracked:
        pytest.skip("not a git checkout")
    rooms = {f"{Path(path).parent}/" for path in tracked} - {"sim/"}
    alone = {path for path in tracked if path.count("/") == 1 and not path.endswith("__init__.py")}
    assert {room for room in rooms | alone if f"`{room}`" not in text} == set()


def test_every_document_is_on_the_list_of_the_house() -> None:
    text = _told(ROOT / "docs" / "architecture.md") + _told(ROOT / "README.md")
    assert [page.name for page in (ROOT / "docs").iterdir() if page.name not in text] == []
