"""Clock and power while a kernel runs, from the vendor's own tool; empty where there is none."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

SECONDS = 5.0


def read_state(kind: str, index: int = 0) -> tuple[str, str]:
    """Core clock [MHz] and power [W] of a device as text.

    Parameters
    ----------
    kind : str
        cuda, rocm, npu or cpu.
    """
    if kind == "cuda":
        query = (
            "nvidia-smi",
            "-i",
            str(index),
            "--query-gpu=clocks.sm,power.draw",
            "--format=csv,noheader,nounits",
        )
        found = re.match(r"\s*([\d.]+)\s*,\s*([\d.]+)", _output(query))
        return (found[1], found[2]) if found else ("", "")
    if kind == "rocm":
        text = _output(("rocm-smi", "-d", str(index), "--showclocks", "--showpower"))
        return _first(r"sclk[^\n]*?\((\d+)\s*[Mm]hz\)", text), _first(r"Power \(W\):\s*([\d.]+)", text)
    if kind == "npu":
        text = _output(("npu-smi", "info", "-t", "common", "-i", str(index)))
        clock = _first(r"Aicore[^\n]*[Ff]req[^\n:]*:\s*([\d.]+)", text)
        return clock, _first(r"Power[^\n:]*:\s*([\d.]+)", text)
    return "", ""


def _output(command: Sequence[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""
