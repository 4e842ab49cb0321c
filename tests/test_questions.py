"""The ten questions: each a command in the README with its answer, and everything it prints on a page."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("questions", ROOT / "docs" / "questions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["questions"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def test_every_question_has_its_command_and_its_answer(script: ModuleType) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = script.parts(readme.split(script.START)[1].split(script.END)[0], re.escape("**"))
    pages = script.parts(script.PAGE.read_text(encoding="utf-8"), "## ")
    assert list(listed) == list(pages) == list(range(1, 11))
    for number, question in enumerate(script.QUESTIONS, 1):
        for command in question.commands:
            assert f"`{command.removesuffix(' --draws 256')}`" in listed[number]
            assert f"$ {command}\n" in pages[number]
        said = [
            line.removeprefix("> ").strip() for line in listed[number].splitlines() if line.startswith("> ")
        ]
        assert said, number
        for line in said:
            assert line in pages[number] or line.startswith("Moved most by "), line
        assert "lines more" not in pages[number]  # nothing is cut


def test_every_yield_and_utilisation_that_is_asked_for_has_a_command(script: ModuleType) -> None:
    words = " ".join(script.QUESTIONS[8].commands)
    for case in ("yield-20", "yield-40", "yield-60", "utilisation-30", "utilisation-60"):
        assert case in words


def test_the_answer_of_a_question_by_hand(script: ModuleType) -> None:
    output = (
        "Ratio: 3 (2 to 4).\nOther words.\n\n# What moves it: ratio\nInput       10th percentile  90th percentile  "
        "Outcome at the 10th  at the 90th\nyield (CN)  20 %             60 %             2.1                  3.9\n"
    )
    asked = script.Question("?", ("parity x",), ("Ratio",), mover=True)
    assert script.answer(asked, output) == [
        "Ratio: 3 (2 to 4).",
        "Moved most by yield (CN): 2.1 at 20 %, 3.9 at 60 %.",
    ]
    with pytest.raises(ValueError, match="no line begins with Nothing"):
        script.answer(script.Question("?", ("parity x",), ("Nothing",)), output)
