"""Speed of the layout search: all legal layouts of DeepSeek-V3 on 16,384 chips, on one core.

Budgets: 5 s for the whole search, 100,000 layouts per second and core after the legality filter.

python benchmarks/layout_search.py --repeat 9
python benchmarks/layout_search.py --system gb200-nvl72 --json search.json
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sim.layout.enumerate import enumerate_layouts
from sim.layout.layouts import Layouts
from sim.profiles.catalogue import Catalogue
from sim.study.layout_study import Setting, load_layout_question, resolve_setting
from sim.training.fit import training_memory
from sim.training.search import BLOCK, model_shape, search
from sim.training.step import step_time

BUDGET_S, BUDGET_RATE = 5.0, 100_000.0


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Time of some work by the clock and of the processor [s]."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def judge(setting: Setting, layouts: Layouts) -> None:
    """Memory and time of every layout, whether it fits or not."""
    training_memory(setting.job, layouts)
    for start in range(0, len(layouts), BLOCK):
        rows = layouts.select(slice(start, start + BLOCK))
        step_time(setting.job, setting.chip, setting.network, rows)


def measure(model: str, system: str, chips: int, repeat: int) -> dict[str, object]:
    """Medians over repeats of the whole search, and of memory and time for all legal layouts."""
    question = load_layout_question(Catalogue(), model, system, chips)
    setting, server = resolve_setting(question), question.system.chips_per_server
    job, chip, network = setting.job, setting.chip, setting.network
    domain = min(network.scale_up.size, server)
    legal = enumerate_layouts(model_shape(job.architecture, job), chips, domain).layouts
    found = search(job, chip, network, chips, chips_per_server=server)
    whole = [
        seconds(lambda: search(job, chip, network, chips, chips_per_server=server)) for _ in range(repeat)
    ]
    judged = [seconds(lambda: judge(setting, legal)) for _ in range(repeat)]
    search_s, search_cpu_s = (statistics.median(column) for column in zip(*whole, strict=True))
    judge_s, judge_cpu_s = (statistics.median(column) for column in zip(*judged, strict=True))
    return {
        "model": model,
        "system": system,
        "chips": chips,
        "repeat": repeat,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "legal_layouts": len(legal),
        "fitting_layouts": found.considered,
        "best": found.layouts.describe(0),
        "search_wall_s": round(search_s, 4),
        "search_cpu_s": round(search_cpu_s, 4),
        "judged_wall_s": round(judge_s, 4),
        "judged_cpu_s": round(judge_cpu_s, 4),
        "layouts_per_core_second": round(len(legal) / judge_cpu_s),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="deepseek-v3")
    parser.add_argument("--system", default="hgx-h800-8")
    parser.add_argument("--chips", type=int, default=16_384)
    parser.add_argument("--repeat", type=int, default=5, help="runs, of which medians are shown")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the numbers as JSON; - for the terminal"
    )
    asked = parser.parse_args()
    record = measure(asked.model, asked.system, asked.chips, asked.repeat)
    if asked.json is not None and str(asked.json) == "-":
        json.dump(record, sys.stdout, indent=2)
        print()
        return
    rate, whole = record["layouts_per_core_second"], record["search_wall_s"]
    assert isinstance(rate, int)
    assert isinstance(whole, float)
    print(f"{asked.model} on {asked.chips:,} chips of {asked.system}, median of {asked.repeat}")
    print(f"legal {record['legal_layouts']:,}, fit {record['fitting_layouts']:,}; best: {record['best']}")
    print(
        f"whole search: {whole:.2f} s (budget {BUDGET_S:.0f} s: {'kept' if whole <= BUDGET_S else 'missed'})"
    )
    kept = "kept" if rate >= BUDGET_RATE else "missed"
    print(f"memory and time: {rate:,} layouts per second and core (budget {BUDGET_RATE:,.0f}: {kept})")
    if asked.json is not None:
        asked.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
