"""One engine instance: continuous batching, chunked prefill, a block-wise key-value limit, preemption.

The engine jumps from change point to change point. Between two of them the same sequences take part in every
step, and the time of k steps is a closed formula (:class:`sim.serving.steps.Segment`). Change points are: a
request that can be admitted arrives (it joins at the next step boundary), a prompt or a sequence is
finished, the cache is full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import simpy

from sim.serving.admissions import Admissions
from sim.serving.batch import next_step
from sim.serving.chunks import cut_chunks
from sim.serving.feed import Feed
from sim.serving.kv_memory import KvMemory
from sim.serving.lines import line_for
from sim.serving.live import LiveRequest, ReplicaCounters
from sim.serving.steps import ReplicaLimits, Segment, StepCost

__all__ = ["LiveRequest", "Replica", "ReplicaCounters"]

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
        self.waiting = line_for(limits.classes)
        self.active = 0
        self.unread = 0  # prompt tokens still to be read, waiting requests included
        self.on_empty: Callable[[], None] | None = None  # told when a draining replica has nothing left
        self._notify_first, self._notify_finish, self._notify_refused = on_first_token, on_finish, on_refused
        self._trace = trace
        self._memory = KvMemory(limits, self.counters)
        self._prefilling = line_for(limits.classes)
        self._admitted = Admissions(limits.classes)
        self._step = 0
        self._decoding = 0
        self._began = 0.0
        self._segment: Segment | None = None
        self._chunks: list[tuple[LiveRequest, int]] = []
        self._event: simpy.Event | None = None
        self._feed: Feed | None = None
        self._due = 0.0  # arrival for which the next boundary was chosen

    @property
    def load(self) -> int:
        """Requests waiting or being served."""
        return len(self.waiting) + self.active

    @property
    def empty(self) -> bool:
        """Nothing waits, runs, or holds memory."""
        return not self.load and not self.unread and self._memory.empty()

    def known_tokens(self, hashes: Sequence[int]) -> int:
        """Prompt tokens that its prefix cache knows at the last change point."""
        prefix = self._memory.prefix
        return prefix.match(hashes) * prefix.settings.block_tokens if prefix is not None else 0

    def submit(self, sequence: LiveRequest) -> None:
        """Hand over a request; it joins at the next step boundary at which there is room."""
        if not self.enqueue(sequence, self.environment.now):
            return
        if self._event is None:
            self._schedule(0.0)
        elif self.active < self.limits.batch and self._segment is not None and self.waiting[0] is sequence:
            self._cut_segment(self._segment)

    def enqueue(self, sequence: LiveRequest, now: float) -> bool:
        """Put a request in line, unless it is too long for the cache."""
        limits = self.limits
        tokens = sequence.prompt + sequence.output + self._memory.tracks[sequence.rhythm].lookahead
        if tokens > limits.kv_blocks * limits.block_tokens:
            self.counters.refused += 1
            if self._notify_refused is not None:
                self._notify_refused(sequence, now)
            return False
        self.waiting.append(sequence)
        self.unread += sequence.prefill_left
        return True

    def follow(self, feed: Feed) -> None:
        """Take up requests from a feed, which hands them to :meth:`enqueue`, at step boundaries.

        The same as :meth:`submit` at every arrival, for an instance that no router looks at: the boundary after the next
        arrival is known when a segment begins.
        """
        self._feed = feed
        if self._event is None:
            self._wait_for(feed)

    def _wait_for(self, feed: Feed) -> None:
        """Idle until the next arrival."""
        if feed.next_s < float("inf"):
            self._due = feed.next_s
            self._schedule(max(feed.next_s - self.environment.now, 0.0))

    def fail(self) -> list[LiveRequest]:
        """Lose everything at once; the requests that were here, each to be read again."""
        segment, now = self._segment, self.environment.now
        if segment is not None:
            steps, end = segment.boundary_after(now)
            segment.steps = steps if segment.start_s + end <= now else steps - 1
            self._complete(segment, now)
        self._event = None
        lost = [*self._prefilling, *self._memory.decoding()]
        for sequence in lost:
            if not sequence.prefill_left:
                sequence.generated = self._memory.written(sequence)
            sequence.admission, sequence.pinned = -1, 0
        lost += self.waiting
        counters = self.counters
        counters.failures += 1
        counters.retried += len(lost)
        counters.reread_tokens += sum(sequence.read_again() for sequence in lost)
        self._prefilling.clear()
        self.waiting.clear()
        self._chunks = []
        self.active = self._decoding = self.unread = 0
        self._memory.clear()
        self._step = 0
        return lost

    def drain(self) -> list[LiveRequest]:
        """Give back what waits; the rest is served to its end, then ``on_empty`` is told."""
        handed = list(self.waiting)
        self.waiting.clear()
        for sequence in handed:
            self.unread -= sequence.prefill_left
            if sequence.swapped:
                self._memory.forget_swapped(sequence)
                self.counters.reread_tokens += sequence.read_again()
        return handed

    def forget(self) -> None:
        """A new process on the same chips: no prefix is known."""
        if self._memory.prefix is not None:
            self._memory.prefix.clear()

    def _schedule(self, delay: float) -> None:
        """The next boundary comes after ``delay`` [s]; the one that was expected before is void."""
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
        """A segment ends, or the first request of an idle instance is there: book, push out, admit, go on."""
        if event is not self._event:
            return  # the segment was cut short, this was its former end
        now, memory = self.environment.now, self._memory
        feed = self._feed
        if feed is not None:
            feed.release(now if now > self._due else self._due)
        if self._segment is not None:
            self._complete(self._segment, now)
        preempted = not memory.fits(self._step) and self._preempt()
        if self.waiting and not preempted:
            self._admit()
        if memory.prefix is not None:
            memory.trim(self._step)
        if self._trace is not None:
            self._record(now)
        if self.active:
            self._begin_segment(now, preempted)
            return
        self._event = None
        if feed is not None:
            self._wait_for(feed)
        if self.on_empty is not None and not self.waiting:
            self.on_empty()

    def _complete(self, segment: Segment, now: float) -> None:
        """Book the steps of a segment and let those who are done go."""
        self._segment = None
        counters, steps, chunks = self.counters, segment.steps, self._chunks
        counters.busy_s += now - self._began
        counters.batch_seconds += self._decoding * (now - self._began)
        counters.steps += steps
        if self.limits.mixed or not chunks:
            self._advance_answers(steps, now)
        if chunks and steps:
            self._chunks = []
            for sequence, tokens in chunks:
                self._advance_prompt(sequence, tokens * steps, now)

    def _advance_answers(self, steps: int, now: float) -> None:
        """All decoding sequences take part in so many steps."""
        counters, memory = self.counters, self._memory
        if memory.prefix is not None and steps > 1:
            memory.trim(self._step + steps - 1)
        self._step += steps
        counters.sequence_steps += self._decoding * steps
        made, done = memory.advance(self._step)
        counters.tokens += made
        for sequence in done:
            sequence.generated = sequence.output
            memory.leave(sequence)
            self._decoding -= 1
            self._leave(sequence, now)

    def _leave(self, sequence: LiveRequest, now: float) -> None:
        """A request has all its tokens."""
        self.active -= 1
        sequence.admission = -1
        self._notify_finish(sequence, now)

    def _advance_prompt(self, sequence: LiveRequest, tokens: int, now: float) -> None:
        """So many tokens of a prompt were read; with the last of them its first answer token is out."""
        self.counters.prefill_tokens += tokens
        self.unread -= tokens
        sequence.prefilled += tokens
        sequence.prefill_left -= tokens
        if sequence.prefill_left:
            return
        self._prefilling.popleft()  # chunks are cut in the order of the line, so it is the head
        self._memory.prompt_read(sequence)
        sequence.generated += 1
        self.counters.tokens += 1
        if sequence.generated == 1:
            self._notify_first(sequence, now)
        if sequence.generated < sequence.output:
            self._memory.decode(sequence)
            self._decoding += 1
        else:
            self._memory.unpin(sequence)
            self._leave(sequence, now)

    def _preempt(self) -> bool:
        """Push out the newest requests of the last class until the next step fits. True when there were any."""
        memory, counters, limit = self._memory, self.counters, self.limits.kv_blocks
        before = counters.preemptions
        while memory.used(self._step) > limit:
            victim = self._admitted.take_newest()
            if victim.prefill_left:
                self._prefilling.pop()
            else:
                self._decoding -= 1
            again = memory.push_out(victim)
            counters.reread_tokens += again
            self.unread += again
            counters.preemptions += 1
            self.active -= 1
            victim.admission = -1
            self.waiting.appendleft(victim)
        return counters.preemptions > before

    def _admit(self) -> None:
        """Admit waiting requests in order while batch and cache have room."""
        waiting, limits, memory = self.waiting, self.limits, self._memory
        used = memory.used(self._step)
        while waiting and self.active < limits.batch:
            sequence = waiting[0]
            unread = sequence.prefill_left
            sequence.admission = self._admitted.next
            taken = memory.take(
                sequence, limits.kv_blocks - used - (limits.spare_blocks if self.active else 0)
            )
            if taken < 0:
                sequence.admission = -1
                break
            waiting.popleft()
            used += taken
            self.active += 1
            self._admitted.enter(sequence)
            if unread:
                self.unread -= unread - sequence.prefill_left  # found in the prefix cache
                self._prefilling.append(sequence)
            else:
                self._decoding += 1
        self._admitted.drop_stale(self.active)

    def _begin_segment(self, now: float, preempted: bool) -> None:
        """Start the longest run of steps in which nothing changes."""
        cost, memory = self.cost, self._memory
        decodes = self.limits.mixed or not self._prefilling
        running, first, growths = next_step(memory.tracks if decodes else (), cost)
        steps, ramp = (1 << 60), 0.0
        if self._prefilling:
            self._chunks, steps, extra, ramp = cut_chunks(
                cost, self._prefilling, self.limits.chunk_tokens - running
            )
            first += extra
        if running and steps > 1:
            steps = min(steps, memory.steps_ahead(self._step))
        if preempted:
            steps = 1  # who was pushed out may find room at the very next boundary
        stall, memory.stall_s = memory.stall_s, 0.0
        self._began = now
        self._segment = segment = Segment(now + stall, steps, self._step, first, growths, ramp)
        length = segment.elapsed(steps)
        if (
            steps > 1
            and self._feed is not None
            and now + stall + length > (due := self._feed.next_s)
            and not self.waiting
            and self.active < self.limits.batch
        ):
            segment.steps, length = segment.boundary_after(due)
            self._due = due
        self._schedule(stall + length)

    def _record(self, now: float) -> None:
        assert self._trace is not None
        ids = tuple(sequence.index for sequence in self._memory.decoding())
        if not self._trace or self._trace[-1][1] != ids:
            self._trace.append((now, ids))
