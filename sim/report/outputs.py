"""Write a report to a directory: PDF, pages, charts, tables and the identity of the run, all or nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from sim.report.content import ReportContent
from sim.report.document import render, standalone
from sim.report.figures import draw_all
from sim.report.trace import report_traces
from sim.report.workbook import workbook

RUN_FILE = "run.json"


def write_report(
    content: ReportContent,
    directory: Path | str,
    results: pd.DataFrame | None = None,
    *,
    draws: pd.DataFrame | None = None,
    run: Mapping[str, Any] | None = None,
    timestamp: int | None = None,
) -> list[Path]:
    """Write every file of a report and give their paths, the PDF first.

    Parameters
    ----------
    content : ReportContent
    directory : path
        Made when it is not there. Files of an earlier report in it that this one does not write are removed.
    results : DataFrame, optional
        Tidy long table (scenario, cluster, job, metric, unit, statistic, value) for ``results.csv`` and ``.parquet``.
    draws : DataFrame, optional
        Every draw in long form, for ``draws.parquet``.
    run : mapping, optional
        More to keep in ``run.json``: whatever is needed to run it again. Must be JSON.
    timestamp : int, optional
        Seconds since 1970 for the PDF and the workbook. Left out, the same content gives the same bytes.

    Raises
    ------
    OSError
        When a file cannot be written; nothing half-written stays behind.
    """
    files = report_files(content, results, timestamp)
    if draws is not None:
        files["draws.parquet"] = _parquet(draws)
    record = {
        "identity": asdict(content.identity),
        "title": content.title,
        **(run or {}),
        "outputs": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    files[RUN_FILE] = (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode()
    root = Path(directory)
    earlier = _earlier(root)
    write_all(root, files)
    for name in earlier - set(files):
        (root / name).unlink(missing_ok=True)
    return [root / name for name in files]


def report_files(
    content: ReportContent, results: pd.DataFrame | None = None, timestamp: int | None = None
) -> dict[str, bytes]:
    """All files but ``run.json``, by name inside the directory."""
    drawings = draw_all(content)
    pdf, pages = render(content, drawings, timestamp)
    files = {"report.pdf": pdf}
    files |= {f"page-{number}.png": page for number, page in enumerate(pages, 1)}
    for name, (svg, png) in standalone(drawings).items():
        files[f"figures/{name}.svg"] = svg
        files[f"figures/{name}.png"] = png
    if results is not None:
        files["results.csv"] = results.to_csv(index=False, lineterminator="\n").encode()
        files["results.parquet"] = _parquet(results)
    files["results.xlsx"] = workbook(content, timestamp)
    return files | report_traces(content)


def _parquet(results: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    results.to_parquet(stream, index=False, compression="zstd")
    return stream.getvalue()


def write_all(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files so that each is there whole or not at all: under a temporary name first, all renamed at the end.

    The last file given is renamed last, so that it vouches for the others.
    """
    waiting: list[tuple[Path, Path]] = []
    try:
        for name, data in files.items():
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
            waiting.append((temporary, target))
            temporary.write_bytes(data)
        for temporary, target in waiting:
            os.replace(temporary, target)
    finally:
        for temporary, _ in waiting:
            temporary.unlink(missing_ok=True)


def _earlier(root: Path) -> set[str]:
    """Names of the files that an earlier report wrote here, as its run file has them; nothing outside the directory."""
    try:
        names = json.loads((root / RUN_FILE).read_text(encoding="utf-8"))["outputs"]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return (
        {name for name in names if isinstance(name, str) and _inside(name)}
        if isinstance(names, dict)
        else set()
    )


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and ":" not in name
