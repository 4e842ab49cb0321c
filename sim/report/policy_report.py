"""The report of a policy question as PDF, pages, charts and tables."""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from sim.report.charts import policy as charts
from sim.report.charts.style import HALF, WIDE
from sim.report.document import print_document, standalone
from sim.report.figures import Chart, Drawing, drawing
from sim.report.outputs import RUN_FILE, write_all
from sim.report.policy_content import PolicyContent
from sim.report.workbook import plain_workbook

TEMPLATE = Path(__file__).with_name("policy.typ")


def draw_policy(content: PolicyContent) -> dict[str, Drawing]:
    """Every chart of the report by name."""
    identity = content.identity
    found = [Chart(each.name, partial(charts.fan, identity, each, WIDE, 2.0)) for each in content.lead]
    found += [Chart(each.name, partial(charts.fan, identity, each, HALF, 1.75)) for each in content.more]
    found += [Chart(each.name, partial(charts.stack, identity, each, HALF, 1.6)) for each in content.stacks]
    if content.binding is not None:
        found.append(Chart("binding", partial(charts.binding, identity, content.binding)))
    found += [Chart(each.name, partial(charts.tornado, identity, each)) for each in content.tornados]
    return {chart.name: drawing(chart) for chart in found}


def page_data(content: PolicyContent, drawings: Mapping[str, Drawing]) -> dict[str, Any]:
    """What the template reads."""
    identity = content.identity
    run = f"Chip Parity {identity.version} · {identity.scenario} · inputs {identity.inputs_hash} · seed {identity.seed}"
    return {
        "title": content.title,
        "scope": content.scope,
        "labels": content.labels,
        "answers": content.answers,
        "big": content.big,
        "not_modelled": content.not_modelled,
        "warnings": content.warnings,
        "decides": content.decides,
        "lead": [each.name for each in content.lead],
        "more": [each.name for each in content.more],
        "pairs": [each.name for each in content.stacks],
        "wide": [*(["binding"] if content.binding else []), *(each.name for each in content.tornados)],
        "tables": [asdict(table) for table in content.tables],
        "annex": [asdict(table) for table in content.annex],
        "draws": f"{identity.draws:,}",
        "run": run,
        "identity": {
            "version": identity.version,
            "scenario": identity.scenario,
            "hash": identity.inputs_hash,
            "seed": identity.seed,
            "command": identity.command,
        },
        "charts": {name: {"alt": d.alt, "width": d.width} for name, d in drawings.items()},
    }


def policy_files(
    content: PolicyContent, results: pd.DataFrame, record: Mapping[str, Any], timestamp: int | None = None
) -> dict[str, bytes]:
    """All files of the report by name inside its directory."""
    drawings = draw_policy(content)
    pdf, pages = print_document(TEMPLATE, page_data(content, drawings), drawings, timestamp)
    files = {"report.pdf": pdf}
    files |= {f"page-{index}.png": page for index, page in enumerate(pages, 1)}
    for name, (svg, png) in standalone(drawings).items():
        files[f"figures/{name}.svg"] = svg
        files[f"figures/{name}.png"] = png
    files["results.csv"] = results.to_csv(index=False, lineterminator="\n").encode()
    files["results.xlsx"] = plain_workbook(_sheets(content, results))
    stream = io.BytesIO()
    results.to_parquet(stream, index=False, compression="zstd")
    files["results.parquet"] = stream.getvalue()
    files["results.json"] = (
        json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    ).encode()
    return files


def _sheets(content: PolicyContent, results: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Every table of the report as a sheet, and the long table; what does not happen is an empty cell."""
    tables = {
        "".join(letter for letter in table.title if letter not in "[]:*?/\\")[:31]: pd.DataFrame(
            [list(row) for row in table.rows], columns=list(table.columns)
        )
        for table in (*content.tables, *content.annex)
    }
    finite = results.map(lambda cell: "" if isinstance(cell, float) and not math.isfinite(cell) else cell)
    return {**tables, "results": finite}


def write_policy_report(directory: Path, content: PolicyContent, files: Mapping[str, bytes]) -> list[Path]:
    """Write the files and what is needed to run it again; their paths, the PDF first.

    Raises
    ------
    OSError
        When a file cannot be written; nothing half-written stays behind.
    """
    record = {
        "identity": asdict(content.identity),
        "title": content.title,
        "outputs": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    run = (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode()
    write_all(directory, {**files, RUN_FILE: run})
    return [directory / name for name in files]
