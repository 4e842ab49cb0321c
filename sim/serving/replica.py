"""One engine instance: continuous batching, chunked prefill, a block-wise key-value limit, preemption by
recompute.

The engine jumps from change point to change point. Between two of them the same sequences take part in every
step, and the time of k steps is a closed formula (:class:`sim.serving.steps.Segment`). Change points are: a
request that can be admitted arrives (it joins at the next step boundary), a prompt or a sequence is
finished, the cache is full.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush

import simpy

from sim.serving.steps import BlockCount, ReplicaLimits, Rhythm, Segment, StepCost


class LiveRequest:
    """A request in flight."""

    __slots__ = (
        "admission",
        "blocks",
        "cached",
        "generated",
        "index",
        "offset",
        "output",
        "prefill_left",
        "prefilled",
        "prompt",
    )  # fmt: skip

    def __init__(self, index: int, prompt: int, output: int, cached: int = 0, generated: int = 0) -> None:
        self.index = index
        self.prompt = prompt
        self.output = output
        self.cached = cached
        self.generated = generated
        self.prefilled = 0  # tokens of the context that are in the cache
        self.prefill_left = 0 if generated else prompt - cached
        self.admission = -1  # serial number of its admission; -1 while it waits
        self.blocks = 0  # cache blocks held while its prompt is read
        self.offset = 0


@dataclass(slots=True)
class ReplicaCounters:
    """What a replica did, for checks and utilisation.

    Attributes
    ----------
    busy_s : float
        Time in steps [s].
    steps, sequence_steps : int
        Steps, and their sum over decoding sequences.
    tokens : int
        Output tokens made.
    prefill_tokens, reread_tokens : int
        Prompt tokens read, and those of them (with generated ones) that were read again after a preemption.
    preemptions, refused : int
        Requests pushed out, and requests too long for the cache.
    """

    busy_s: float = 0.0
    steps: int = 0
    sequence_steps: int = 0
    tokens: int = 0
    prefill_tokens: int = 0
    reread_tokens: int = 0
    preemptions: int = 0
    refused: int = 0
    batch_seconds: float = 0.0

    def __add__(self, other: ReplicaCounters) -> ReplicaCounters:
        mine, theirs = (tuple(getattr(each, name) for name in self.__slots__) for each in (self, other))
        return ReplicaCounters(*(a + b for a, b in zip(mine, theirs, strict=True)))


Notify = Callable[[LiveRequest, float], None]


class Replica:
    """An engine instance driven by a SimPy environment.

    Parameters
    ----------
    environment : simpy.Environment
        The clock.
    cost : StepCost
        Time of its steps.
    limits : ReplicaLimits
        What it may hold.
    on_first_token, on_finish, on_refused : callable
        Told ``(sequence, time)`` when a first token is out, when a request is done, and when one can never
        fit.
    trace : list, optional
        Collects ``(time, ids of the decoding sequences in order of admission)`` at every change of the
        batch, for tests.
    """

    def __init__(
        self,
        environment: simpy.Environment,
        cost: StepCost,
        limits: ReplicaLimits,
        on_first_token: Notify,
        on_finish: Notify,
        on_refused: Notify | None = None,
        trace: list[tuple[float, tuple[int, ...]]] | None = None,
    ) -> None:
        self.environment = environment
        self.cost = cost
        self.limits = limits
        self.counters = ReplicaCounters()
        self.waiting: deque[LiveRequest] = deque()
        self.active = 0
        self.unread = 0  # prompt tokens still to be read, waiting requests included
        self._notify_first, self._notify_finish, self._notify_refused = on_first_token, on_finish, on_refused
        self._trace = trace
        self._rhythm = Rhythm(limits.accepted)
        self._cache = BlockCount(limits.block_tokens)
        self._prefilling: deque[LiveRequest] = deque()
        self._prefill_blocks = 0
        self._ends: list[
            tuple[int, int, LiveRequest]
        ] = []  # (tokens the rhythm must have emitted, admission, sequence)
        self._admitted: list[
            tuple[int, LiveRequest]
        ] = []  # newest last; entries whose number is stale have left
        self._offsets = 0
        self._admissions = 0
        self._step = 0
        self._emitted = 0  # tokens per sequence by this step
        self._segment: Segment | None = None
        self._chunks: list[tuple[LiveRequest, int]] = []
        self._event: simpy.Event | None = None

    @property
    def load(self) -> int:
        """Requests waiting or being served."""
        return len(self.waiting) + self.active

    def submit(self, sequence: LiveRequest) -> None:
        """Hand over a request; it joins at the next step boundary at which there is room."""
        if self.limits.blocks_for(sequence.prompt + sequence.output) > self.limits.kv_blocks:
            self.counters.refused += 1
            if self._notify_refused is not None:
                self._notify_refused(sequence, self.environment.now)
            return
        waiting = self.waiting
        waiting.append(sequence)
        self.unread += sequence.prefill_left
        if self._event is None:
            self._schedule(0.0)
        elif len(waiting) == 1 and self.active < self.limits.batch and self._segment is not None:
            self._cut_segment(self._segment)

    def _schedule(self, delay: float) -> None:
        event = self.environment.timeout(delay)
        assert event.callbacks is not None
        event.callbacks.append(self._at_boundary)
        self._event = event

    def _cut_segment(self, segment: Segment) -> None:
        """End the running segment at the next step boundary."""
        if segment.steps == 1:
            return
        now = self.environment.now
        steps, end = segment.boundary_after(now)
        if steps < segment.steps:
            segment.steps = steps
            self._schedule(max(segment.start_s + end - now, 0.0))

    def _at_boundary(self, event: simpy.Event) -> None:
        if event is not self._event:
            return  # the segment was cut short, this was its former end
        now = self.environment.now
        if self._segment is not None:
            self._complete(self._segment, now)
        preempted = not self._surely_fits(self._emitted) and self._preempt()
        if self.waiting and not preempted:
            self._admit()
        if self._trace is not None:
            self._record(now)
        if self.active:
            self._begin_segment(now, preempted)
        else:
            self._event = None

    def _complete(self, segment: Segment, now: float) -> None:
        """Book the steps of a segment and let those who are done go."""
        self._segment = None
        counters, steps = self.counters, segment.steps
        batch = self._cache.count
        counters.busy_s += now - segment.start_s
        counters.batch_seconds += batch * (now - segment.start_s)
        counters.steps += steps
        chunks = self._chunks
        if self.limits.mixed or not chunks:
            self._step += steps
            emitted = self._rhythm.emitted(self._step)
            counters.tokens += batch * (emitted - self._emitted)
            counters.sequence_steps += batch * steps
            self._emitted = emitted
            ends = self._ends
            while ends and ends[0][0] <= emitted:
                end, admission, sequence = heappop(ends)
                if sequence.admission == admission:
                    counters.tokens -= emitted - end  # drafts beyond the end are thrown away
                    sequence.generated = sequence.output
                    self._leave_decoding(sequence)
                    self._notify_finish(sequence, now)
        if chunks:
            self._chunks = []
            for sequence, tokens in chunks:
                self._advance_prompt(sequence, tokens * steps, now)

    def _advance_prompt(self, sequence: LiveRequest, tokens: int, now: float) -> None:
        self.counters.prefill_tokens += tokens
        self.unread -= tokens
        sequence.prefilled += tokens
        sequence.prefill_left -= tokens
        if sequence.prefill_left:
            return
        self._prefilling.popleft()  # chunks are cut first come, first served, so it is the head
        self._prefill_blocks -= sequence.blocks
        sequence.generated += 1
        self.counters.tokens += 1
        if sequence.generated == 1:
            self._notify_first(sequence, now)
        if sequence.generated < sequence.output:
            self._join_decoding(sequence)
        else:
            self.active -= 1
            sequence.admission = -1
            self._notify_finish(sequence, now)

    def _join_decoding(self, sequence: LiveRequest) -> None:
        emitted = self._emitted
        sequence.offset = sequence.prompt + sequence.generated - emitted
        self._offsets += sequence.offset
        self._cache.add(sequence.offset + self.limits.lookahead)
        heappush(self._ends, (emitted + sequence.output - sequence.generated, sequence.admission, sequence))

    def _leave_decoding(self, sequence: LiveRequest) -> None:
        self._cache.remove(sequence.offset + self.limits.lookahead)
        self._offsets -= sequence.offset
        self.active -= 1
        sequence.admission = -1

    def _blocks_used(self, emitted: int) -> int:
        """Cache blocks held when the rhythm has emitted so many tokens."""
        return self._prefill_blocks + self._cache.at(emitted)

    def _surely_fits(self, emitted: int) -> bool:
        """Quick and on the safe side: a sequence of x tokens holds at most (x + size - 1) / size blocks."""
        limits, batch = self.limits, self._cache.count
        tokens = self._offsets + batch * (emitted + limits.lookahead + limits.block_tokens - 1)
        return self._prefill_blocks + tokens // limits.block_tokens <= limits.kv_blocks

    def _preempt(self) -> bool:
        """Push out the newest requests until the next step fits; they start again from their tokens so far.

        True when there were any.
        """
        before = self.counters.preemptions
        admitted, counters = self._admitted, self.counters
        while self._blocks_used(self._emitted) > self.limits.kv_blocks:
            admission, victim = admitted.pop()
            if victim.admission != admission:
                continue
            if victim.prefill_left:
                self._prefilling.pop()
                self._prefill_blocks -= victim.blocks
                self.active -= 1
                victim.admission = -1
            else:
                victim.generated = self._emitted + victim.offset - victim.prompt
                self._leave_decoding(victim)
            again = victim.prompt + victim.generated - victim.cached
            counters.reread_tokens += again - victim.prefill_left
            self.unread += again - victim.prefill_left
            victim.prefilled = victim.cached
            victim.prefill_left = again
            counters.preemptions += 1
            self.waiting.appendleft(victim)
        return counters.preemptions > before

    def _admit(self) -> None:
        """Admit waiting requests in order while batch and cache have room."""
        waiting, limits = self.waiting, self.limits
        used = self._blocks_used(self._emitted)
        while waiting and self.active < limits.batch:
            sequence = waiting[0]
            to_read = sequence.prefill_left
            blocks = limits.blocks_for(sequence.prompt + sequence.generated + (1 if to_read else 0))
            room = limits.kv_blocks - (limits.spare_blocks if self.active else 0)
            if used + blocks > room:
                break
            waiting.popleft()
            used += blocks
            self.active += 1
            sequence.admission = self._admissions
            self._admissions += 1
            self._admitted.append((sequence.admission, sequence))
            if to_read:
                sequence.prefilled = sequence.cached
                sequence.blocks = blocks
                self._prefill_blocks += blocks
                self._prefilling.append(sequence)
            else:
                self._join_decoding(sequence)
        if len(self._admitted) > 4 * self.active + 64:
            self._admitted = [entry for entry in self._admitted if entry[1].admission == entry[0]]

    def _begin_segment(self, now: float, preempted: bool) -> None:
        """Start the longest run of steps in which nothing changes."""
        cost, batch = self.cost, self._cache.count
        decoding = self.limits.mixed or not self._prefilling
        running = batch if decoding else 0
        first = cost.base_s[running]
        growth = 0.0
        if running:
            first += cost.context_s * (self._offsets + batch * self._emitted)
            growth = cost.context_s * batch
        steps, ramp = (1 << 60), 0.0
        if self._prefilling:
            steps, extra, ramp = self._cut_chunks(self.limits.chunk_tokens - running)
            first += extra
        if running and steps > 1:
            steps = min(steps, self._steps_decoding())
        if preempted:
            steps = 1  # who was pushed out may find room at the very next boundary
        self._segment = segment = Segment(now, steps, self._step, first, growth, ramp, self._rhythm)
        self._schedule(segment.elapsed(steps))

    def _cut_chunks(self, budget: int) -> tuple[int, float, float]:
        """Fill one step with prompt tokens: (steps that look the same, time of the first, growth per
        step)."""
        cost, head = self.cost, self._prefilling[0]
        budget = max(budget, 1)
        if head.prefill_left > budget:
            self._chunks = [(head, budget)]
            extra = cost.prefill_base_s + cost.chunk_s(budget, head.prefilled)
            return (head.prefill_left - 1) // budget, extra, cost.prefill_pair_s * budget * budget
        extra, chunks = cost.prefill_base_s, self._chunks
        for sequence in self._prefilling:
            tokens = min(sequence.prefill_left, budget)
            chunks.append((sequence, tokens))
            extra += cost.chunk_s(tokens, sequence.prefilled)
            budget -= tokens
            if budget == 0:
                break
        return 1, extra, 0.0

    def _steps_decoding(self) -> int:
        """Steps until the first sequence is done or the cache is full."""
        ends = self._ends
        while ends[0][2].admission != ends[0][1]:
            heappop(ends)  # left by preemption
        steps = self._rhythm.first_step(ends[0][0]) - self._step
        limit, emitted = self.limits.kv_blocks, self._rhythm.emitted
        last = emitted(self._step + steps - 1)
        if self._surely_fits(last) or self._blocks_used(last) <= limit:
            return steps
        fits, too_many = 1, steps
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            if self._blocks_used(emitted(self._step + middle - 1)) <= limit:
                fits = middle
            else:
                too_many = middle
        return fits

    def _record(self, now: float) -> None:
        assert self._trace is not None
        decoding = sorted(
            (entry[1], entry[2].index) for entry in self._ends if entry[2].admission == entry[1]
        )
        ids = tuple(index for _, index in decoding)
        if not self._trace or self._trace[-1][1] != ids:
            self._trace.append((now, ids))
