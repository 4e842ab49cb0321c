"""Rules that choose a replica (or a unit) for a request: plain functions of what can be seen of them.

A rule gets the candidates, the serial number of the request at this router, and the request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from sim.serving.live import LiveRequest


class Candidate(Protocol):
    """What a rule can see of a replica or a unit."""

    @property
    def load(self) -> int:
        """Requests waiting or being served."""

    @property
    def unread(self) -> int:
        """Prompt tokens still to be read."""

    def known_tokens(self, hashes: Any) -> int:
        """Prompt tokens its prefix cache knows."""


Route = Callable[[Sequence[Any], int, LiveRequest], Any]


def round_robin(replicas: Sequence[Any], serial: int, request: LiveRequest | None = None) -> Any:
    """Each replica in turn."""
    return replicas[serial % len(replicas)]


def least_loaded(replicas: Sequence[Any], serial: int, request: LiveRequest | None = None) -> Any:
    """The replica with the fewest requests waiting or running; the first of them on a tie."""
    return min(replicas, key=_load)


def least_unread(replicas: Sequence[Any], serial: int, request: LiveRequest | None = None) -> Any:
    """The replica with the fewest prompt tokens before it: where prompts differ in length, their number says little."""
    return min(replicas, key=_unread)


def cache_aware(replicas: Sequence[Any], serial: int, request: LiveRequest) -> Any:
    """The replica that is through with the prompt first: tokens before it, and those of its own that are not known there.

    Notes
    -----
    Algorithm 1 of Mooncake (arXiv 2407.00079) without its transfer of blocks between instances, with tokens in place of
    times; among equals the least loaded.
    """

    def tokens(replica: Candidate) -> tuple[int, int]:
        return replica.unread - replica.known_tokens(request.hashes), replica.load

    return min(replicas, key=tokens)


def power_of_two(rng: np.random.Generator) -> Route:
    """The less loaded of two replicas picked at random (Mitzenmacher 2001, doi:10.1109/71.963420)."""

    def route(replicas: Sequence[Any], serial: int, request: LiveRequest | None = None) -> Any:
        first, second = (replicas[i] for i in rng.integers(0, len(replicas), 2))
        return first if first.load <= second.load else second

    return route


def in_groups(route: Route, size: int) -> Route:
    """Routers side by side: replicas in groups of ``size``, requests to the groups in turn, ``route`` within a group.

    A last group that is smaller gets requests in proportion.
    """

    def grouped(replicas: Sequence[Any], serial: int, request: LiveRequest | None = None) -> Any:
        whole, rest = divmod(len(replicas), size)
        turn, short = serial % len(replicas), rest * (whole + 1)  # turns in which the last group takes part
        group = turn % (whole + 1) if turn < short else (turn - short) % whole
        return route(replicas[group * size : (group + 1) * size], serial, request)  # type: ignore[arg-type]

    return grouped


def _load(replica: Candidate) -> int:
    return replica.load


def _unread(replica: Candidate) -> int:
    return replica.unread


ROUTES = ("round-robin", "least-loaded", "least-unread", "cache-aware", "power-of-two")


def named(name: str, rng: np.random.Generator) -> Route:
    """A rule by its name in scenario files.

    Raises
    ------
    KeyError
        When there is none of that name.

    Examples
    --------
    >>> named("round-robin", np.random.default_rng(0)) is round_robin
    True
    """
    rules: tuple[Route, ...] = (round_robin, least_loaded, least_unread, cache_aware, power_of_two(rng))
    return dict(zip(ROUTES, rules, strict=True))[name]
