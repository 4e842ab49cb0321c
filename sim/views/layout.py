"""Layouts for people and programs: tables in the terminal, JSON, a trace, a drawn timeline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from sim.profiles.catalogue import Catalogue
from sim.report.charts.pipeline import Pipeline, pipelines
from sim.report.numbers import duration, number, percent
from sim.report.outputs import write_all
from sim.report.trace import chrome_trace, pipeline_process
from sim.study.layout_study import LayoutRow, LayoutStudy, load_layout_question, study_layouts
from sim.views.listing import Listing
from sim.views.obtained import obtained
from sim.views.output import View, Wanted, check_file, command_line, json_text, picture_files, show

DRAWN = 3  # layouts in the picture
GB = 1e9


@dataclass(frozen=True, slots=True)
class LayoutRequest:
    """What was typed: ids, the number of chips, and what to choose instead of the defaults."""

    model: str
    system: str
    chips: int
    recipe: str | None = None
    precision: str | None = None
    top: int = 8
    draws: int = 256
    seed: int = 1

    @property
    def command(self) -> str:
        """The line that gives the same answer."""
        return command_line("layout", self)


def find_layouts(catalogue: Catalogue, request: LayoutRequest) -> LayoutStudy:
    """The best layouts of a job on a cluster.

    Raises
    ------
    InputError, UnknownQuantityError
        When the question cannot be answered as it stands; the message says what did not fit.
    """
    question = load_layout_question(
        catalogue, request.model, request.system, request.chips, request.recipe, request.precision
    )
    return study_layouts(
        catalogue, question, top=request.top, draws=request.draws, seed=request.seed, command=request.command
    )


def show_layouts(
    catalogue: Catalogue,
    request: LayoutRequest,
    to: TextIO,
    *,
    as_json: bool = False,
    out: Path | None = None,
    trace: Path | None = None,
) -> None:
    """Find layouts, and write a step of the best one; errors as of :func:`sim.views.output.show`."""
    if trace is not None:
        check_file(trace, "--trace")
    view = View(layouts_json, layout_tables, layout_files, headline)
    study = show(to, Wanted(as_json, out), lambda: find_layouts(catalogue, request), view)
    if trace is not None:
        write_all(trace.parent, {trace.name: step_trace(study)})
        if not as_json:
            print(f"wrote {trace}", file=to)


def headline(study: LayoutStudy) -> Iterator[str]:
    """The best layout in a line, and how well its step is known."""
    best, question, run = study.rows[0], study.question, study.identity
    spread = f"{duration(best.spread_s.p05)} to {duration(best.spread_s.p95)}"
    yield (
        f"{question.model.name} on {question.chips:,} {question.chip.name}: a step takes {duration(best.step_s)} "
        f"({spread}), {number(best.tokens_per_s)} tokens/s, MFU {percent(best.mfu)}, as {best.words}."
    )
    yield obtained(run.draws, run.seed, study.ends_error)


# --- files -------------------------------------------------------------------------------------------------


def layout_files(study: LayoutStudy) -> dict[str, bytes]:
    """Trace of a step of the best layout, timelines of the best ones, and the record."""
    return {
        "trace.json": step_trace(study),
        **timeline_files(study),
        "layouts.json": layouts_json(study).encode(),
    }


def step_trace(study: LayoutStudy) -> bytes:
    """One step of the best layout as a trace for Perfetto."""
    best = study.rows[0]
    name = f"{study.question.chip.name}, {study.question.chips:,} chips: {best.words}"
    about = {"command": study.identity.command, "inputs": study.identity.inputs_hash, "step_s": best.step_s}
    return chrome_trace([pipeline_process(name, _bars(best))], about)


def timeline_files(study: LayoutStudy) -> dict[str, bytes]:
    """The timelines of the best layouts as PNG and SVG."""
    steps = [Pipeline(row.words, _drawn(row), row.pipeline.idle_share) for row in study.rows[:DRAWN]]
    question = study.question
    claim = (
        f"{question.model.name} on {question.chips:,} {question.chip.name}: "
        f"the best layout found takes {duration(study.rows[0].step_s)} per step"
    )
    draw = partial(pipelines, study.identity, claim, steps)
    return picture_files("timeline", draw)


def _bars(row: LayoutRow) -> list[tuple[int, float, float, str]]:
    return [(span.rank, span.start_s, span.end_s, span.kind) for span in row.pipeline.timeline]


def _drawn(row: LayoutRow) -> list[tuple[int, float, float, str]]:
    """Bars with the kinds that a picture can tell apart: the input part of a backward is a backward."""
    kinds = {"F&Bi": "F&B", "Bi": "B"}
    return [(rank, start, end, kinds.get(kind, kind)) for rank, start, end, kind in _bars(row)]


# --- JSON --------------------------------------------------------------------------------------------------


def layouts_record(study: LayoutStudy) -> dict[str, Any]:
    """Everything the tables show, in base units."""
    question = study.question
    return {
        "model": question.model.id,
        "system": question.system.id,
        "chip": question.chip.id,
        "chips": question.chips,
        "idle_chips": study.idle_chips,
        "recipe": question.recipe.id,
        "precision": study.job.precisions.linear,
        "tokens_per_step": study.job.global_batch,
        "considered": study.considered,
        "refused": study.refused,
        "layouts": [_row_json(row) for row in study.rows],
        "identity": asdict(study.identity),
    }


def _row_json(row: LayoutRow) -> dict[str, Any]:
    return {
        "layout": row.words,
        "degrees": row.degrees,
        "step_s": row.step_s,
        "step_s_interval": asdict(row.spread_s),
        "fastest_share_of_draws": row.fastest,
        "mfu": row.mfu,
        "mfu_arithmetic": row.mfu_arithmetic,
        "tokens_per_s": row.tokens_per_s,
        "chips_at_work": int(row.layout.chips[0]),
        "memory_bytes": row.memory,
        "breakdown_s": row.breakdown,
        "pipeline_closed_form_s": row.pipeline_closed_s,
        "pipeline_events_s": row.pipeline.step_time_s,
        "pipeline_idle_share": row.pipeline.idle_share,
    }


def layouts_json(study: LayoutStudy) -> str:
    """The record as text."""
    return json_text(layouts_record(study))


# --- tables ------------------------------------------------------------------------------------------------


def layout_tables(study: LayoutStudy) -> Iterator[Listing]:
    """What was found, what it holds, where its time goes, and what was turned away."""
    yield _found(study)
    yield _memory(study)
    yield _time(study)
    yield _events(study)
    yield _refused(study)


def _found(study: LayoutStudy) -> Listing:
    question, job = study.question, study.job
    narrow = job.precisions.linear not in ("bf16", "fp16")
    precision = job.precisions.linear.upper()
    peaks = ("MFU", f"of {precision} peak") if narrow else ("MFU",)
    columns = ("#", "layout", "step", "90 % interval", "fastest in", *peaks, "tokens/s", "idle chips")
    rows = [
        (
            str(rank),
            row.words,
            duration(row.step_s),
            f"{number(row.spread_s.p05)} to {number(row.spread_s.p95)} s",
            percent(row.fastest),
            *(percent(share, 3) for share in (row.mfu, row.mfu_arithmetic)[: len(peaks)]),
            number(row.tokens_per_s),
            f"{question.chips - int(row.layout.chips[0]):,}",
        )
        for rank, row in enumerate(study.rows, 1)
    ]
    title = (
        f"{question.model.name} on {question.chips:,} {question.chip.name} ({question.system.name}), "
        f"{question.recipe.id}: {number(job.global_batch)} tokens per step, {precision}"
    )
    notes = [
        f"Best of {study.considered:,} layouts that are legal and fit, at the median of all inputs; interval and "
        f"'fastest in' over {study.identity.draws} draws.",
        "MFU: model FLOP with causal attention over the dense 16-bit peak of all chips, idle ones included.",
    ]
    if study.idle_chips:
        notes.append(f"The best layout leaves {study.idle_chips:,} of {question.chips:,} chips without work.")
    return Listing(title, columns, rows, notes)


def _memory(study: LayoutStudy) -> Listing:
    parts = list(study.rows[0].memory)
    rows = [
        (str(rank), *(f"{row.memory[part] / GB:.1f}" for part in parts))
        for rank, row in enumerate(study.rows, 1)
    ]
    capacity = sum(study.rows[0].memory.values()) / GB
    title = f"memory of the fullest chip, GB of {capacity:,.0f}"
    return Listing(title, ("#", *parts), rows, ["reserve: runtime, collectives and fragmentation."])


def _time(study: LayoutStudy) -> Listing:
    shares = [{name: s / row.step_s for name, s in row.breakdown.items()} for row in study.rows]
    names = [name for name in study.rows[0].breakdown if any(share[name] >= 5e-4 for share in shares)]
    names.sort(key=lambda name: -shares[0][name])
    rows = [(name, *(f"{100 * share[name]:.1f}" for share in shares)) for name in names]
    columns = ("part", *(f"#{rank}" for rank in range(1, len(shares) + 1)))
    return Listing("time of a step, per cent", columns, rows)


def _events(study: LayoutStudy) -> Listing:
    rows = [
        (
            str(rank),
            duration(row.pipeline_closed_s),
            duration(row.pipeline.step_time_s),
            percent(row.event_gap, sign=True),
            percent(row.pipeline.idle_share),
        )
        for rank, row in enumerate(study.rows, 1)
    ]
    columns = ("#", "closed form", "events", "gap", "waiting in the pipeline")
    note = "The pipeline chunk by chunk, without gradient traffic, optimizer and jitter."
    return Listing("the same step played as events", columns, rows, [note])


def _refused(study: LayoutStudy) -> Listing:
    rows = [(reason, f"{count:,}") for reason, count in study.refused.items()]
    note = "Families (tensor, pipeline, context, expert degree) by rule, single layouts by the largest part of memory."
    return Listing("turned away", ("reason", "count"), rows, [note])
