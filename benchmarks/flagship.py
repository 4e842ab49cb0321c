"""Speed of the flagship from its file to PDF, part by part (budget: 60 s for 1,000 draws on two cores).

python benchmarks/flagship.py --repeat 3
python benchmarks/flagship.py --draws 200 --json flagship.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

BUDGET_S = 60.0
SCENARIO = "ascend_20k_vs_h100_12k"


Seconds = tuple[
    float, float
]  # by the clock, and of the processor: they differ where others share the machine


class Stopwatch:
    """Time between one call and the next, under the name given by the former."""

    def __init__(self) -> None:
        self.parts: dict[str, Seconds] = {}
        self._name = ""
        self._since = now()

    def __call__(self, name: str, _share: float = 0.0) -> None:
        passed = since(self._since)
        if self._name:
            self.parts[self._name] = added([self.parts.get(self._name, (0.0, 0.0)), passed])
        self._name, self._since = name, now()


def now() -> Seconds:
    return time.perf_counter(), time.process_time()


def since(begin: Seconds) -> Seconds:
    wall, cpu = now()
    return wall - begin[0], cpu - begin[1]


def added(times: Iterable[Seconds]) -> Seconds:
    walls, cpus = zip(*times, strict=True)
    return sum(walls), sum(cpus)


def once(scenario: str, draws: int | None) -> dict[str, Seconds]:
    """Time of every part of a run in this process."""
    from sim.profiles.catalogue import Catalogue
    from sim.report.outputs import write_report
    from sim.study.run import run_scenario

    watch = Stopwatch()
    found = run_scenario(Catalogue(), scenario, draws, progress=watch, workers=os.cpu_count() or 1)
    watch("writing the report")
    with tempfile.TemporaryDirectory() as folder:
        write_report(found.content, folder, found.summary, draws=found.draws)
    watch("end")
    return {name: seconds for name, seconds in watch.parts.items() if name != "done"}


def medians(runs: list[dict[str, Seconds]]) -> dict[str, Seconds]:
    """Part by part, then of the totals."""
    totals = [run | {"total": added(run.values())} for run in runs]
    return {
        name: (statistics.median(t[name][0] for t in totals), statistics.median(t[name][1] for t in totals))
        for name in totals[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", default=SCENARIO, help="id or file (default: the flagship)")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=1, help="runs, of which medians are shown")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the numbers as JSON; - for the terminal"
    )
    asked = parser.parse_args()

    begin = now()
    import sim.report.outputs
    import sim.study.run  # noqa: F401

    imports = since(begin)
    runs = [{"imports": imports} | once(asked.scenario, asked.draws) for _ in range(asked.repeat)]
    found = medians(runs)
    record = {
        "scenario": asked.scenario,
        "draws": asked.draws,
        "repeat": asked.repeat,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "wall_s": {name: round(wall, 3) for name, (wall, _) in found.items()},
        "cpu_s": {name: round(cpu, 3) for name, (_, cpu) in found.items()},
    }
    if asked.json is not None and str(asked.json) == "-":
        json.dump(record, sys.stdout, indent=2)
        print()
        return
    print(f"{asked.scenario}, {asked.draws:,} draws, median of {asked.repeat}, {record['cores']} cores")
    width = max(len(name) for name in found)
    print(f"{'':<{width}}    wall s     cpu s")
    for name, (wall, cpu) in found.items():
        print(f"{name:<{width}}  {wall:8.2f}  {cpu:8.2f}")
    print(f"budget {BUDGET_S:.0f} s: {'kept' if found['total'][0] <= BUDGET_S else 'missed'}")
    if asked.json is not None:
        asked.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
