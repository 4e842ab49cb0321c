"""The designer's view for people and programs: the best chips, the ratio to the frontier, and the map."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from sim.profiles.catalogue import Catalogue
from sim.report.charts.design_map import DesignMapContent, MapPanel, RuleLine, design_map
from sim.report.numbers import number
from sim.study.rules.bench import DesignRequest
from sim.study.rules.book import load_rules
from sim.study.rules.design import DRAWS, SEED, Best, DesignStudy, study_designs
from sim.views.listing import Listing
from sim.views.output import Wanted, csv_bytes, deliver, json_text, picture_files
from sim.views.rule_pictures import identity
from sim.views.rules import DISCLAIMER

NOTES = (
    "A design is the parent with other peaks, memory bandwidth and links; kernels, power limit and price are the "
    "parent's, so a cheaper part is not credited, and one far below the parent is understated (docs/rules.md).",
    "Speeds and costs at medians; the ratio's interval over draws. Cut: what a design gives up against what node, "
    "memory and links allow.",
)


def show_designs(
    catalogue: Catalogue,
    request: DesignRequest,
    to: TextIO,
    *,
    as_json: bool = False,
    out: Path | None = None,
) -> None:
    """Print the best chip under every rule, and write the map.

    Raises
    ------
    InputError
        When something asked for does not exist.
    OSError
        When a file cannot be written.
    """
    wanted = Wanted(as_json, out)
    wanted.check()
    study = study_designs(catalogue, load_rules(catalogue), request)
    tables = [_table(study, job) for job in ("training", "serving")]
    deliver(to, wanted, lambda: json_text(record(study)), tables, lambda: _files(catalogue, study))


def _table(study: DesignStudy, job: str) -> Listing:
    request, limits = study.request, study.limits
    workload = request.recipe if job == "training" else request.traffic
    frontier = study.frontier_training if job == "training" else study.frontier_serving
    rows = [_row(best) for best in study.best if best.job == job]
    columns = (
        "rule", "TPP", "TPP/mm2", "DRAM GB/s", "I/O GB/s", "tokens/s per chip", "USD per million",
        f"of {study.frontier.name}", "90 %", "cut",
    )  # fmt: skip
    title = f"{job}: best chip like {study.parent.name}, {request.model}, {workload}, {request.chips:,} chips"
    most = (
        f"Node, memory and links allow TPP {number(limits.tpp)} on {number(limits.area_mm2)} mm2, "
        f"{number(limits.dram_gbs)} GB/s and {number(limits.capacity_bytes / 1e9)} GB of memory, "
        f"{number(limits.io_gbs)} GB/s of I/O; {study.frontier.name}: {number(frontier)} tokens/s per chip."
    )
    return Listing(title, columns, rows, [most, *NOTES, DISCLAIMER])


def _row(best: Best) -> tuple[str, ...]:
    figures = (f"{np.floor(best.tpp):,.0f}", f"{best.pd:.2f}", number(best.dram_gbs), number(best.io_gbs))
    speed = (number(best.per_chip), number(best.usd_per_million), f"{best.to_frontier:.2f}")
    return (best.regime.name, *figures, *speed, f"{best.low:.2f} to {best.high:.2f}", best.binds)


def record(study: DesignStudy) -> dict[str, Any]:
    """The study for programs."""
    request = {**asdict(study.request), "date": study.date.isoformat()}
    return {
        "request": request,
        "parent": study.parent.id,
        "limits": asdict(study.limits),
        "frontier": {
            "chip": study.frontier.id,
            "training_tokens_per_s": study.frontier_training,
            "serving_tokens_per_s": study.frontier_serving,
        },
        "best": [_best(best) for best in study.best],
        "disclaimer": DISCLAIMER,
    }


def _best(best: Best) -> dict[str, Any]:
    regime = {
        "name": best.regime.name,
        "rules": list(best.regime.rules),
        "accepted": sorted(best.regime.accepted),
    }
    rest = {key: value for key, value in asdict(best).items() if key != "regime"}
    return {"regime": regime, **rest}


def _files(catalogue: Catalogue, study: DesignStudy) -> dict[str, bytes]:
    return {
        **picture_files("design-map", partial(design_map, content(catalogue, study))),
        "sweep.csv": _sweep(study),
        "designs.json": json_text(record(study)).encode(),
    }


def content(catalogue: Catalogue, study: DesignStudy) -> DesignMapContent:
    """What the map shows."""
    request, run = study.request, study.map
    command = f"parity rules design --like {request.like} --model {request.model}"
    panels = (
        MapPanel(
            f"Training {request.model} ({request.recipe})", run.outcome.training, run.outcome.training_usd
        ),
        MapPanel(
            f"Serving {request.model} ({request.traffic})", run.outcome.serving, run.outcome.serving_usd
        ),
    )
    lines = [
        RuleLine(name, run.fine_tpp, run.fine_dram_gbs, mask)
        for name, mask in run.allowed.items()
        if mask.any() and not mask.all()
    ]
    return DesignMapContent(
        identity(catalogue, command, SEED, DRAWS),
        _claim(study),
        f"Chips like {study.parent.name} with {number(study.limits.io_gbs)} GB/s of I/O and "
        f"{number(study.limits.area_mm2)} mm2 of logic. Grey: tokens/s per chip; dotted: owner's USD per million tokens; "
        "dots: chips of the catalogue.",
        run.tpp, run.dram_gbs, panels, lines, study.dots,
    )  # fmt: skip


def _claim(study: DesignStudy) -> str:
    """Which line costs least and which costs most in training, in words."""
    free = next(best for best in study.best if best.job == "training" and not best.regime.rules)
    cut = [b for b in study.best if b.job == "training" and len(b.regime.rules) == 1 and b.binds != "nothing"]
    if not cut:
        return f"No rule cuts what a chip like {study.parent.name} does in training"
    costs = sorted(((1 - b.per_chip / free.per_chip, b) for b in cut), key=lambda pair: pair[0])
    words = [
        f"{best.regime.name} costs {100 * cost:.0f} % ({best.binds})" for cost, best in (costs[0], costs[-1])
    ]
    return "Training speed of the best design: " + ", ".join(dict.fromkeys(words))


def _sweep(study: DesignStudy) -> bytes:
    run = study.map
    columns = {
        "training_tokens_per_s_per_chip": run.outcome.training,
        "training_usd_per_million": run.outcome.training_usd,
        "serving_tokens_per_s_per_chip": run.outcome.serving,
        "serving_usd_per_million": run.outcome.serving_usd,
    }
    rows = (
        [f"{value:.6g}" for value in (tpp, dram, *(cells[row, column] for cells in columns.values()))]
        for row, dram in enumerate(run.dram_gbs)
        for column, tpp in enumerate(run.tpp)
    )
    return csv_bytes(("tpp", "dram_gbs", *columns), rows)
