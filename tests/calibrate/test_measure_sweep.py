"""The sweep of a device: whole after every row, continued where it stopped; and for real where PyTorch is there."""

import importlib.util
import io
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from sim import cli
from sim.calibrate.measure import sensors
from sim.calibrate.measure.plan import Case, case, plan
from sim.calibrate.measure.sweep import Reading, Unsupported, read_rows, sweep
from sim.calibrate.measure.torch_backend import TorchBackend
from sim.calibrate.samples import COLLECTIVES
from sim.calibrate.tables import read_tables

QUIET = Console(file=io.StringIO())
CASES = [case("gemm", "bf16", m=m, n=64, k=64) for m in (1, 2, 3)]


class Fake:
    """Every kernel takes a microsecond per row; fp8 is not there; stops for good after some kernels."""

    device, software, ranks = "fake", "Fake 1.0", 2

    def __init__(self, stop_after: int = 99) -> None:
        self.asked: list[Case] = []
        self.stop_after = stop_after

    def measure(self, case: Case) -> Reading:
        if len(self.asked) == self.stop_after:
            raise KeyboardInterrupt
        self.asked.append(case)
        if case.precision == "fp8":
            raise Unsupported("no such unit")
        return Reading(1e-6 * case.size("m"), "1500", "")

    def collectives(self, cases: Sequence[Case]) -> Iterator[tuple[Case, Reading]]:
        yield cases[0], Reading(1e-3)
        raise Unsupported("a process ended early")


def test_rows_come_out_as_they_go_in(tmp_path: Path) -> None:
    path = tmp_path / "new" / "kernels.csv"
    done = sweep(Fake(), CASES, path, "x", "2026-11-21", QUIET)
    assert (done.measured, done.kept) == (3, 0)
    table = read_tables([path])
    assert [each.seconds for each in table.samples] == [1e-6, 2e-6, 3e-6]
    assert [each.flop for each in table.samples] == [2 * m * 64 * 64 for m in (1, 2, 3)]
    assert table.dates == {"2026-11-21"}
    assert read_rows(path)[0]["clock_mhz"] == "1500"
    assert not list(path.parent.glob("*.part"))


def test_it_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    path = tmp_path / "kernels.csv"
    with pytest.raises(KeyboardInterrupt):
        sweep(Fake(stop_after=2), CASES, path, "x", "2026-11-21", QUIET)
    assert len(read_tables([path]).samples) == 2
    backend = Fake()
    done = sweep(backend, CASES, path, "x", "2026-11-22", QUIET)
    assert backend.asked == CASES[2:]
    assert (done.measured, done.kept) == (1, 2)
    other = sweep(Fake(), CASES, path, "y", "2026-11-22", QUIET)  # another chip has rows of its own
    assert (other.measured, other.kept) == (3, 3)


def test_what_the_device_cannot_do_is_counted(tmp_path: Path) -> None:
    cases = [case("gemm", "fp8", m=1, n=64, k=64), *CASES[:1]]
    cases += [case("all_reduce", "bf16", bytes=size, members=2) for size in (64, 128)]
    done = sweep(Fake(), cases, tmp_path / "kernels.csv", "x", "2026-11-21", QUIET)
    assert done.measured == 2
    assert done.skipped["gemm fp8: no such unit"] == 1
    assert any("ended early" in reason for reason in done.skipped)


def test_a_file_of_something_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.csv").write_text("a,b\n1,2\n")
    done = CliRunner().invoke(cli.app, ["calibrate", "measure", "--out", "notes.csv"])
    assert done.exit_code == 2
    assert done.stderr.startswith("notes.csv:1:1: this file is no table of kernels")
    assert Path("notes.csv").read_text() == "a,b\n1,2\n"


def test_without_pytorch_there_is_a_plain_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    done = CliRunner().invoke(cli.app, ["calibrate", "measure", "--out", str(tmp_path / "k.csv")])
    assert done.exit_code == 2
    assert done.stderr.startswith("PyTorch is not installed in this environment")
    assert "pip install 'chip-parity[measure]'" in done.stderr


def test_the_plan() -> None:
    whole, quick = plan(ranks=8), plan(quick=True, small=True)
    assert len(whole) == len(set(whole)) > 5 * len(quick)
    assert {each.family for each in whole} >= {"gemm", "grouped_gemm", "elementwise", *COLLECTIVES}
    assert not {each.family for each in quick} & set(COLLECTIVES)
    assert {each.precision for each in whole} == {"bf16", "fp16", "fp8", "int8"}
    assert all(
        each.size("bytes") % 16 == 0 for each in whole if each.family in COLLECTIVES
    )  # 8 ranks x 2 bytes


def test_clock_and_power_are_what_the_vendor_tool_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    rocm = "GPU[0]\t\t: sclk clock level: 1: (2100Mhz)\nGPU[0]\t: Current Socket Graphics Package Power (W): 612.0\n"
    npu = "\tAicore Freq(MHZ)               : 1650\n\tNPU Real-time Power(W)         : 310.5\n"
    for kind, text, expected in (
        ("cuda", "1980, 612.34\n", ("1980", "612.34")),
        ("rocm", rocm, ("2100", "612.0")),
        ("npu", npu, ("1650", "310.5")),
        ("cuda", "", ("", "")),
        ("cpu", "", ("", "")),
    ):
        monkeypatch.setattr(sensors, "_output", lambda command, text=text: text)
        assert sensors.read_state(kind) == expected
    monkeypatch.undo()
    assert sensors._output(("no-such-vendor-tool",)) == ""


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_pytorch_on_the_processor(tmp_path: Path) -> None:
    from sim.calibrate.measure.torch_backend import TorchBackend

    backend = TorchBackend("cpu", 1)
    cases = [
        case("gemm", "bf16", m=8, n=64, k=64),
        case("gemm", "int8", m=32, n=64, k=64),
        case("gemm", "fp8", m=32, n=64, k=64),
        case("grouped_gemm", "bf16", m=4, n=64, k=64, experts=2),
        case("attention_prefill", "bf16", batch=1, heads=4, kv_heads=2, head_dim=32, new=64, past=0),
        case("attention_decode", "bf16", batch=2, heads=4, kv_heads=2, head_dim=32, new=1, past=63),
        case("elementwise", "bf16", bytes=4096),
    ]
    done = sweep(backend, cases, tmp_path / "k.csv", "x", "2026-11-21", QUIET)
    assert done.measured + sum(done.skipped.values()) == len(cases)
    samples = read_tables([tmp_path / "k.csv"]).samples
    assert {each.family for each in samples} >= {"gemm", "grouped_gemm", "attention_decode", "elementwise"}
    assert all(0 < each.seconds < 1 for each in samples)


def backend_whose_kernels_raise(error: Exception, monkeypatch: pytest.MonkeyPatch) -> TorchBackend:
    def product(case: Case) -> tuple[object, float]:
        raise error

    backend = TorchBackend.__new__(TorchBackend)
    backend.torch = SimpleNamespace(inference_mode=nullcontext, __version__="2.4.0")
    backend.kind = backend.place = "cpu"
    backend.library = None
    monkeypatch.setattr(backend, "_gemm", product)
    return backend


@pytest.mark.parametrize("error", [RuntimeError("no kernel\nbacktrace"), NotImplementedError("no kernel")])
def test_a_kernel_that_pytorch_refuses_is_skipped_with_its_reason(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unsupported, match=r"^no kernel$"):
        backend_whose_kernels_raise(error, monkeypatch).measure(CASES[0])


def test_a_mistake_of_ours_is_no_missing_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError):
        backend_whose_kernels_raise(TypeError("wrong call"), monkeypatch).measure(CASES[0])


def test_a_device_that_broke_down_ends_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kernel after it would fail as well, and a table without them would look whole."""

    def dead() -> None:
        raise RuntimeError("illegal memory access")

    backend = backend_whose_kernels_raise(RuntimeError("illegal memory access"), monkeypatch)
    backend.library = SimpleNamespace(synchronize=dead, empty_cache=lambda: None)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        backend.measure(CASES[0])


def test_a_format_that_a_release_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = backend_whose_kernels_raise(RuntimeError(), monkeypatch)
    monkeypatch.undo()
    with pytest.raises(Unsupported, match=r"PyTorch 2\.4\.0 has no _int_mm"):
        backend.measure(case("gemm", "int8", m=1, n=64, k=64))
