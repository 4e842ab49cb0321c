"""Pipeline schedules in closed form: how long a step takes and how many micro-batches a rank holds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sim.layout.layouts import SCHEDULES

Array = NDArray[np.float64] | float

_PLAIN, _INTERLEAVED, _ZERO_BUBBLE, _DUALPIPE, _DUALPIPEV = range(len(SCHEDULES))


def bubble_time(
    schedule: Array,
    stages: Array,
    chunks: Array,
    forward_s: Array,
    backward_s: Array,
    weight_s: Array,
    together_s: Array,
) -> Array:
    """Idle time of a rank in one step with equal stages [s].

    Parameters
    ----------
    schedule : Array
        Index into ``SCHEDULES``.
    stages, chunks : Array
        Pipeline ranks p, and virtual stages per rank v.
    forward_s, backward_s : Array
        Time of one rank for one micro-batch: forward F and full backward B [s].
    weight_s : Array
        Part W of B that computes weight gradients and can wait [s].
    together_s : Array
        Time F&B of a forward and a backward that hide each other's communication [s]; F + B if they do not.

    Notes
    -----
    1F1B (p - 1)(F + B); interleaved the v-th part (arXiv 2104.04473, section 2.2); zero bubble, variant H1,
    (p - 1)(F + B - 2W) (arXiv 2401.10241, table 1, with B the full backward); DualPipe (p/2 - 1)(F&B + B -
    3W) (deepseek-ai/DualPipe, README). DualPipeV has the bubble of DualPipe with twice as many stages, each half as
    long (same place): (p - 1)(F&B + B - 3W)/2. All vanish for one stage.

    Examples
    --------
    Eight stages with 16 micro-batches of 3 s: 21 s idle of 69 s, 30.4 %.

    >>> idle = float(bubble_time(0, 8, 1, 1.0, 2.0, 1.0, 3.0))
    >>> idle, round(100 * idle / (idle + 16 * 3), 1)
    (21.0, 30.4)
    """
    ramp = np.maximum(np.asarray(stages, dtype=float) - 1.0, 0.0)
    half = np.maximum(np.asarray(stages, dtype=float) / 2.0 - 1.0, 0.0)
    times = {
        _PLAIN: ramp * (forward_s + backward_s),
        _INTERLEAVED: ramp * (forward_s + backward_s) / chunks,
        _ZERO_BUBBLE: ramp * (forward_s + backward_s - 2.0 * weight_s),
        _DUALPIPE: half * (together_s + backward_s - 3.0 * weight_s),
        _DUALPIPEV: ramp / 2.0 * (together_s + backward_s - 3.0 * weight_s),
    }
    return _pick(schedule, times)


def apart(schedule: Array, stages: Array, micro_batches: Array) -> Array:
    """Micro-batches whose forward and backward run one after the other, not overlapped with another's.

    DualPipe with p ranks: 5p/4 - 1/2 on average per rank, and one pair more on the two middle ranks (counted in
    ``dualpipe.py``: 19.5 + 1/8 for p = 16); DualPipeV half of what DualPipe with 2p ranks has. The other schedules
    overlap across neighbouring micro-batches only in the steady phase: p - 1 stand alone.
    """
    p = np.asarray(stages, dtype=float)
    lone = dict.fromkeys((_PLAIN, _INTERLEAVED, _ZERO_BUBBLE), p - 1.0)
    both = 1.25 * p - 0.5 + 2.0 / p, 1.25 * p - 0.25 + 0.5 / p
    lone |= {_DUALPIPE: both[0], _DUALPIPEV: both[1]}
    return np.minimum(np.maximum(_pick(schedule, lone), 1.0), micro_batches)


def in_flight(
    schedule: Array, stages: Array, chunks: Array, micro_batches: Array, lead: Array = 0.0
) -> Array:
    """Micro-batches whose activations the first rank holds at the same time, in units of a whole rank.

    1F1B and zero bubble H1 p; interleaved p (1 + (p - 1)/(p v)) (arXiv 2205.05198, section 4.2.3); DualPipe p
    + 1, DualPipeV 2p + 1 of its half stages (README). Never more than there are.

    ``lead`` is 1 where the stack runs the forward of one micro-batch beside the backward of another: outside the two
    DualPipes, which do so anyway, that takes one more forward chunk ahead of the first backward.

    Examples
    --------
    >>> float(in_flight(0, 8, 1, 64)), float(in_flight(0, 8, 1, 64, lead=1)), float(in_flight(0, 1, 1, 64, lead=1))
    (8.0, 9.0, 2.0)
    """
    p = np.asarray(stages, dtype=float)
    interleaved = p * (1.0 + (p - 1.0) / (p * chunks)) + lead / np.asarray(chunks)
    held = {
        _PLAIN: p + lead,
        _INTERLEAVED: np.where(p > 1.0, interleaved, 1.0 + lead),
        _ZERO_BUBBLE: p + lead,
        _DUALPIPE: p + 1.0,
        _DUALPIPEV: p + 0.5,
    }
    alone = np.minimum(1.0 + lead, micro_batches)
    return np.where(p > 1.0, np.minimum(_pick(schedule, held), micro_batches), alone)


def held_by_last(
    schedule: Array, stages: Array, chunks: Array, micro_batches: Array, lead: Array = 0.0
) -> Array:
    """Micro-batches that the last rank holds at the same time; the rest as in :func:`in_flight`.

    1F1B 1; interleaved all chunks but the last run ahead, (p (v - 1) + 1)/v; zero bubble H1 keeps the input of a
    micro-batch until its weight gradient, which waits for as many as the ranks before it; both DualPipes as the
    first rank.
    """
    p = np.asarray(stages, dtype=float)
    v = np.asarray(chunks, dtype=float)
    first = in_flight(schedule, stages, chunks, micro_batches, lead)
    held = {
        _PLAIN: 1.0 + lead + 0.0 * p,
        _INTERLEAVED: (p * (v - 1.0) + 1.0 + lead) / v,
        _ZERO_BUBBLE: first,
        _DUALPIPE: first,
        _DUALPIPEV: first,
    }
    return np.where(p > 1.0, np.minimum(_pick(schedule, held), micro_batches), first)


def weight_copies(schedule: Array) -> Array:
    """Stages whose weights one rank holds: two under DualPipe, which feeds the pipeline from both ends."""
    return np.where(np.asarray(schedule) == _DUALPIPE, 2.0, 1.0)


def both_ended(schedule: Array | NDArray[np.int64]) -> NDArray[np.bool_]:
    """True for DualPipe and DualPipeV, whose ranks hold a stage near each end of the model."""
    return np.asarray(schedule) >= _DUALPIPE


def _pick(schedule: Array, times: Mapping[int, Array]) -> Array:
    code = np.asarray(schedule)
    chosen: Array = np.asarray(times[_PLAIN], dtype=float)
    for index, value in times.items():
        if index != _PLAIN:
            chosen = np.where(code == index, value, chosen)
    return chosen
