"""Modes of a service (fast, expert, vision) that share one fleet: what each asks for, and what each gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.serving.cluster_run import ClusterRun
from sim.serving.plan import Details
from sim.serving.traffic import LengthDistribution, Requests, draw_requests


@dataclass(frozen=True, slots=True)
class Mode:
    """One way in which users call the same model.

    Attributes
    ----------
    share : float
        Of the requests, over the sum of all shares [1].
    prompt, output : LengthDistribution
        Tokens of text [token].
    prefix_hit : float
        Share of the text of the prompt that is cached [1].
    image_tokens : int
        Tokens that images add to every prompt [token].
    encode_s : float
        Time the vision encoder takes for them, on the chips that read the prompt [s].
    priority : int
        Class; 0 goes first.
    rhythm : int
        Which of the speculative settings of the limits it decodes with.
    ttft_s, tpot_s : float
        What its users are promised [s].
    """

    name: str
    share: float
    prompt: LengthDistribution
    output: LengthDistribution
    prefix_hit: float = 0.0
    image_tokens: int = 0
    encode_s: float = 0.0
    priority: int = 0
    rhythm: int = 0
    ttft_s: float = np.inf
    tpot_s: float = np.inf


@dataclass(frozen=True, slots=True)
class MixedTraffic:
    """Requests of several modes in order of arrival.

    Attributes
    ----------
    mode : ndarray (n,)
        Number of the mode of each.
    """

    requests: Requests
    details: Details
    mode: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ModeOutcome:
    """What the users of a mode got.

    Attributes
    ----------
    requests : int
        Requests that were finished.
    ttft_s, tpot_s, e2e_s : dict of percentile to float
        Latency [s].
    kept : float
        Share of its requests that kept both promises [1].
    output_tokens_per_s : float
        Tokens of its finished requests over the run [token/s].
    """

    name: str
    requests: int
    ttft_s: dict[float, float]
    tpot_s: dict[float, float]
    e2e_s: dict[float, float]
    kept: float
    output_tokens_per_s: float


def draw_modes(
    modes: Sequence[Mode], arrival_s: NDArray[np.float64], rng: np.random.Generator
) -> MixedTraffic:
    """Give each arrival a mode by its share, and the lengths of that mode."""
    shares = np.array([mode.share for mode in modes])
    chosen = rng.choice(len(modes), len(arrival_s), p=shares / shares.sum())
    prompt, output, cached = (np.zeros(len(arrival_s), np.int32) for _ in range(3))
    for number, mode in enumerate(modes):
        rows = chosen == number
        drawn = draw_requests(arrival_s[rows], mode.prompt, mode.output, mode.prefix_hit, rng)
        prompt[rows], output[rows], cached[rows] = (
            drawn.prompt + mode.image_tokens,
            drawn.output,
            drawn.cached,
        )
    return labelled(modes, Requests(arrival_s, prompt, output, cached), chosen)


def labelled(modes: Sequence[Mode], requests: Requests, mode: NDArray[np.int64]) -> MixedTraffic:
    """Requests whose modes are known, with the class, speculation and encoder time of each."""
    priority, rhythm = (
        np.array([getattr(each, name) for each in modes])[mode] for name in ("priority", "rhythm")
    )
    extra = np.array([each.encode_s for each in modes])[mode]
    details = Details(priority=priority.tolist(), rhythm=rhythm.tolist(), extra_s=extra.tolist())
    return MixedTraffic(requests, details, mode)


def by_mode(
    run: ClusterRun,
    modes: Sequence[Mode],
    mode: NDArray[np.int64],
    points: tuple[float, ...] = (50, 90, 99),
) -> list[ModeOutcome]:
    """What came of each mode; modes without a finished request have NaN latencies."""
    found = []
    for number, each in enumerate(modes):
        part = run.part(mode == number)
        finished = int(part.done.sum())
        nothing = {name: dict.fromkeys(points, np.nan) for name in ("ttft_s", "tpot_s", "e2e_s")}
        latency = part.percentiles(points) if finished else nothing
        kept = float(part.met(each.ttft_s, each.tpot_s).mean()) if len(part.requests) else np.nan
        found.append(
            ModeOutcome(
                each.name, finished, **latency, kept=kept, output_tokens_per_s=part.output_tokens_per_s()
            )
        )
    return found


def with_hashes(traffic: MixedTraffic, hashes: Sequence[Sequence[int]]) -> MixedTraffic:
    """The same with the ids of the prefix blocks of each prompt."""
    return replace(traffic, details=replace(traffic.details, hashes=hashes))
