"""Waiting lines: first come first served, and by priority class."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from sim.serving.live import LiveRequest


class PriorityLine:
    """First come first served within a class, class 0 before class 1; used like a deque."""

    __slots__ = ("_classes", "_count")

    def __init__(self, classes: int) -> None:
        self._classes: tuple[deque[LiveRequest], ...] = tuple(deque() for _ in range(classes))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[LiveRequest]:
        return (request for line in self._classes for request in line)

    def __getitem__(self, place: int) -> LiveRequest:
        """Head of the line; only place 0 is known."""
        return next(line for line in self._classes if line)[place]

    def append(self, request: LiveRequest) -> None:
        """To the end of its class."""
        self._classes[request.priority].append(request)
        self._count += 1

    def appendleft(self, request: LiveRequest) -> None:
        """To the head of its class."""
        self._classes[request.priority].appendleft(request)
        self._count += 1

    def popleft(self) -> LiveRequest:
        """The head of the first class that has one."""
        self._count -= 1
        return next(line for line in self._classes if line).popleft()

    def pop(self) -> LiveRequest:
        """The end of the last class that has one."""
        self._count -= 1
        return next(line for line in reversed(self._classes) if line).pop()

    def clear(self) -> None:
        """Empty the line."""
        for line in self._classes:
            line.clear()
        self._count = 0


Line = deque[LiveRequest] | PriorityLine


def line_for(classes: int) -> Line:
    """A plain queue where there is one class only."""
    return deque() if classes == 1 else PriorityLine(classes)
