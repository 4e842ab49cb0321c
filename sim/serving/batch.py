"""Sequences that decode in the same rhythm: their cache blocks, their ends, their contexts, without looking at each."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from math import ceil

from sim.serving.live import LiveRequest
from sim.serving.steps import Rhythm, Speculation, StepCost

Growths = list[tuple[float, Rhythm]]


class Track:
    """The sequences of an instance that decode with one speculative setting.

    A sequence is known by its offset: context minus the tokens the rhythm has emitted. Since all grow alike, the offsets
    stay fixed, and only their remainders by the block size decide who needs a new block when.

    Attributes
    ----------
    count : int
        Sequences.
    emitted : int
        Tokens per sequence by the present step.
    offsets : int
        Their sum; the sum of contexts is ``offsets + count x emitted``.
    lookahead, slack : int
        Draft slots; with what the last block of a sequence may leave empty [token].
    ends : list
        Heap of (tokens the rhythm must have emitted, admission, sequence); entries whose number is stale have left.
    """

    __slots__ = (
        "_by_remainder", "_per", "_size", "_tokens", "_whole", "count", "emitted", "ends", "lookahead", "offsets",
        "rhythm", "slack", "weight",
    )  # fmt: skip

    def __init__(self, speculation: Speculation, block_tokens: int) -> None:
        self.rhythm = Rhythm(speculation.accepted)
        self.lookahead = speculation.lookahead
        self.slack = speculation.lookahead + block_tokens - 1
        self.weight = speculation.weight
        self.count = self.emitted = self.offsets = 0
        self.ends: list[tuple[int, int, LiveRequest]] = []
        self._tokens, self._per = self.rhythm.tokens, self.rhythm.per
        self._size = block_tokens
        self._by_remainder = [0] * block_tokens
        self._whole = 0

    def join(self, sequence: LiveRequest, shared: int) -> None:
        """A sequence begins to decode; ``shared`` of its tokens lie in blocks that are counted elsewhere."""
        emitted = self.emitted
        sequence.offset = offset = sequence.prompt + sequence.generated - emitted
        self.offsets += offset
        whole, remainder = divmod(offset + self.lookahead - shared, self._size)
        self._whole += whole
        self._by_remainder[remainder] += 1
        self.count += 1
        heappush(self.ends, (emitted + sequence.output - sequence.generated, sequence.admission, sequence))

    def leave(self, sequence: LiveRequest, shared: int) -> None:
        """It stops."""
        offset = sequence.offset
        self.offsets -= offset
        whole, remainder = divmod(offset + self.lookahead - shared, self._size)
        self._whole -= whole
        self._by_remainder[remainder] -= 1
        self.count -= 1

    def advance(self, step: int, done: list[tuple[int, LiveRequest]]) -> int:
        """Emit what the rhythm has by a step; tokens made. Who has all of its own goes into ``done``, with its admission."""
        emitted = self.rhythm.emitted(step)
        made = self.count * (emitted - self.emitted)
        self.emitted, ends = emitted, self.ends
        while ends and ends[0][0] <= emitted:
            end, admission, sequence = heappop(ends)
            if sequence.admission == admission:
                made -= emitted - end  # drafts beyond the end are thrown away
                done.append((admission, sequence))
        return made

    def steps_to_end(self, step: int) -> int:
        """Steps until the first sequence is done; there must be one."""
        ends = self.ends
        while ends[0][2].admission != ends[0][1]:
            heappop(ends)  # left before its end
        return -(-ends[0][0] * self._per // self._tokens) - step

    def most_tokens(self, step: int) -> int:
        """Upper bound on block size x blocks at a step: x tokens take at most (x + size - 1) / size blocks."""
        return self.offsets + self.count * (step * self._tokens // self._per + self.slack)

    def blocks_at(self, step: int) -> int:
        """Cache blocks held at a step: sum of ceil((offset + draft slots - shared + emitted) / size).

        Examples
        --------
        >>> track = Track(Speculation(), 16)
        >>> track.join(LiveRequest(0, 16, 9), 0); track.join(LiveRequest(1, 20, 8), 0)
        >>> track.blocks_at(0), track.blocks_at(1), track.blocks_at(13)
        (3, 4, 5)
        """
        whole, over = divmod(step * self._tokens // self._per, self._size)
        counts = self._by_remainder
        total = self._whole + self.count * (whole + 1)
        if over == 0:
            return total - counts[0]
        return total + sum(counts[self._size - over + 1 :])


def next_step(tracks: Sequence[Track], cost: StepCost) -> tuple[int, float, Growths]:
    """Sequences in the next step, its time [s], and what each rhythm adds to the steps after it [s/token]."""
    running, place, context = 0, 0.0, 0
    growths: Growths = []
    for track in tracks:
        if count := track.count:
            running += count
            place += count * track.weight
            context += track.offsets + count * track.emitted
            growths.append((cost.context_s * count, track.rhythm))
    return running, cost.base_s[ceil(place)] + cost.context_s * context, growths
