"""Sequences that decode in the same rhythm: their cache blocks, their ends, their contexts, without looking at each."""

from __future__ import annotations

from heapq import heappop, heappush

from sim.serving.live import LiveRequest
from sim.serving.steps import Rhythm, Speculation


class BlockCount:
    """Cache blocks of sequences that all grow in step.

    A sequence is known by its offset: context minus the tokens the rhythm has emitted. Since all grow alike,
    the offsets stay fixed and only their remainders by the block size decide who needs a new block when.
    """

    __slots__ = ("_by_remainder", "_size", "_whole", "count")

    def __init__(self, block_tokens: int) -> None:
        self._size = block_tokens
        self._by_remainder = [0] * block_tokens
        self._whole = 0
        self.count = 0

    def add(self, offset: int) -> None:
        """A sequence joins."""
        whole, remainder = divmod(offset, self._size)
        self._whole += whole
        self._by_remainder[remainder] += 1
        self.count += 1

    def remove(self, offset: int) -> None:
        """A sequence leaves."""
        whole, remainder = divmod(offset, self._size)
        self._whole -= whole
        self._by_remainder[remainder] -= 1
        self.count -= 1

    def at(self, emitted: int) -> int:
        """Blocks held when the rhythm has emitted so many tokens: sum of ceil((offset + emitted) / size).

        Examples
        --------
        >>> blocks = BlockCount(16)
        >>> blocks.add(16); blocks.add(20)
        >>> blocks.at(0), blocks.at(1), blocks.at(13)
        (3, 4, 5)
        """
        whole, over = divmod(emitted, self._size)
        counts = self._by_remainder
        total = self._whole + self.count * (whole + 1)
        if over == 0:
            return total - counts[0]
        return total + sum(counts[self._size - over + 1 :])


class Track:
    """The sequences of an instance that decode with one speculative setting.

    Attributes
    ----------
    emitted : int
        Tokens per sequence by the present step.
    offsets : int
        Sum over sequences of context minus ``emitted``; the sum of contexts is ``offsets + count x emitted``.
    slack : int
        Draft slots, and what the last block of a sequence may leave empty [token].
    ends : list
        Heap of (tokens the rhythm must have emitted, admission, sequence); entries whose number is stale have left.
    """

    __slots__ = ("cache", "emitted", "ends", "lookahead", "offsets", "rhythm", "slack", "weight")

    def __init__(self, speculation: Speculation, block_tokens: int) -> None:
        self.rhythm = Rhythm(speculation.accepted)
        self.lookahead = speculation.lookahead
        self.weight = speculation.weight
        self.slack = speculation.lookahead + block_tokens - 1
        self.cache = BlockCount(block_tokens)
        self.emitted = 0
        self.offsets = 0
        self.ends: list[tuple[int, int, LiveRequest]] = []

    def join(self, sequence: LiveRequest, shared: int) -> None:
        """A sequence begins to decode; ``shared`` of its tokens lie in blocks that are counted elsewhere."""
        emitted = self.emitted
        sequence.offset = offset = sequence.prompt + sequence.generated - emitted
        self.offsets += offset
        self.cache.add(offset + self.lookahead - shared)
        heappush(self.ends, (emitted + sequence.output - sequence.generated, sequence.admission, sequence))

    def leave(self, sequence: LiveRequest, shared: int) -> None:
        """It stops."""
        self.cache.remove(sequence.offset + self.lookahead - shared)
        self.offsets -= sequence.offset

    def steps_to_end(self, step: int) -> int:
        """Steps until the first sequence is done; there must be one."""
        ends = self.ends
        while ends[0][2].admission != ends[0][1]:
            heappop(ends)  # left before its end
        return self.rhythm.first_step(ends[0][0]) - step

    def blocks_at(self, step: int) -> int:
        """Cache blocks held at a step."""
        return self.cache.at(self.rhythm.emitted(step))
