"""Ask the ten questions and write down what comes out: docs/questions.md.

python docs/questions.py            # all of them, some minutes
python docs/questions.py 3 7        # the third and the seventh, the others stay as they are written
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

PAGE = Path(__file__).with_name("questions.md")
MOST = 34  # lines shown of each answer
QUESTIONS: tuple[tuple[str, str], ...] = (
    ("Classify a chip under every export rule in force on a date: the branch that fires, the margin to each threshold.",
     "parity rules classify ascend-910c --date 2026-11-01"),
    ("How many Ascend 910C or H100 do the same: for training, for serving within a latency, on paper? Side by side.",
     "parity equal ascend_20k_vs_h100_12k --draws 256"),
    ("What does a million tokens of a model cost on a chip in a region, block by block, with an interval?",
     "parity cost --model deepseek-v3 --workload chat --system cloudmatrix-384 --region china --draws 256"),
    ("What compute does a country obtain by pathway, per quarter, and which input binds?",
     "parity policy run china-baseline --draws 256"),
    ("What is the ratio of two countries under a scenario, and which assumption moves it most?",
     "parity policy run ratio-no-exports --draws 256"),
    ("What do a volume cap, a duty or a revenue share do to landed cost and volume?",
     "parity policy run h200-cap-and-duty --draws 256"),
    ("What does a grey-market premium do to cost per token, against domestic chips with cheaper power?",
     "parity cost grey_b200_vs_910c --draws 256"),
    ("When does HBM stop binding, under which path?",
     "parity policy run hbm-bottleneck --draws 256"),
    ("What changes at 20, 40, 60 % yield, or at 30 against 60 % utilisation?",
     "parity policy compare utilisation-60 utilisation-30 --draws 256"),
    ("Does the conclusion survive another metric: TPP, dense FP8, FP4, bandwidth, simulated tokens?",
     "parity equal grey_b200_vs_910c --draws 256"),
)  # fmt: skip
HEAD = """\
# Ten questions, one command each

What the commands print today, cut after {most} lines; `python docs/questions.py` writes this page. Reports go to `reports/`.
"""


def answer(command: str, folder: str) -> str:
    """What a command prints; what it writes goes to a folder that is thrown away."""
    words = [str(Path(sys.executable).with_name("parity")), *shlex.split(command)[1:]]
    if " policy " in command:
        words += ["--out", folder]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    lines = [line.rstrip() for line in done.stdout.replace(folder, "reports/...").splitlines()]
    cut = [*lines[:MOST], f"... {len(lines) - MOST} lines more"] if len(lines) > MOST else lines
    return "\n".join(cut).strip()


def sections() -> dict[int, str]:
    """What stands on the page, by number of the question."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    parts = re.split(r"^(?=## \d+\. )", text, flags=re.MULTILINE)[1:]
    return {int(part[3 : part.index(".")]): part.rstrip() + "\n" for part in parts}


def main() -> None:
    wanted = {int(word) for word in sys.argv[1:]} or set(range(1, len(QUESTIONS) + 1))
    found = sections()
    for number, (question, command) in enumerate(QUESTIONS, 1):
        if number in wanted:
            with TemporaryDirectory() as folder:
                found[number] = (
                    f"## {number}. {question}\n\n```\n$ {command}\n{answer(command, folder)}\n```\n"
                )
            print(number, command)
    body = "\n".join(found[number] for number in sorted(found))
    PAGE.write_text(f"{HEAD.format(most=MOST)}\n{body}", encoding="utf-8")


if __name__ == "__main__":
    main()
