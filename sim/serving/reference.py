"""The same engine instance, one step at a time: slow, plain, and the yardstick of
:mod:`sim.serving.replica`."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

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


@dataclass(slots=True)
class StepByStep:
    """What happened: per request, and every change of the decoding batch."""

    first_token_s: dict[int, float] = field(default_factory=dict)
    finish_s: dict[int, float] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)
    batches: list[tuple[float, tuple[int, ...]]] = field(default_factory=list)
    preemptions: int = 0
    steps: int = 0


def run_step_by_step(
    requests: Requests, cost: StepCost, limits: ReplicaLimits, *, prefilled: bool = False
) -> StepByStep:
    """Serve all requests on one instance with a loop over single steps.

    Parameters
    ----------
    prefilled : bool
        True: requests come with their prompt in the cache and one token out (decode pool).
    """
    result = StepByStep()
    jobs = [
        _Job(i, int(requests.prompt[i]), int(requests.output[i]), int(requests.cached[i]), int(prefilled))
        for i in range(len(requests))
    ]
    coming = list(range(len(jobs)))
    waiting: list[_Job] = []
    running: list[_Job] = []  # in order of admission, prompts being read included
    now, step = 0.0, 0
    while coming or waiting or running:
        while coming and requests.arrival_s[coming[0]] <= now:
            job = jobs[coming.pop(0)]
            if _blocks(job.prompt + job.output, limits) > limits.kv_blocks:
                result.refused.append(job.index)
                continue
            job.prefill_left = 0 if prefilled else job.prompt - job.cached
            job.prefilled = job.cached
            waiting.append(job)
        if not waiting and not running:
            if result.batches:
                _record(result, now, ())
            now = max(now, float(requests.arrival_s[coming[0]])) if coming else now
            continue
        preempted = False
        while _held(running, limits) > limits.kv_blocks:
            victim = running.pop()
            victim.prefill_left = victim.prompt + victim.generated - victim.cached
            victim.prefilled = victim.cached
            waiting.insert(0, victim)
            result.preemptions += 1
            preempted = True
        while not preempted and waiting and len(running) < limits.batch:
            job = waiting[0]
            room = limits.kv_blocks - (limits.spare_blocks if running else 0)
            if _held(running, limits) + _need(job, limits) > room:
                break
            running.append(waiting.pop(0))
        decoding = [job for job in running if not job.prefill_left]
        if not running:
            continue
        _record(result, now, tuple(job.index for job in decoding))
        reading = [job for job in running if job.prefill_left]
        if reading and not limits.mixed:
            decoding = []
        duration = cost.base_s[len(decoding)]
        duration += cost.context_s * sum(job.prompt + job.generated for job in decoding)
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
            emitted = (step + 1) * limits.accepted // 1 - step * limits.accepted // 1
            step += 1
            for job in decoding:
                job.generated = min(job.generated + int(emitted), job.output)
                if job.generated >= job.output:
                    running.remove(job)
                    result.finish_s[job.index] = now
        for job, tokens in chunks:
            job.prefill_left -= tokens
            job.prefilled += tokens
            if job.prefill_left == 0:
                job.generated += 1
                if job.generated == 1:
                    result.first_token_s[job.index] = now
                if job.generated >= job.output:
                    running.remove(job)
                    result.finish_s[job.index] = now
    if result.batches:
        _record(result, now, ())
    return result


def _record(result: StepByStep, now: float, batch: tuple[int, ...]) -> None:
    if not result.batches or result.batches[-1][1] != batch:
        result.batches.append((now, batch))


def _blocks(tokens: int, limits: ReplicaLimits) -> int:
    return ceil((tokens + limits.lookahead) / limits.block_tokens)


def _need(job: _Job, limits: ReplicaLimits) -> int:
    return _blocks(job.prompt + job.generated + (1 if job.prefill_left else 0), limits)


def _held(running: list[_Job], limits: ReplicaLimits) -> int:
    return sum(_need(job, limits) for job in running)
