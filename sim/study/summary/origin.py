"""How a headline was obtained: closed form on all draws, event engine on a few worlds, and the gap between the two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.report.content import JobContent, Origin

Check = tuple[str, float, float]  # "cluster: quantity", closed form, event engine
SPEED = ("tokens per second", "throughput")  # in the name of a quantity that grows with the work done
TIME = ("wall time",)  # and of one that falls


def origin(job: JobContent, labels: tuple[str, str], draws: int) -> Origin:
    """Where the count of B comes from.

    Parameters
    ----------
    labels : (str, str)
        Of A and B, as the checks of the job begin.

    Notes
    -----
    The count goes as the work of A over that of B, so the event engines give (A events / A closed) / (B events / B closed)
    times the closed form. The gap is that minus 1, the largest over the worlds that were played on both sides.
    """
    gaps = []
    one, other = (_speeds(job.from_events, label) for label in labels)
    for world in one.keys() & other.keys():
        if one[world] > 0 and other[world] > 0:
            gaps.append(one[world] / other[world] - 1.0)
    worst = max(gaps, key=abs) if gaps else float("nan")
    return Origin(draws, len(gaps), float(worst))


def _speeds(checks: Sequence[Check], label: str) -> dict[str, float]:
    """Work by events over work by closed form, by the world in which both were worked out."""
    found = {}
    for quantity, closed, events in checks:
        name = quantity.removeprefix(f"{label}: ")
        if name == quantity or not (np.isfinite([closed, events]).all() and closed > 0 and events > 0):
            continue
        if any(word in name for word in TIME):
            found[name] = closed / events
        elif any(word in name for word in SPEED):
            found[name] = events / closed
    return found
