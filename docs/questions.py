"""Ask the ten questions; write what comes out to docs/questions.md and the answers to the list in README.md.

python docs/questions.py            # all of them, some minutes
python docs/questions.py 3 7        # the third and the seventh, the others stay as they are written
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

PAGE = Path(__file__).with_name("questions.md")
README = Path(__file__).parents[1] / "README.md"
START, END = "<!-- ten questions: written by docs/questions.py -->\n", "<!-- end of the ten questions -->\n"
MOVES = "# What moves it: "


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes
    ----------
    commands : tuple of str
        What is typed; each gives its part of the answer.
    answer : tuple of str
        How the lines of the answer begin in what is printed.
    mover : bool
        Whether what moves the result most is part of the answer.
    """

    text: str
    commands: tuple[str, ...]
    answer: tuple[str, ...]
    mover: bool = False


QUESTIONS = (
    Question(
        "What does every export rule in force on a date say of a chip, by which branch, how far from each threshold?",
        ("parity rules classify ascend-910c --date 2026-11-01",),
        ("# Barred", "# Licence", "# On conditions", "# Not decidable"),
    ),
    Question(
        "How many H100 equal 20,000 Ascend 910C: for training, for serving within a latency, on paper, side by side?",
        ("parity equal ascend_20k_vs_h100_12k --draws 256",),
        ("20,000 Ascend 910C do the work", "20,000 Ascend 910C equal", "Undecided"),
    ),
    Question(
        "What does a million tokens of a model cost on a chip in a region, block by block, with an interval?",
        (
            "parity cost --model deepseek-v3 --workload chat --system cloudmatrix-384 --region china --draws 256",
        ),
        ("Chat, fast mode",),
    ),
    Question(
        "What compute does a country obtain by pathway and quarter, and which input binds?",
        ("parity policy run china-baseline --draws 256",),
        ("Compute at work", "By pathway", "Scarce for Huawei"),
    ),
    Question(
        "What is the ratio of two countries under a scenario, and which assumption moves it most?",
        ("parity policy run ratio-no-exports --draws 256",),
        ("United States over China, compute delivered",),
        mover=True,
    ),
    Question(
        "What do a volume cap, a duty or a revenue share do to landed cost and volume?",
        ("parity policy run h200-cap-and-duty --draws 256",),
        ("NVIDIA H200 that pass", "NVIDIA H200: landed cost"),
    ),
    Question(
        "What does a grey-market premium do to cost per token, against domestic chips with cheaper power?",
        ("parity cost grey_b200_vs_910c --draws 256",),
        ("Chat on V3", "Coding agents on V4-Pro"),
    ),
    Question(
        "When does HBM stop binding, under which path?",
        ("parity policy run hbm-bottleneck --draws 256",),
        ("HBM stops",),
    ),
    Question(
        "What changes at 20, 40 or 60 % yield, at 30 or 60 % utilisation?",
        (
            "parity policy compare yield-40 yield-20 --draws 256",
            "parity policy compare yield-60 yield-20 --draws 256",
            "parity policy compare utilisation-60 utilisation-30 --draws 256",
        ),
        ("Compute at work", "DeepSeek-V3 tokens served"),
    ),
    Question(
        "Does the conclusion survive another metric: TPP, dense FP8, FP4, bandwidth, simulated tokens?",
        ("parity equal grey_b200_vs_910c --draws 256",),
        ("19,968 Ascend 910C", "Undecided"),
    ),
)
HEAD = """\
# Ten questions, one command each

What the commands print today, whole; `python docs/questions.py` writes this page and the answers in the README. Reports go
to `reports/`.
"""


def printed(command: str) -> str:
    """What a command prints; what it writes goes to a folder that is thrown away."""
    words = [str(Path(sys.executable).with_name("parity")), *shlex.split(command)[1:]]
    with TemporaryDirectory() as folder:
        if " policy " in command:
            words += ["--out", folder]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return "\n".join(
            line.rstrip() for line in done.stdout.replace(folder, "reports/...").splitlines()
        ).strip()


def answer(question: Question, output: str) -> list[str]:
    """Lines of an output that answer the question.

    Raises
    ------
    ValueError
        When there is none: the words of the command have changed.
    """
    head, *_ = re.split(r"^# What moves|^# Outcomes", output, flags=re.MULTILINE)
    lines = [line.removeprefix("# ") for line in head.splitlines() if line.startswith(question.answer)]
    lines += _mover(output) if question.mover else []
    if not lines:
        raise ValueError(f"{question.commands[0]}: no line begins with {' or '.join(question.answer)}")
    return lines


def _mover(output: str) -> list[str]:
    """The first row of the table of what moves the result."""
    lines = output.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith(MOVES))
    name, low, high, at_low, at_high = re.split(r"\s{2,}", lines[start + 2].strip())
    return [f"Moved most by {name}: {at_low} at {low}, {at_high} at {high}."]


def section(number: int, question: Question, outputs: list[str]) -> str:
    """The question on the page, with everything that is printed."""
    blocks = zip(question.commands, outputs, strict=True)
    body = "\n\n".join(f"```\n$ {command}\n{output}\n```" for command, output in blocks)
    return f"## {number}. {question.text}\n\n{body}\n"


def entry(number: int, question: Question, outputs: list[str]) -> str:
    """The question in the README, with its answer."""
    commands = ", ".join(f"`{command.removesuffix(' --draws 256')}`" for command in question.commands)
    lines = [line for output in outputs for line in answer(question, output)]
    return f"**{number}. {question.text}** {commands}\n\n" + "".join(f"> {line}  \n" for line in lines)


def parts(text: str, start: str) -> dict[int, str]:
    """What is written already, by number of the question."""
    found = re.split(rf"^(?={start}\d+\. )", text, flags=re.MULTILINE)[1:]
    return {int(re.search(r"\d+", part)[0]): part.rstrip() + "\n" for part in found}  # type: ignore[index]


def main() -> None:
    wanted = {int(word) for word in sys.argv[1:]} or set(range(1, len(QUESTIONS) + 1))
    asked = {}
    for number in sorted(wanted):
        asked[number] = [printed(command) for command in QUESTIONS[number - 1].commands]
        print(number, *QUESTIONS[number - 1].commands, flush=True)
    write(asked)


def write(asked: dict[int, list[str]]) -> None:
    """Put the outputs into the page, and the answers into the README; the other questions stay as they are."""
    sections = parts(PAGE.read_text(encoding="utf-8"), "## ") if PAGE.exists() else {}
    before, rest = README.read_text(encoding="utf-8").split(START)
    listed, after = rest.split(END)
    entries = parts(listed, re.escape("**"))
    for number, outputs in asked.items():
        sections[number] = section(number, QUESTIONS[number - 1], outputs)
        entries[number] = entry(number, QUESTIONS[number - 1], outputs)
    PAGE.write_text(f"{HEAD}\n" + "\n".join(sections[n] for n in sorted(sections)), encoding="utf-8")
    listing = "\n".join(entries[n] for n in sorted(entries))
    README.write_text(f"{before}{START}\n{listing}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
