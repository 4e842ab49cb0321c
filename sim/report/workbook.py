"""The summary as a spreadsheet: answers, jobs, costs, inputs; numbers as numbers, units in their own column."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import pandas as pd
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from sim.report.content import Interval, JobSide, ReportContent
from sim.report.wording import cost_unit, views_of

Row = Sequence[object]
QUANTILES = ("5 %", "25 %", "median", "75 %", "95 %")
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)  # zip files know no earlier time


def workbook(content: ReportContent, timestamp: int | None = None) -> bytes:
    """The workbook as bytes, the same for the same content."""
    book = Workbook()
    book.remove(book.active)
    _sheet(book, "answers", _answer_head(content), list(_answers(content)))
    _sheet(book, "jobs", ("job", "kind", "cluster", "metric", "unit", *QUANTILES), list(_jobs(content)))
    _sheet(book, "costs", ("job", "cluster", "view", "block", "unit", *QUANTILES), list(_costs(content)))
    _sheet(
        book,
        "inputs",
        (
            "input",
            "value",
            "low (5 %)",
            "high (95 %)",
            "kind",
            "weak",
            "source",
            "url",
            "as of",
            "moves a count by",
            "moves a cost, a power or a time by",
            "which",
            "note",
            "path",
        ),
        [
            (
                r.name,
                r.value,
                r.low,
                r.high,
                r.kind,
                "†" if r.weak else "",
                r.source,
                r.url,
                r.as_of,
                r.moves,
                r.moves_other,
                r.other,
                r.note,
                r.path,
            )
            for r in content.inputs
        ],
    )
    exact = ("number", "value", "kind", "weak", "source", "url", "as of", "a tenth less moves", "by", "path")
    _sheet(book, "exact numbers", exact, list(_exact(content)))
    _sheet(book, "validation", _VALIDATION, list(_scored(content)))
    when = datetime.fromtimestamp(timestamp, UTC) if timestamp is not None else EARLIEST
    book.properties.creator = f"Chip Parity {content.identity.version}"
    book.properties.title = content.title
    return _stable(book, max(when, EARLIEST))


_VALIDATION = (
    "job kind",
    "row",
    "what",
    "measure",
    "measured",
    "predicted",
    "low (80 %)",
    "high (80 %)",
    "error",
    "held",
)


def _exact(content: ReportContent) -> Iterator[Row]:
    for r in content.exact:
        yield r.name, r.value, r.kind, "†" if r.weak else "", r.source, r.url, r.as_of, r.of, r.moves, r.path


def _scored(content: ReportContent) -> Iterator[Row]:
    """Hits and misses, row by row."""
    for record in content.validation:
        for r in record.rows:
            held = "hit" if r.held else "miss"
            yield record.kind, r.case, r.what, r.metric, r.measured, r.predicted, r.low, r.high, r.error, held


def plain_workbook(tables: Mapping[str, pd.DataFrame]) -> bytes:
    """Tables as sheets, the same bytes for the same tables; empty ones are left out."""
    book = Workbook()
    book.remove(book.active)
    for name, table in tables.items():
        if len(table) or len(tables) == 1:
            rows = [
                [cell if isinstance(cell, str | int) else float(cell) for cell in row]
                for row in table.itertuples(index=False)
            ]
            _sheet(book, name, list(table.columns), rows)
    return _stable(book, EARLIEST)


def _sheet(book: Workbook, name: str, head: Row, rows: Sequence[Row]) -> None:
    sheet: Worksheet = book.create_sheet(name)
    sheet.append(list(head))
    for number, row in enumerate(rows, 2):
        sheet.append(list(row))
        for column, value in enumerate(row, 1):
            # Text as text: a label that starts with "=" must not become a formula.
            if isinstance(value, str) and value.startswith("="):
                sheet.cell(number, column).data_type = "s"
    for cell in sheet[1]:
        cell.font = Font(bold=True)
        cell.fill = PatternFill("solid", fgColor="F3F5F7")
        cell.alignment = Alignment(vertical="top", wrap_text=True)
    sheet.freeze_panes = "B2"
    for column in range(1, len(head) + 1):
        letter = get_column_letter(column)
        longest = (
            max(len(str(cell.value)) for cell in sheet[letter] if cell.value is not None) if rows else 12
        )
        sheet.column_dimensions[letter].width = min(max(longest + 2, 10), 60)
        for cell in sheet[letter][1:]:
            if isinstance(cell.value, float):
                cell.number_format = (
                    "#,##0" if abs(cell.value) >= 1000 else "0.000" if abs(cell.value) >= 0.01 else "0.00E+00"
                )


def _quantiles(interval: Interval) -> list[float]:
    return [float(getattr(interval, name)) for name in Interval.__slots__]


def _answer_head(content: ReportContent) -> Row:
    a, b = content.clusters
    return (
        "job",
        "kind",
        f"{b.label} that do the work of {a.chips:,} {a.label}",
        *QUANTILES,
        "in whole units",
        f"slogan ({b.label})",
    )


def _answers(content: ReportContent) -> Iterator[Row]:
    for job in content.jobs:
        yield (
            job.label,
            job.kind,
            "simulated",
            *_quantiles(job.equal_count),
            job.equal_count_rounded,
            content.slogan_count,
        )
    for metric in content.paper_metrics:
        yield (
            metric.name,
            "datasheet ratio",
            "on paper",
            None,
            None,
            float(metric.equal_count),
            None,
            None,
            None,
            content.slogan_count,
        )


def _measures(side: JobSide) -> Iterator[tuple[str, str, Interval | None]]:
    training = side.wall_days is not None
    yield "throughput", "token/s" if training else "output token/s", side.throughput
    yield "throughput per chip", "token/s" if training else "output token/s", side.throughput_per_chip
    yield "facility power", "MW", side.power_mw
    yield "energy", "GWh per run" if training else "kWh per million output tokens", side.energy
    yield "wall time", "day", side.wall_days
    yield "goodput", "share", side.goodput
    yield "MFU", "share", side.mfu
    yield "step time", "s", side.step_time_s
    yield "time to first token", "s", side.ttft_s
    yield "time per output token", "s", side.tpot_s
    yield "batch per chip", "sequences", side.batch_per_chip


def _jobs(content: ReportContent) -> Iterator[Row]:
    for job in content.jobs:
        for cluster, side in zip(content.clusters, (job.a, job.b), strict=True):
            for metric, unit, interval in _measures(side):
                if interval is not None:
                    yield (job.label, job.kind, cluster.label, metric, unit, *_quantiles(interval))
        speed = f"speed of {content.clusters[0].label} over {content.clusters[1].label}"
        yield (job.label, job.kind, "both", speed, "ratio", *_quantiles(job.speed_ratio))


def _costs(content: ReportContent) -> Iterator[Row]:
    for job in content.jobs:
        for cluster, side in zip(content.clusters, (job.a, job.b), strict=True):
            for view in views_of(side.cost):
                yield (job.label, cluster.label, view, "all", cost_unit(job), *_quantiles(side.cost[view]))
                for block, value in side.cost_blocks.get(view, {}).items():
                    yield (
                        job.label,
                        cluster.label,
                        view,
                        block,
                        cost_unit(job),
                        None,
                        None,
                        float(value),
                        None,
                        None,
                    )
            for view, interval in (side.input_cost or {}).items():
                yield (
                    job.label,
                    cluster.label,
                    view,
                    "input tokens",
                    "USD per million input tokens",
                    *_quantiles(interval),
                )


def _stable(book: Workbook, when: datetime) -> bytes:
    """Save, then pack anew with the given time in place of the clock's."""
    first = io.BytesIO()
    book.properties.created = when.replace(tzinfo=None)
    book.save(first)
    clock = book.properties.modified.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    given = when.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(first) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for item in source.infolist():
            data = source.read(item)
            if item.filename == "docProps/core.xml":
                data = data.replace(clock, given)
            entry = zipfile.ZipInfo(item.filename, when.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, data)
    return packed.getvalue()
