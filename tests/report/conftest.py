"""The example report, drawn once for all tests that look at it."""

import pytest
from example_content import JOBS, example

from sim.report.content import ReportContent
from sim.report.figures import Drawing, draw_all


@pytest.fixture(scope="session")
def flagship() -> ReportContent:
    return example()


@pytest.fixture(scope="session")
def flagship_drawings(flagship: ReportContent) -> dict[str, Drawing]:
    return draw_all(flagship)


@pytest.fixture(scope="session")
def small() -> ReportContent:
    """One job of each kind."""
    return example(jobs=(JOBS[0], JOBS[2]))


@pytest.fixture(scope="session")
def small_drawings(small: ReportContent) -> dict[str, Drawing]:
    return draw_all(small)
