"""What the engine instance of :mod:`sim.serving.reference` holds, and its rules for room: lists, and nothing clever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

from sim.serving.prefix_cache import PrefixSettings
from sim.serving.steps import ReplicaLimits


@dataclass(slots=True)
class PlainJob:
    """A request and how far it is."""

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


class PlainInstance:
    """State of the loop and the few rules it needs."""

    def __init__(self, limits: ReplicaLimits) -> None:
        self.limits = limits
        self.waiting: list[PlainJob] = []
        self.running: list[PlainJob] = []  # in order of admission, prompts being read included
        self.cache = PlainCache(limits.prefix) if limits.prefix else None
        self.unit = limits.prefix.block_tokens if limits.prefix else 0
        self.stall = 0.0

    def need(self, job: PlainJob, pinned: int) -> int:
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

    def admit(self, hits: dict[int, int]) -> None:
        """In order of class and arrival, while there is room; cached tokens of each prompt go into ``hits``."""
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
                hits.setdefault(job.index, hit)

    def prompt_read(self, job: PlainJob) -> None:
        """Its blocks are there for others."""
        if self.cache is not None:
            self.cache.use(job.hashes[job.pinned :])
            job.pinned = len(job.hashes)

    def leave(self, job: PlainJob) -> None:
        """Done."""
        self.running.remove(job)
        if self.cache is not None:
            self.cache.give_back(job.hashes[: job.pinned])
