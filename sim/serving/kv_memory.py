"""The key-value memory of an instance: who holds how many blocks, what is shared, what lies in host memory."""

from __future__ import annotations

from sim.serving.batch import Track
from sim.serving.live import LiveRequest, ReplicaCounters
from sim.serving.prefix_cache import PrefixCache
from sim.serving.steps import ReplicaLimits


class KvMemory:
    """Blocks of an instance.

    Attributes
    ----------
    tracks : list of Track
        Sequences that decode, by speculative setting.
    stall_s : float
        Time for which the next step has to wait: swapping, loading from slower tiers, work of admissions [s].
    swapped : int
        Blocks of host memory in use.
    """

    __slots__ = (
        "_counters", "_limits", "_per", "_reading", "_shared", "_size", "_unit", "prefix", "stall_s", "swapped", "tracks",
    )  # fmt: skip

    def __init__(self, limits: ReplicaLimits, counters: ReplicaCounters) -> None:
        self._limits, self._counters = limits, counters
        self._size = limits.block_tokens
        self._unit = limits.prefix.block_tokens if limits.prefix else 0  # tokens of a prefix block
        self._per = self._unit // self._size
        self.prefix = PrefixCache(limits.prefix) if limits.prefix else None
        self.clear()

    def clear(self) -> None:
        """Everything is lost."""
        self.tracks = [Track(each, self._size) for each in self._limits.speculations]
        self._reading = 0  # blocks of prompts that are being read
        self._shared = 0  # blocks of pinned prefixes
        self.swapped = 0
        self.stall_s = 0.0
        if self.prefix is not None:
            self.prefix.clear()

    def advance(self, step: int) -> tuple[int, list[LiveRequest]]:
        """Let all decoding sequences go on to a step: tokens made, and who has all of its own, in order of admission."""
        made = 0
        done: list[tuple[int, LiveRequest]] = []
        for track in self.tracks:
            made += track.advance(step, done)
        if len(done) > 1:
            done.sort()
        return made, [sequence for _, sequence in done]

    def decoding(self) -> list[LiveRequest]:
        """Sequences that decode, in order of admission."""
        ends = [entry for track in self.tracks for entry in track.ends]
        live = sorted(
            (each.admission, each.index, each) for _, number, each in ends if each.admission == number
        )
        return [sequence for _, _, sequence in live]

    def written(self, sequence: LiveRequest) -> int:
        """Tokens that a decoding sequence has by now."""
        return self.tracks[sequence.rhythm].emitted + sequence.offset - sequence.prompt

    def used(self, step: int) -> int:
        """Blocks that requests hold at a step."""
        used = self._reading + self._shared
        for track in self.tracks:
            used += track.blocks_at(step)
        return used

    def fits(self, step: int) -> bool:
        """Whether the batch fits at a step; quick and on the safe side first."""
        tokens = 0
        for track in self.tracks:
            tokens += track.most_tokens(step)
        limit = self._limits.kv_blocks
        return self._reading + self._shared + tokens // self._size <= limit or self.used(step) <= limit

    def steps_ahead(self, step: int) -> int:
        """Steps until the first sequence is done or the cache is full; there must be a sequence."""
        steps = 1 << 60
        for track in self.tracks:
            if track.count:
                steps = min(steps, track.steps_to_end(step))
        if self.fits(step + steps - 1):
            return steps
        fits, too_many = 1, steps
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            if self.fits(step + middle - 1):
                fits = middle
            else:
                too_many = middle
        return fits

    def take(self, sequence: LiveRequest, room: int) -> int:
        """Give a request its blocks; how many more are in use, -1 when there is no room."""
        reads = sequence.prefill_left
        known, fresh = 0, 0
        if self.prefix is not None and sequence.hashes and reads and not sequence.swapped:
            known = self.prefix.match(sequence.hashes)
            fresh = self._per * self.prefix.unpinned(sequence.hashes[:known])
        tokens = sequence.prompt + sequence.generated + self.tracks[sequence.rhythm].lookahead
        blocks = -(-(tokens + (1 if reads else 0) - known * self._unit) // self._size)
        if blocks + fresh > room:
            return -1
        if sequence.swapped:
            self._bring_back(sequence)
        elif reads:
            self.stall_s += sequence.extra_s
            sequence.prefilled = sequence.cached
            if sequence.hashes:
                self._reuse(sequence, known)
                self._shared += fresh
        if reads:
            sequence.blocks = blocks
            self._reading += blocks
        else:
            self.tracks[sequence.rhythm].join(sequence, 0)
        return blocks + fresh

    def _reuse(self, sequence: LiveRequest, known: int) -> None:
        """Pin what is known of its prefix; one token at least is left to read, for the logits of the next."""
        counters = self._counters
        counters.asked_tokens += sequence.prompt + sequence.generated
        hit = min(known * self._unit, sequence.prompt + sequence.generated - 1)
        if known:
            assert self.prefix is not None
            loaded, time = self.prefix.acquire(sequence.hashes[:known])
            self.stall_s += time
            sequence.pinned = known
            sequence.prefilled += hit
            sequence.prefill_left -= hit
            counters.hit_tokens += hit
            counters.loaded_tokens += loaded
        if sequence.hit < 0:
            sequence.hit = hit

    def prompt_read(self, sequence: LiveRequest) -> None:
        """The prompt is in the cache: its full blocks are there for others too."""
        self._reading -= sequence.blocks
        if self.prefix is not None and sequence.hashes:
            self._shared += self._per * self.prefix.insert(sequence.hashes[sequence.pinned :])
            sequence.pinned = len(sequence.hashes)

    def decode(self, sequence: LiveRequest) -> None:
        """Its prompt was read here; it goes on decoding."""
        self.tracks[sequence.rhythm].join(sequence, sequence.pinned * self._unit)

    def leave(self, sequence: LiveRequest) -> None:
        """A decoding sequence gives its blocks back."""
        self.tracks[sequence.rhythm].leave(sequence, sequence.pinned * self._unit)
        if sequence.pinned:
            self.unpin(sequence)

    def unpin(self, sequence: LiveRequest) -> None:
        """It no longer needs the prefix it shares."""
        if sequence.pinned:
            assert self.prefix is not None
            self._shared -= self._per * self.prefix.release(sequence.hashes[: sequence.pinned])
            sequence.pinned = 0

    def push_out(self, victim: LiveRequest) -> int:
        """Take its blocks from a running request, to host memory if there is room; tokens to be read again."""
        if victim.prefill_left:
            context = victim.prefilled
            self._reading -= victim.blocks
            self.unpin(victim)
        else:
            victim.generated = self.written(victim)
            context = victim.prompt + victim.generated
            self.leave(victim)
        blocks = -(-context // self._size)
        if not context or self.swapped + blocks > self._limits.swap_blocks:
            return victim.read_again()
        self.swapped += blocks
        self.stall_s += context * self._limits.swap_token_s
        self._counters.swapped_tokens += context
        victim.swapped = context
        return 0

    def _bring_back(self, sequence: LiveRequest) -> None:
        self.stall_s += sequence.swapped * self._limits.swap_token_s
        self.forget_swapped(sequence)

    def forget_swapped(self, sequence: LiveRequest) -> None:
        """Its copy in host memory is not needed any more."""
        self.swapped -= -(-sequence.swapped // self._size)
        sequence.swapped = 0

    def trim(self, step: int) -> None:
        """Idle prefixes make room for requests."""
        if self.prefix is not None:
            self.prefix.trim(max(self._limits.kv_blocks - self.used(step), 0) // self._per)

    def empty(self) -> bool:
        """Nobody holds anything."""
        return not (
            self._reading or self._shared or self.swapped or any(track.count for track in self.tracks)
        )
