"""Speed of the study layer: the flagship to PDF, 100,000 draws of one job, a sweep on one and on two Dask workers.

python benchmarks/study.py
python benchmarks/study.py --only draws dask --json study.json

Budgets on two cores: 60 s, 30 s, and 1.8 times as fast with two workers. Figures mean something on a machine that does
nothing else; the time of the processor stands beside that of the clock.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

SCENARIO = "ascend_20k_vs_h100_12k"
DRAWS = 100_000
BUDGETS = {"flagship": 60.0, "draws": 30.0, "dask": 1.8}
SWEEP = "clusters.a.chips=4096,8192,16384,20480"


def flagship() -> dict[str, float]:
    """The whole scenario at 1,000 draws, written as a report."""
    from flagship import added, once

    wall, cpu = added(once(SCENARIO, 1000).values())
    return {"wall_s": wall, "cpu_s": cpu}


def many_draws() -> dict[str, dict[str, float]]:
    """100,000 draws of one training and of one serving job, closed form, in this process and in two."""
    from sim.profiles.catalogue import Catalogue
    from sim.study.question import load_question
    from sim.study.sweep.block import Refused, blocks_for, compute, piece
    from sim.study.sweep.workers import workers

    question = load_question(Catalogue(), SCENARIO)
    order = [quantity.path for quantity in question.inputs]
    blocks = range(blocks_for(DRAWS))
    found = {}
    for job in (0, 2):
        work = piece(question, job, order, 1)
        wall = time.perf_counter()
        results = compute(work, blocks)
        one_s = time.perf_counter() - wall
        with workers(2, None) as crew:
            list(crew.executor.map(_warm, range(4)))
            wall = time.perf_counter()
            results += list(crew.executor.map(partial(_block, work), reversed(blocks)))
            two_s = time.perf_counter() - wall
        assert not any(isinstance(each, Refused) for each in results)
        found[question.tasks[job].label] = {"one_s": one_s, "two_s": two_s}
    return found


def _block(work: Any, block: int) -> Any:
    from sim.study.sweep.block import compute

    return compute(work, [block])[0]


def dask(repeat: int) -> dict[str, Any]:
    """The same sweep with an empty cache on one and on two local workers, in turn."""
    from distributed import LocalCluster

    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(repeat):
        for count in seconds:
            with LocalCluster(
                n_workers=count, threads_per_worker=1, dashboard_address=None, silence_logs=50
            ) as cluster:
                seconds[count].append(_sweep(cluster.scheduler_address))
    one, two = (statistics.median(seconds[count]) for count in (1, 2))
    return {"one_s": one, "two_s": two, "speed_up": one / two, "runs": seconds}


def _sweep(address: str) -> float:
    from sim.profiles.catalogue import Catalogue
    from sim.study.sweep.cache import Cache
    from sim.study.sweep.grid import axis
    from sim.study.sweep.run import plan_sweep, run_sweep
    from sim.study.sweep.workers import workers

    plan = plan_sweep(Catalogue(), SCENARIO, [axis(SWEEP)], 1024, 1)
    with tempfile.TemporaryDirectory() as folder, workers(1, address) as crew:
        # A worker imports the package with its first task: a warm-up that is not counted.
        list(crew.executor.map(_warm, range(2 * crew.size)))
        begin = time.perf_counter()
        assert not run_sweep(plan, Cache(Path(folder)), crew)
        return time.perf_counter() - begin


def _warm(_: int) -> str:
    import sim.study.sweep.block as block

    time.sleep(0.2)  # so that each worker gets one
    return block.code_version()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(BUDGETS), default=list(BUDGETS))
    parser.add_argument(
        "--repeat", type=int, default=3, help="runs of the Dask sweep, of which medians are shown"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers as JSON")
    asked = parser.parse_args()
    found: dict[str, Any] = {}
    if "flagship" in asked.only:
        found["flagship"] = flagship()
        print(f"flagship, 1,000 draws, to PDF: {found['flagship']['wall_s']:.1f} s wall, "
              f"{found['flagship']['cpu_s']:.1f} s processor (budget {BUDGETS['flagship']:.0f} s)")  # fmt: skip
    if "draws" in asked.only:
        found["draws"] = many_draws()
        for label, each in found["draws"].items():
            print(f"{DRAWS:,} draws, {label}: {each['one_s']:.1f} s in one process, {each['two_s']:.1f} s in two "
                  f"(budget {BUDGETS['draws']:.0f} s)")  # fmt: skip
    if "dask" in asked.only:
        found["dask"] = dask(asked.repeat)
        print("Dask: one worker {one_s:.1f} s, two {two_s:.1f} s, {speed_up:.2f} times".format(**found["dask"])
              + f" (budget {BUDGETS['dask']} times)")  # fmt: skip
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
