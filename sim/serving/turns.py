"""Requests that wait for the answer to an earlier one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import simpy
from numpy.typing import NDArray


class Turns:
    """Who comes after whom, and how long a tool (or a user) takes in between.

    Parameters
    ----------
    follows : ndarray (n,)
        Row of the request whose answer a request waits for; -1: it comes at its own time.
    wait_s : ndarray (n,)
        Time from that answer to the request [s].

    Raises
    ------
    ValueError
        When a request waits for itself or a later row.
    """

    __slots__ = ("_begin", "_rows", "_wait", "waits")

    def __init__(self, follows: NDArray[np.int32], wait_s: NDArray[np.float64]) -> None:
        if np.any(follows >= np.arange(len(follows))):
            raise ValueError("a request can only follow one of an earlier row")
        self.waits = follows >= 0
        self._wait = wait_s
        # Rows sorted by whom they follow: those after row r are rows[begin[r]:begin[r + 1]].
        self._rows = np.argsort(follows, kind="stable")
        self._begin = np.searchsorted(follows[self._rows], np.arange(len(follows) + 1))

    def send_after(self, row: int, environment: simpy.Environment, send: Callable[[int], None]) -> None:
        """The answer of a row is out: send what follows it when its time has come."""
        for later in self._rows[self._begin[row] : self._begin[row + 1]].tolist():
            event = environment.timeout(float(self._wait[later]))
            assert event.callbacks is not None
            event.callbacks.append(partial(_sent, send, later))


def _sent(send: Callable[[int], None], row: int, event: simpy.Event) -> None:
    send(row)
