"""The same engine instance, one step at a time: slow, plain, and the yardstick of
:mod:`sim.serving.replica`."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from sim.serving.reference_state import PlainInstance, PlainJob
from sim.serving.steps import ReplicaLimits, StepCost
from sim.serving.traffic import Requests


@dataclass(slots=True)
class StepByStep:
    """What happened: per request, and every change of the decoding batch."""

    first_token_s: dict[int, float] = field(default_factory=dict)
    finish_s: dict[int, float] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)
    batches: list[tuple[float, tuple[int, ...]]] = field(default_factory=list)
    hits: dict[int, int] = field(default_factory=dict)
    preemptions: int = 0
    steps: int = 0


class _Loop:
    """Steps of one instance, one after the other, from the first arrival to the last answer."""

    def __init__(self, cost: StepCost, limits: ReplicaLimits, prefilled: bool, line: _Line) -> None:
        self.cost = cost
        self.limits = limits
        self.prefilled = prefilled
        self.line = line
        self.here = PlainInstance(limits)
        self.result = StepByStep()
        self.now = 0.0
        self.writing_steps = 0

    def run(self) -> StepByStep:
        """Everything that happens."""
        while self.line.coming or self.here.waiting or self.here.running:
            self.arrive()
            if not self.here.waiting and not self.here.running:
                self.rest()
                continue
            self.make_room()
            if self.here.running:
                self.step()
        if self.result.batches:
            self.record(())
        return self.result

    def arrive(self) -> None:
        """Requests that have come by now wait; those that would never fit are refused."""
        while self.line.coming and self.line.coming[0][0] <= self.now:
            when, job = self.line.next()
            most = job.prompt + job.output + self.limits.speculations[job.rhythm].lookahead
            if ceil(most / self.limits.block_tokens) > self.limits.kv_blocks:
                self.result.refused.append(job.index)
                self.line.answered(job.index, when)
                continue
            job.prefill_left = 0 if self.prefilled else job.prompt - job.cached
            job.prefilled = job.cached
            self.here.waiting.append(job)

    def rest(self) -> None:
        """Nothing to do until the next one comes."""
        if self.result.batches:
            self.record(())
        if self.line.coming:
            self.now = max(self.now, self.line.coming[0][0])

    def make_room(self) -> None:
        """Push out what does not fit; where nothing was pushed out, let the next ones in."""
        here, limits, before = self.here, self.limits, self.result.preemptions
        while here.held() > limits.kv_blocks:
            here.push_out()
            self.result.preemptions += 1
        if self.result.preemptions == before:
            here.admit(self.result.hits)
        if here.cache is not None:
            here.cache.shrink((limits.kv_blocks - here.held()) * limits.block_tokens // here.unit)

    def step(self) -> None:
        """One pass of the model."""
        decoding = [job for job in self.here.running if not job.prefill_left]
        self.record(tuple(job.index for job in decoding))
        reading = sorted((job for job in self.here.running if job.prefill_left), key=lambda job: job.priority)
        if reading and not self.limits.mixed:
            decoding = []
        chunks = self.chunks(reading, len(decoding))
        self.now += self.duration(decoding, bool(reading), chunks)
        self.result.steps += 1
        if decoding or self.limits.mixed:
            self.write(decoding)
        self.read(chunks)

    def chunks(self, reading: Sequence[PlainJob], decoding: int) -> list[tuple[PlainJob, int]]:
        """Prompt tokens of this pass, job by job."""
        budget = max(self.limits.chunk_tokens - decoding, 1)
        found = []
        for job in reading:
            tokens = min(job.prefill_left, budget)
            if tokens:
                found.append((job, tokens))
                budget -= tokens
        return found

    def duration(
        self, decoding: Sequence[PlainJob], reads: bool, chunks: Sequence[tuple[PlainJob, int]]
    ) -> float:
        """Time of this pass, with what the memory has to move first [s]."""
        kinds = self.limits.speculations
        counts = [sum(job.rhythm == kind for job in decoding) for kind in range(len(kinds))]
        weight = sum(count * kind.weight for count, kind in zip(counts, kinds, strict=True))
        time = self.cost.base_s[ceil(weight)]
        time += self.cost.context_s * sum(job.prompt + job.generated for job in decoding)
        time += self.here.stall
        self.here.stall = 0.0
        if reads:
            time += self.cost.prefill_base_s
        for job, tokens in chunks:
            time += self.cost.chunk_s(tokens, job.prefilled)
        return time

    def write(self, decoding: Sequence[PlainJob]) -> None:
        """Tokens that come out, with those that were guessed right."""
        self.writing_steps += 1
        for job in decoding:
            accepted = self.limits.speculations[job.rhythm].accepted
            emitted = self.writing_steps * accepted // 1 - (self.writing_steps - 1) * accepted // 1
            job.generated = min(job.generated + int(emitted), job.output)
            self.end_if_done(job)

    def read(self, chunks: Sequence[tuple[PlainJob, int]]) -> None:
        """Prompt tokens that went in; the last of a prompt gives its first token."""
        for job, tokens in chunks:
            job.prefill_left -= tokens
            job.prefilled += tokens
            if job.prefill_left == 0:
                job.generated += 1
                self.here.prompt_read(job)
                if job.generated == 1:
                    self.result.first_token_s[job.index] = self.now
                self.end_if_done(job)

    def end_if_done(self, job: PlainJob) -> None:
        """A request with all its tokens leaves, and those that wait for it may come."""
        if job.generated >= job.output:
            self.here.leave(job)
            self.result.finish_s[job.index] = self.now
            self.line.answered(job.index, self.now)

    def record(self, batch: tuple[int, ...]) -> None:
        """The decoding batch, where it changes."""
        if not self.result.batches or self.result.batches[-1][1] != batch:
            self.result.batches.append((self.now, batch))


@dataclass(slots=True)
class _Line:
    """Requests on their way.

    Attributes
    ----------
    coming : list of (time, row)
        Those whose time is known, in order.
    follows, wait_s : sequence
        Row after whose answer a request comes (-1: none), and how long after.
    """

    jobs: list[PlainJob]
    coming: list[tuple[float, int]]
    follows: Sequence[int]
    wait_s: Sequence[float] | None

    def next(self) -> tuple[float, PlainJob]:
        """When the next one comes, and what it is."""
        when, row = self.coming.pop(0)
        return when, self.jobs[row]

    def answered(self, row: int, when: float) -> None:
        """Those that waited for it will come."""
        for later, before in enumerate(self.follows):
            if before == row:
                insort(self.coming, (when + (self.wait_s[later] if self.wait_s is not None else 0.0), later))


def run_step_by_step(
    requests: Requests,
    cost: StepCost,
    limits: ReplicaLimits,
    *,
    prefilled: bool = False,
    hashes: Sequence[Sequence[int]] | None = None,
    priority: Sequence[int] | None = None,
    rhythm: Sequence[int] | None = None,
    extra_s: Sequence[float] | None = None,
    follows: Sequence[int] | None = None,
    wait_s: Sequence[float] | None = None,
) -> StepByStep:
    """Serve all requests on one instance with a loop over single steps.

    Parameters
    ----------
    prefilled : bool
        True: requests come with their prompt in the cache and one token out (decode pool).
    hashes, priority, rhythm, extra_s : sequence, optional
        Per request, as in :class:`sim.serving.live.LiveRequest`.
    follows, wait_s : sequence, optional
        As in :class:`sim.serving.plan.Details`.
    """
    jobs = [
        PlainJob(
            i, int(requests.prompt[i]), int(requests.output[i]), int(requests.cached[i]), int(prefilled),
            hashes=list(hashes[i]) if hashes is not None else [],
            priority=priority[i] if priority is not None else 0,
            rhythm=rhythm[i] if rhythm is not None else 0,
            extra_s=extra_s[i] if extra_s is not None else 0.0,
        )
        for i in range(len(requests))
    ]  # fmt: skip
    follows = [-1] * len(jobs) if follows is None else follows
    coming = [(float(requests.arrival_s[i]), i) for i in range(len(jobs)) if follows[i] < 0]
    return _Loop(cost, limits, prefilled, _Line(jobs, coming, follows, wait_s)).run()
