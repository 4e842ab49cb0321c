"""Who was admitted when: the newest request of the last class is pushed out first."""

from __future__ import annotations

from sim.serving.live import LiveRequest


class Admissions:
    """Requests of an instance in order of admission, by class.

    Attributes
    ----------
    next : int
        Serial number of the next admission. A request whose ``admission`` is another than the one it was entered with
        has left; its entry is stale and is skipped.
    """

    __slots__ = ("_lines", "next")

    def __init__(self, classes: int) -> None:
        self.next = 0
        self._lines: list[list[tuple[int, LiveRequest]]] = [[] for _ in range(classes)]

    def enter(self, sequence: LiveRequest) -> None:
        """A request is admitted under the next number, which it has already."""
        self._lines[sequence.priority].append((self.next, sequence))
        self.next += 1

    def take_newest(self) -> LiveRequest:
        """The newest of the last class that has one; there must be one."""
        while True:
            admission, sequence = next(line for line in reversed(self._lines) if line).pop()
            if sequence.admission == admission:
                return sequence

    def drop_stale(self, active: int) -> None:
        """Forget who has left once they are many beside the ``active`` ones."""
        for line in self._lines:
            if len(line) > 4 * active + 64:
                line[:] = [entry for entry in line if entry[1].admission == entry[0]]
