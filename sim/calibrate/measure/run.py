"""``parity calibrate measure``: a device of this machine, measured into a table."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from sim.calibrate.measure.plan import plan
from sim.calibrate.measure.sweep import read_rows, sweep
from sim.calibrate.measure.torch_backend import TorchBackend


def measure_device(out: Path, device: str, chip: str, quick: bool, ranks: int, date: str) -> list[str]:
    """Sweep a device of this machine and say what was done.

    Raises
    ------
    InputError
        When PyTorch is missing, or there is no such device.
    """
    read_rows(out)  # a wrong file is refused before anything is loaded
    backend = TorchBackend(device, ranks)
    cases = plan(quick, backend.kind == "cpu", backend.ranks)
    swept = sweep(backend, cases, out, chip, date, Console(stderr=True))
    lines = [f"{backend.device}, {backend.software}"]
    lines += [f"skipped {count} of {what}" for what, count in swept.skipped.items()]
    return [*lines, f"wrote {out}: {swept.measured} rows measured, {swept.kept} kept from before"]
