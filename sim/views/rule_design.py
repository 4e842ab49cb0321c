"""The designer's view for people and programs: the best chips, the ratio to the frontier, and the map."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError, Problem
from sim.report.charts.design_map import DesignMapContent, MapPanel, RuleLine, design_map
from sim.report.numbers import number
from sim.report.outputs import write_all
from sim.study.rule_bench import DesignRequest
from sim.study.rule_book import load_rules
from sim.study.rule_design import DRAWS, SEED, Best, DesignStudy, study_designs
from sim.views.listing import Listing, print_listing
from sim.views.rule_pictures import identity, picture
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
    if out is not None and out.exists() and not out.is_dir():
        raise InputError([Problem(f"--out {out}: is a file; name a folder")])
    study = study_designs(catalogue, load_rules(catalogue), request)
    written = [] if out is None else _write(catalogue, study, out)
    if as_json:
        to.write(_dumped(record(study)))
        return
    for job in ("training", "serving"):
        print_listing(_table(study, job), to)
    for path in written:
        print(f"wrote {path}", file=to)


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
    return {"regime": regime, **{key: _finite(value) for key, value in rest.items()}}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _dumped(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _write(catalogue: Catalogue, study: DesignStudy, out: Path) -> list[Path]:
    files = picture("design-map", partial(design_map, content(catalogue, study)))
    files["sweep.csv"] = _sweep(study)
    files["designs.json"] = _dumped(record(study)).encode()
    write_all(out, files)
    return [out / name for name in files]


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
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ("tpp", "dram_gbs", "training_tokens_per_s_per_chip", "training_usd_per_million",
         "serving_tokens_per_s_per_chip", "serving_usd_per_million")
    )  # fmt: skip
    run = study.map
    for row, dram in enumerate(run.dram_gbs):
        for column, tpp in enumerate(run.tpp):
            cells = (
                run.outcome.training,
                run.outcome.training_usd,
                run.outcome.serving,
                run.outcome.serving_usd,
            )
            writer.writerow([f"{value:.6g}" for value in (tpp, dram, *(cell[row, column] for cell in cells))])
    return stream.getvalue().encode()
