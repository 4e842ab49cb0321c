"""Readers of kernel tables: ours and public ones; rows become work, traffic and seconds as the simulator counts them.

A reader is a function from a row to a :class:`Sample`, a :class:`Transfer`, or the reason why it is left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from sim.calibrate.lines import Line, read_lines
from sim.calibrate.public_tables import PUBLIC_FORMATS, Reader
from sim.calibrate.samples import (
    BYTES,
    COLLECTIVES,
    KERNEL_FAMILIES,
    NEEDED,
    Sample,
    Transfer,
    attention_sample,
    expert_sample,
    grouped_attention,
    latent_attention,
    product_sample,
)
from sim.physics.attention_shapes import GroupedAttention, LatentAttention
from sim.profiles.messages import InputError, Mark, Problem
from sim.units import did_you_mean


@dataclass(slots=True)
class Table:
    """What one or several files hold; ``left_out`` counts rows by the reason they are not used."""

    samples: list[Sample] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    dates: set[str] = field(default_factory=set)


def read_tables(paths: list[Path]) -> Table:
    """All rows of the tables, whichever of the known formats each has.

    Raises
    ------
    InputError
        With file and line, when a table is of no known format or a cell cannot be used.
    """
    table = Table()
    for path in paths:
        columns, lines = read_lines(path)
        reader = _reader(path, columns)
        for line in lines:
            found = reader(line)
            table.dates |= {line.text("date")} - {""}
            if isinstance(found, str):
                table.left_out[found] += 1
            elif isinstance(found, Sample):
                table.samples.append(found)
            else:
                table.transfers.append(found)
    return table


def _reader(path: Path, columns: tuple[str, ...]) -> Reader:
    for needed, reader in {NEEDED: _own, **PUBLIC_FORMATS}.items():
        if set(needed) <= set(columns):
            return reader
    missing = [name for name in NEEDED if name not in columns]
    hint = did_you_mean(missing[0], columns)
    message = (
        f"missing column {', '.join(missing)}{hint}; a table of kernels has {', '.join(NEEDED)} and sizes"
    )
    raise InputError([Problem(message, Mark(path))])


# --- our own format ----------------------------------------------------------------------------------------------


def _own(line: Line) -> Sample | Transfer:
    """Our own measurements (docs/your-own-chip.md says what each column holds)."""
    chip, family, software = line.text("chip"), line.text("family"), line.text("software")
    precision = line.text("precision")
    known = (*KERNEL_FAMILIES, *COLLECTIVES)
    if family not in known:
        line.refuse("family", f'"{family}" is not one of {", ".join(known)}{did_you_mean(family, known)}')
    if precision not in BYTES:
        line.refuse(
            "precision", f'"{precision}" is not one of {", ".join(BYTES)}{did_you_mean(precision, BYTES)}'
        )
    seconds, launches = line.value("latency_s"), line.value("launches", 1.0)
    if seconds == 0.0:
        line.refuse("latency_s", "read 0, where a time above zero is expected")
    if family in COLLECTIVES:
        return Transfer(chip, family, line.size("members", 2), line.size("bytes"), seconds, software)
    if family == "gemm":
        return replace(product_sample(line, chip, precision, seconds, software), launches=launches)
    if family == "grouped_gemm":
        experts, rows = line.size("experts"), line.size("m")
        return expert_sample(
            chip, precision, seconds, software, copies=experts * rows, experts=experts, hidden=line.size("k"),
            inner=line.size("n"), weight_width=BYTES[precision], launches=launches,
        )  # fmt: skip
    if family in ("elementwise", "lookup"):
        moved = line.size("bytes")
        return Sample(chip, family, precision, 0.0, moved, 1.0, launches, seconds, software, f"{moved:g}")
    if line.text("latent"):
        kind: GroupedAttention | LatentAttention = latent_attention(
            *(line.size(name) for name in ("heads", "latent", "head_dim", "rope_dim", "value_dim"))
        )
    else:
        kind = grouped_attention(*(line.size(name) for name in ("heads", "kv_heads", "head_dim")))
    batch, new, past = line.size("batch"), line.size("new"), line.value("past", 0.0)
    return attention_sample(
        kind, chip, family, precision, seconds, software,
        batch=batch, new=new, past=past, cache_bytes=BYTES[precision],
    )  # fmt: skip
