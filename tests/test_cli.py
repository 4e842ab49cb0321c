"""The command, as typed: output, exit codes, and plain lines for mistakes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sim import cli
from sim.commands import models
from sim.profiles import catalogue as catalogue_module

Typed = Callable[..., Result]
DATA = Path(__file__).parent / "data" / "catalogue"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Typed:
    monkeypatch.setattr(catalogue_module, "shipped_root", lambda: DATA)
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli.app, words)


def test_version(typed: Typed) -> None:
    assert typed("--version").output.startswith("parity 0.")


def test_help_needs_no_heavy_package() -> None:
    heavy = "{'numpy', 'scipy', 'pandas', 'pint', 'pydantic', 'matplotlib', 'ruamel.yaml', 'simpy'}"
    code = f"import sys, sim.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_list(typed: Typed) -> None:
    lines = typed("profiles", "list", "chips", "regions").output.splitlines()
    row = "test-chip  Test chip  100 TFLOP/s  200 TFLOP/s  80 GB  3.35 TB/s  700 W  unknown  datasheet"
    assert lines[2].split() == row.split()
    assert any(line.split() == ["test-region", "Test", "region"] for line in lines)


def test_show_with_sources(typed: Typed) -> None:
    output = typed("profiles", "show", "test-chip", "--sources").output
    row = next(line for line in output.splitlines() if line.startswith("compute.matrix.fp8"))
    assert row.split("  ")[0] == "compute.matrix.fp8"
    assert "200 TFLOP/s" in row
    assert "180 TFLOP/s to 200 TFLOP/s" in row
    assert "press *" in row
    assert "https://example.org/sheet" in output
    assert "said on stage" in output


def test_models_are_computed(typed: Typed) -> None:
    # By hand, hidden 64, 2 layers, 4 heads of 16 with 2 key-value heads, feed-forward 256, vocabulary 1000:
    # attention 2 x (64 x 64 + 2 x 64 x 32 + 64 x 64) = 24,576; gated feed-forward 2 x 3 x 64 x 256 = 98,304;
    # embedding and head 64,000 each; norms 5 x 64 = 320. Cache 2 layers x 2 x 32 x 2 bytes = 256 bytes per token.
    output = typed("models", "show", "test-model").output
    rows = [line.split() for line in output.splitlines()]
    assert ["attention", "projections", "24.58", "k", "24.58", "k"] in rows
    assert ["dense", "ffn", "98.3", "k", "98.3", "k"] in rows
    assert ["all", "251.2", "k", "186.9", "k"] in rows
    assert ["4K", "1.049", "MB", "256", "B"] in rows


def test_check(typed: Typed) -> None:
    done = typed("profiles", "check")
    assert (done.exit_code, done.output) == (0, "10 files, no mistakes\n")


def test_mistakes_are_plain_lines(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("id: bad\nextends: test-question\nclusters: {a: {chips: many}}\n")
    done = typed("profiles", "check", "bad.yaml")
    assert done.exit_code == 2
    assert done.stderr == "bad.yaml:3:23: clusters.a.chips: read many, where a whole number is expected\n"
    done = typed("profiles", "show", "test-chp")
    assert done.exit_code == 2
    assert done.stderr.startswith('no profile "test-chp"; did you mean "test-chip"')
    done = typed("profiles", "list", "chip")
    assert (done.exit_code, done.stderr) == (2, 'no kind "chip"; did you mean "chips"?\n')


def test_interrupted(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(models, "catalogue", stop)
    done = typed("models", "list")
    assert (done.exit_code, done.stderr) == (130, "interrupted\n")


def test_our_own_mistakes_keep_their_traceback(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(models, "catalogue", fail)
    assert isinstance(typed("models", "list").exception, ZeroDivisionError)


def test_schema(typed: Typed, tmp_path: Path) -> None:
    assert "wrote" in typed("schema").output
    assert (tmp_path / "hardware_profiles/schema/chip.schema.json").is_file()
    assert typed("schema").output == "all schemas are up to date\n"
