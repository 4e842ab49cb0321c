"""The wheel is whole: it runs from an empty folder, with its data, its fonts and its template inside."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = ("hardware_profiles", "scenarios", "validation")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """Built from this checkout with what is installed here, and read without installing."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("chip_parity-*.whl")
    return zipfile.Path(path)


@pytest.fixture(scope="module")
def installed(wheel: zipfile.Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    wheel.root.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def names(wheel: zipfile.Path) -> set[str]:
    return set(wheel.root.namelist())


@pytest.mark.parametrize("folder", DATA)
def test_every_data_file_travels(folder: str, names: set[str]) -> None:
    kinds = {".yaml", ".json", ".csv"}
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.suffix in kinds}
    assert here
    assert {f"sim/data/{path}" for path in here} <= names


def test_every_module_font_and_template_travels(names: set[str]) -> None:
    wanted = {".py", ".typ", ".otf", ".ttf"}
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / "sim").rglob("*") if path.suffix in wanted}
    assert here <= names
    assert any(name.endswith(".typ") for name in names)
    assert any(name.endswith((".otf", ".ttf")) for name in names)


def test_nothing_else_travels(names: set[str]) -> None:
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"sim"}
    assert not any("__pycache__" in name or name.endswith(".pyc") for name in names)


def inside(installed: Path, home: Path, *words: str) -> str:
    """Output of Python in an empty folder that sees the unpacked wheel before everything else."""
    done = subprocess.run(
        [sys.executable, *words], cwd=home, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_the_wheel_that_runs(installed: Path, tmp_path: Path) -> None:
    assert str(installed) in inside(installed, tmp_path, "-c", "import sim; print(sim.__path__)")


def test_chips_are_found_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    lines = inside(installed, tmp_path, "-m", "sim.cli", "profiles", "list").splitlines()
    chips = {path.stem for path in (ROOT / "hardware_profiles" / "chips").glob("*.yaml")}
    assert chips <= {line.split()[0] for line in lines if line.split()}
    assert list(tmp_path.iterdir()) == []


def test_a_question_is_answered_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    code = """
from sim.profiles.catalogue import Catalogue
from sim.resolve import MEDIAN
from sim.study import run
from sim.study.validation.cases import validation_folder
question = run.load_question(Catalogue(), "ascend_20k_vs_h100_12k")
chat = next(task for task in question.tasks if task.job.id == "chat-v3")
print(float(run.prepare(question, chat).equal(MEDIAN)[0]), (validation_folder() / "training.csv").is_file())
"""
    count, validated = inside(installed, tmp_path, "-c", code).split()
    assert 2_000 < float(count) < 60_000
    assert validated == "True"
    assert list(tmp_path.iterdir()) == []
