"""A fleet run for people and programs."""

from __future__ import annotations

from typing import Any, TextIO

from sim.profiles.catalogue import Catalogue
from sim.report.numbers import number, percent
from sim.study.capacity_question import load_capacity_question
from sim.study.fleet_study import FleetStudy, study_fleet
from sim.views.output import json_text


def show_fleet(
    catalogue: Catalogue,
    scenario: str,
    job: str | None,
    cluster: str | None,
    load: float,
    requests: int,
    seed: int | None,
    stream: TextIO,
    *,
    as_json: bool,
) -> None:
    """Play the fleet of a scenario's job and say what each mode got."""
    question = load_capacity_question(catalogue, scenario, job, cluster, seed=seed)
    study = study_fleet(catalogue, question, load, requests)
    record = fleet_record(study)
    stream.write(json_text(record) if as_json else "\n".join(_lines(record)) + "\n")


def fleet_record(study: FleetStudy) -> dict[str, Any]:
    """Everything as plain numbers."""
    run = study.run
    total = run.serve + run.prefill
    return {
        "job": study.question.task.job.id,
        "cluster": study.question.side.key,
        "requests": len(run.requests),
        "finished": int(run.done.sum()),
        "requests_per_s": study.requests_per_s,
        "output_tokens_per_s": run.output_tokens_per_s(),
        "span_s": run.span_s,
        "chip_hours": run.chip_hours,
        "prefix_hit": run.hit_rate(),
        "loaded_share_of_hits": total.loaded_tokens / total.hit_tokens if total.hit_tokens else 0.0,
        "preemptions": total.preemptions,
        "swapped_tokens": total.swapped_tokens,
        "failures": total.failures,
        "retried": total.retried,
        "reread_tokens": total.reread_tokens,
        "instances_up": {pool: _range(line) for pool, line in run.timeline.items()},
        "modes": [
            {
                "mode": mode.name,
                "requests": mode.requests,
                "kept": mode.kept,
                "output_tokens_per_s": mode.output_tokens_per_s,
                **{
                    name: {f"p{point:g}": value for point, value in getattr(mode, name).items()}
                    for name in _LATENCIES
                },
            }
            for mode in study.modes
        ],
    }


_LATENCIES = ("ttft_s", "tpot_s", "e2e_s")


def _range(line: list[tuple[float, int]]) -> dict[str, int]:
    first = line[0][0]
    settled = [count for moment, count in line if moment > first] or [line[-1][1]]
    return {"least": min(settled), "most": max(settled), "last": line[-1][1]}


def _lines(record: dict[str, Any]) -> list[str]:
    lines = [
        f"{record['job']} on cluster {record['cluster']}: {record['requests']:,} requests at "
        f"{number(record['requests_per_s'])} per second, {number(record['chip_hours'])} chip-hours",
        "",
        f"{'mode':12s} {'requests':>9s} {'kept':>6s} {'first token p50/p90/p99, s':>28s} {'per token p50/p90/p99, ms':>28s}",
    ]
    for mode in record["modes"]:
        first, token = (
            " / ".join(number(scale * value) for value in mode[name].values())
            for name, scale in (("ttft_s", 1.0), ("tpot_s", 1e3))
        )
        lines.append(
            f"{mode['mode']:12s} {mode['requests']:>9,} {percent(mode['kept']):>6s} {first:>28s} {token:>28s}"
        )
    lines += [
        "",
        f"prompt tokens found in the cache: {percent(record['prefix_hit'])}, "
        f"of which from slower tiers {percent(record['loaded_share_of_hits'])}",
        f"pushed out: {record['preemptions']:,} (tokens swapped {record['swapped_tokens']:,}, read again "
        f"{record['reread_tokens']:,}); failures: {record['failures']:,}, requests retried: {record['retried']:,}",
    ]
    for pool, up in record["instances_up"].items():
        lines.append(f"instances up, {pool}: {up['least']} to {up['most']}")
    return lines
