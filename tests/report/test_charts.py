"""Charts can be read: nothing is cut, no words lie on each other, no letter is smaller than 7 points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
from example_content import JOBS, example, spread
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from sim.report.charts.frontier import _beside, _covered
from sim.report.charts.job import largest_terms
from sim.report.charts.parity import parity
from sim.report.charts.style import (
    FILL,
    FONT_DIR,
    PALE,
    apart,
    balanced,
    fitted,
    shorten,
    styled,
    text_width,
    wrap,
)
from sim.report.content import JobContent, ReportContent
from sim.report.figures import Drawing, charts, drawing

LONG = "Huawei Ascend 910C Atlas 900 A3 SuperPod", "NVIDIA H100 SXM5 80 GB HGX"


def all_rows() -> ReportContent:
    """Every job in the charts that show all jobs, two jobs in those that show one."""
    content = example()
    return replace(content, jobs=[job for job in content.jobs if job.id in ("train-v3", "chat-v3")])


def far_apart() -> ReportContent:
    """Answers that span three orders of magnitude, costs from a cent to a billion, no slogan."""
    content = replace(example(jobs=(JOBS[0], JOBS[2], JOBS[5])), slogan_count=None, paper_metrics=())
    jobs = [
        replace(
            job,
            equal_count=spread(40.0 * 25**n, 2.5),
            equal_count_rounded=8 * 4**n,
            **_dearer(job, 100.0 ** (n - 1)),
        )
        for n, job in enumerate(content.jobs)
    ]
    return replace(content, jobs=jobs)


def _dearer(job: JobContent, factor: float) -> dict[str, Any]:
    def scale(side):
        return replace(
            side,
            cost={view: spread(c.p50 * factor, 3.0) for view, c in side.cost.items()},
            cost_blocks={
                v: {n: x * factor for n, x in blocks.items()} for v, blocks in side.cost_blocks.items()
            },
        )

    return {"a": scale(job.a), "b": scale(job.b), "gap": [(name, value * factor) for name, value in job.gap]}


CONTENTS = {
    "flagship": all_rows,
    "long names": lambda: example(*LONG, jobs=JOBS[1:3]),
    "far apart": far_apart,
}


def written(figure: Figure, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Text, Bbox]]:
    """Every text that is really drawn, with the box it covers [pixel]."""
    seen: list[tuple[Text, Bbox]] = []
    draw = Text.draw

    def record(self: Text, renderer: object) -> None:
        if self.get_visible() and self.get_text().strip():
            seen.append((self, self.get_window_extent(renderer)))  # type: ignore[arg-type]
        draw(self, renderer)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Text, "draw", record)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    return seen


def overlaps(texts: list[tuple[Text, Bbox]]) -> Iterator[tuple[str, str]]:
    for (one, a), (two, b) in combinations(texts, 2):
        common = Bbox.intersection(a, b)
        if common is not None and common.width > 1.5 and common.height > 2.5:
            yield one.get_text(), two.get_text()


@pytest.mark.parametrize("name", CONTENTS)
def test_every_chart_can_be_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @styled
    def check() -> None:
        for chart in charts(CONTENTS[name]()):
            figure = chart.draw()
            figure.set_dpi(144)
            texts = written(figure, monkeypatch)
            box = figure.bbox.padded(1.5)
            cut = [t.get_text() for t, extent in texts if not box.containsx(extent.x0) or not box.containsx(extent.x1)
                   or not box.containsy(extent.y0) or not box.containsy(extent.y1)]  # fmt: skip
            assert not cut, f"{chart.name}: cut at the edge"
            assert not list(overlaps(texts)), chart.name
            assert min(float(t.get_fontsize()) for t, _ in texts) >= 7.0, chart.name
            assert figure.get_label(), f"{chart.name} has no alternative text"

    check()


def test_every_job_has_its_row(monkeypatch: pytest.MonkeyPatch, flagship: ReportContent) -> None:
    figure = parity(flagship)
    texts = written(figure, monkeypatch)
    assert not list(overlaps(texts))
    words = [text.get_text() for text, _ in texts]
    assert [word for word in words if word in {job.label for job in flagship.jobs}] == [
        job.label for job in flagship.jobs
    ]
    assert {"9,940", "15,600", "TPP", "slogan: 12,000 H100"} <= set(words)


def test_every_chart_names_its_run_and_its_claim(flagship_drawings: dict[str, Drawing]) -> None:
    for name, drawn in flagship_drawings.items():
        text = "".join(ElementTree.fromstring(drawn.svg).itertext())
        assert "inputs 3fa9c1d2" in text, name
        assert "seed 1 · 1,000 draws" in text, name
    assert (
        "20,000 Ascend 910C do the work of 8,350 to 15,600 H100" in flagship_drawings["parity"].svg.decode()
    )


def test_charts_ignore_the_settings_of_the_caller() -> None:
    import matplotlib as mpl

    chart = charts(example(jobs=JOBS[:1]))[0]
    plain = drawing(chart).svg
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert drawing(chart).svg == plain


def luminance(colour: str) -> float:
    """Relative luminance of sRGB (WCAG 2.1)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("shades", [FILL, PALE])
def test_the_two_colours_differ_in_grey(shades: dict[str, str]) -> None:
    dark, light = sorted(luminance(shade) for shade in shades.values())
    # WCAG asks for a contrast of 3 between parts of a picture that must be told apart; pale shades are always labelled.
    assert (light + 0.05) / (dark + 0.05) > (3.0 if shades is FILL else 1.8)


def test_labels_are_moved_apart_as_little_as_needed() -> None:
    assert apart([1.0, 2.0], 0.5, 0.0, 3.0) == [1.0, 2.0]
    # Three labels at one place, gap 1: they spread around it.
    assert apart([5.0, 5.0, 5.0], 1.0, 0.0, 10.0) == [4.0, 5.0, 6.0]
    # At a bound they stand against it.
    assert apart([0.0, 0.0], 1.0, 0.0, 10.0) == [0.0, 1.0]
    assert apart([10.0, 10.0], 1.0, 0.0, 10.0) == [9.0, 10.0]


def test_text_is_wrapped_to_its_width() -> None:
    text = "Attention over the cache is the largest part of the decode step on both clusters"
    lines = wrap(text, 2.0, 9.5)
    assert " ".join(lines) == text
    assert all(text_width(line, 9.5) <= 2.0 for line in lines)
    assert len(balanced(text, 2.0, 9.5)) == len(lines)
    assert shorten("short", 2.0) == "short"
    assert fitted("NVIDIA H800 SXM5 80 GB", 3.0) == "NVIDIA H800 SXM5 80 GB"
    assert fitted("NVIDIA H800 SXM5 80 GB", 0.95) == "H800 SXM5 80 GB"
    assert fitted("NVIDIA H800 SXM5 80 GB", 0.7) == "H800 SXM5…"
    assert shorten("a label that is much too long for its column", 1.0).endswith("…")


def test_fonts_travel_with_the_package() -> None:
    needed = {"SourceSansPro-Regular.otf", "SourceSansPro-Semibold.otf", "SourceSansPro-It.otf", "OFL.txt"}
    assert {path.name for path in FONT_DIR.iterdir()} >= needed


def test_small_terms_are_put_together() -> None:
    a = {f"term {n}": 10.0 - n for n in range(12)} | {"other": 1.0}
    b = {f"term {n}": 0.5 for n in range(12)} | {"late": 20.0}
    rows = largest_terms(a, b)
    assert list(rows)[:2] == ["late", "term 0"]
    assert list(rows)[-1] == "other"
    assert len(rows) == 10
    assert sum(x for x, _ in rows.values()) == pytest.approx(sum(a.values()))
    assert sum(y for _, y in rows.values()) == pytest.approx(sum(b.values()))


def test_curves_are_named_beside_them() -> None:
    # A name as wide as the axes fits nowhere without cost; a short one stands clear of the only curve.
    curve = [(x / 10, 1.0) for x in range(40)]
    free = min(_covered(box, curve, [], 4.0, 2.0) for box in _beside(curve, 0.5))
    assert free == 0
    assert min(_covered(box, curve, [], 4.0, 2.0) for box in _beside(curve, 5.0)) > 0
