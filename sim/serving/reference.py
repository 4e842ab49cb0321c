"""The same engine instance, one step at a time: slow, plain, and the yardstick of
:mod:`sim.serving.replica`."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from sim.serving.prefix_cache import PrefixSettings
from sim.serving.steps import ReplicaLimits, StepCost
from sim.serving.traffic import Requests


@dataclass(slots=True)
class _Job:
    index: int
    prompt: int
    output: int
    cached: int
    generated: int = 0
    prefill_left: int = 0
    prefilled: int = 0
    hashes: list[int] = field(default_factory=list)
    priority: int = 0
    rhythm: int = 0
    extra_s: float = 0.0
    pinned: int = 0
    swapped: int = 0


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


class PlainCache:
    """Tiers of prefix blocks as lists, oldest first; a block in use counts its users."""

    def __init__(self, settings: PrefixSettings) -> None:
        self.users: dict[int, int] = {}
        self.idle: list[int] = []
        self.tiers: list[list[int]] = [[] for _ in settings.tiers]
        self.settings = settings

    def known(self, hashes: Sequence[int]) -> int:
        """Leading blocks in any tier."""
        everywhere = [*self.users, *self.idle, *(block for tier in self.tiers for block in tier)]
        missing = [place for place, block in enumerate(hashes) if block not in everywhere]
        return missing[0] if missing else len(hashes)

    def use(self, hashes: Sequence[int]) -> float:
        """Time to bring known blocks back [s]."""
        time = 0.0
        for block in hashes:
            for tier, settings in zip(self.tiers, self.settings.tiers, strict=True):
                if block in tier:
                    tier.remove(block)
                    time += settings.load_token_s * self.settings.block_tokens
            if block in self.idle:
                self.idle.remove(block)
            self.users[block] = self.users.get(block, 0) + 1
        return time

    def give_back(self, hashes: Sequence[int]) -> None:
        """One user less; the end of a path gets old before its beginning."""
        for block in reversed(hashes):
            self.users[block] -= 1
            if not self.users[block]:
                del self.users[block]
                self.idle.append(block)

    def shrink(self, room: int) -> None:
        """Drop the oldest idle blocks to the next tier until the rest fit."""
        dropped = self.idle[: max(len(self.idle) - room, 0)]
        self.idle = self.idle[len(dropped) :]
        for tier, settings in zip(self.tiers, self.settings.tiers, strict=True):
            overflow = []
            for block in dropped:
                tier.append(block)
                if len(tier) > settings.blocks:
                    overflow.append(tier.pop(0))
            dropped = overflow


class _Instance:
    """State of the loop and the few rules it needs."""

    def __init__(self, limits: ReplicaLimits) -> None:
        self.limits = limits
        self.waiting: list[_Job] = []
        self.running: list[_Job] = []  # in order of admission, prompts being read included
        self.cache = PlainCache(limits.prefix) if limits.prefix else None
        self.unit = limits.prefix.block_tokens if limits.prefix else 0
        self.stall = 0.0

    def need(self, job: _Job, pinned: int) -> int:
        """Blocks of its own."""
        tokens = job.prompt + job.generated + (1 if job.prefill_left else 0) - pinned * self.unit
        return ceil((tokens + self.limits.speculations[job.rhythm].lookahead) / self.limits.block_tokens)

    def held(self) -> int:
        """Blocks in use."""
        shared = len(self.cache.users) * self.unit // self.limits.block_tokens if self.cache else 0
        return sum(self.need(job, job.pinned) for job in self.running) + shared

    def swapped_blocks(self) -> int:
        """Blocks in host memory."""
        return sum(ceil(job.swapped / self.limits.block_tokens) for job in self.waiting)

    def push_out(self) -> None:
        """The newest of the last class goes back to the head of its line."""
        last = max(job.priority for job in self.running)
        victim = [job for job in self.running if job.priority == last][-1]
        self.running.remove(victim)
        if self.cache is not None:
            self.cache.give_back(victim.hashes[: victim.pinned])
        victim.pinned = 0
        context = victim.prefilled if victim.prefill_left else victim.prompt + victim.generated
        blocks = ceil(context / self.limits.block_tokens)
        if context and self.swapped_blocks() + blocks <= self.limits.swap_blocks:
            victim.swapped = context
            self.stall += context * self.limits.swap_token_s
        else:
            victim.prefill_left = victim.prompt + victim.generated - victim.cached
            victim.prefilled = victim.cached
        self.waiting.insert(0, victim)

    def admit(self, result: StepByStep) -> None:
        """In order of class and arrival, while there is room."""
        while self.waiting and len(self.running) < self.limits.batch:
            job = min(self.waiting, key=lambda each: each.priority)
            room = self.limits.kv_blocks - (self.limits.spare_blocks if self.running else 0)
            looks = self.cache is not None and job.hashes and job.prefill_left and not job.swapped
            known = self.cache.known(job.hashes) if self.cache is not None and looks else 0
            new = 0
            if self.cache is not None:
                new = sum(block not in self.cache.users for block in job.hashes[:known])
            if self.held() + self.need(job, known) + new * self.unit // self.limits.block_tokens > room:
                break
            self.waiting.remove(job)
            self.running.append(job)
            if job.swapped:
                self.stall += job.swapped * self.limits.swap_token_s
                job.swapped = 0
                continue
            if not job.prefill_left:
                continue
            self.stall += job.extra_s
            if job.hashes and self.cache is not None:
                self.stall += self.cache.use(job.hashes[:known])
                hit = min(known * self.unit, job.prompt + job.generated - 1)
                job.pinned, job.prefilled = known, hit
                job.prefill_left -= hit
                result.hits.setdefault(job.index, hit)

    def prompt_read(self, job: _Job) -> None:
        """Its blocks are there for others."""
        if self.cache is not None:
            self.cache.use(job.hashes[job.pinned :])
            job.pinned = len(job.hashes)

    def leave(self, job: _Job) -> None:
        """Done."""
        self.running.remove(job)
        if self.cache is not None:
            self.cache.give_back(job.hashes[: job.pinned])


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
    result = StepByStep()
    jobs = [
        _Job(i, int(requests.prompt[i]), int(requests.output[i]), int(requests.cached[i]), int(prefilled))
        for i in range(len(requests))
    ]
    for i, job in enumerate(jobs):
        job.hashes = list(hashes[i]) if hashes is not None else []
        job.priority = priority[i] if priority is not None else 0
        job.rhythm = rhythm[i] if rhythm is not None else 0
        job.extra_s = extra_s[i] if extra_s is not None else 0.0
    follows = [-1] * len(jobs) if follows is None else follows
    coming = [(float(requests.arrival_s[i]), i) for i in range(len(jobs)) if follows[i] < 0]

    def answer(row: int, when: float) -> None:
        """Those that waited for it will come."""
        for later, before in enumerate(follows):
            if before == row:
                insort(coming, (when + (wait_s[later] if wait_s is not None else 0.0), later))

    here = _Instance(limits)
    now, step = 0.0, 0
    while coming or here.waiting or here.running:
        while coming and coming[0][0] <= now:
            when, row = coming.pop(0)
            job = jobs[row]
            most = job.prompt + job.output + limits.speculations[job.rhythm].lookahead
            if ceil(most / limits.block_tokens) > limits.kv_blocks:
                result.refused.append(job.index)
                answer(row, when)
                continue
            job.prefill_left = 0 if prefilled else job.prompt - job.cached
            job.prefilled = job.cached
            here.waiting.append(job)
        if not here.waiting and not here.running:
            if result.batches:
                _record(result, now, ())
            now = max(now, coming[0][0]) if coming else now
            continue
        before = result.preemptions
        while here.held() > limits.kv_blocks:
            here.push_out()
            result.preemptions += 1
        if result.preemptions == before:
            here.admit(result)
        if here.cache is not None:
            here.cache.shrink((limits.kv_blocks - here.held()) * limits.block_tokens // here.unit)
        decoding = [job for job in here.running if not job.prefill_left]
        if not here.running:
            continue
        _record(result, now, tuple(job.index for job in decoding))
        reading = sorted((job for job in here.running if job.prefill_left), key=lambda each: each.priority)
        if reading and not limits.mixed:
            decoding = []
        kinds = limits.speculations
        counts = [sum(job.rhythm == kind for job in decoding) for kind in range(len(kinds))]
        duration = cost.base_s[ceil(sum(n * kind.weight for n, kind in zip(counts, kinds, strict=True)))]
        duration += cost.context_s * sum(job.prompt + job.generated for job in decoding)
        duration += here.stall
        here.stall = 0.0
        if reading:
            duration += cost.prefill_base_s
        budget = max(limits.chunk_tokens - len(decoding), 1)
        chunks = []
        for job in reading:
            tokens = min(job.prefill_left, budget)
            if tokens:
                chunks.append((job, tokens))
                duration += cost.chunk_s(tokens, job.prefilled)
                budget -= tokens
        now += duration
        result.steps += 1
        if decoding or limits.mixed:
            step += 1
            for job in decoding:
                accepted = kinds[job.rhythm].accepted
                emitted = step * accepted // 1 - (step - 1) * accepted // 1
                job.generated = min(job.generated + int(emitted), job.output)
                if job.generated >= job.output:
                    here.leave(job)
                    result.finish_s[job.index] = now
                    answer(job.index, now)
        for job, tokens in chunks:
            job.prefill_left -= tokens
            job.prefilled += tokens
            if job.prefill_left == 0:
                job.generated += 1
                here.prompt_read(job)
                if job.generated == 1:
                    result.first_token_s[job.index] = now
                if job.generated >= job.output:
                    here.leave(job)
                    result.finish_s[job.index] = now
                    answer(job.index, now)
    if result.batches:
        _record(result, now, ())
    return result


def _record(result: StepByStep, now: float, batch: tuple[int, ...]) -> None:
    if not result.batches or result.batches[-1][1] != batch:
        result.batches.append((now, batch))
