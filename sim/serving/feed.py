"""Arrivals that an instance takes up at its own step boundaries: no event for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sim.serving.traffic import Requests

Arrive = Callable[[int, int, int, int, float], None]
CHUNK = 65536  # requests turned into Python numbers at a time: keeps ten million of them within a gigabyte
Row = tuple[int, tuple[float, int, int, int]]


def rows_of(requests: Requests) -> Iterator[Row]:
    """Number, and (arrival, prompt, output, cached), of each request in order."""
    for low in range(0, len(requests), CHUNK):
        part = slice(low, low + CHUNK)
        columns = requests.arrival_s, requests.prompt, requests.output, requests.cached
        yield from enumerate(zip(*(column[part].tolist() for column in columns), strict=True), start=low)


class Feed:
    """Requests that nobody sees before the only instance of a pool reaches a step boundary.

    Parameters
    ----------
    arrive : callable
        Told ``(index, prompt, output, cached, time)`` of each request, in order, once its time has come.

    Attributes
    ----------
    next_s : float
        When the next one comes; inf after the last [s].
    """

    __slots__ = ("_arrive", "_row", "_rows", "next_s")

    def __init__(self, requests: Requests, arrive: Arrive) -> None:
        self._rows = rows_of(requests)
        self._arrive = arrive
        self._advance()

    def _advance(self) -> None:
        self._row = row = next(self._rows, None)
        self.next_s = float("inf") if row is None else row[1][0]

    def release(self, now: float) -> None:
        """Let in all that have come by now."""
        arrive, rows, row = self._arrive, self._rows, self._row
        while row is not None and row[1][0] <= now:
            index, (when, prompt, output, cached) = row
            arrive(index, prompt, output, cached, when)
            row = next(rows, None)
        self._row = row
        self.next_s = float("inf") if row is None else row[1][0]
