"""A request in flight, and what an instance counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class LiveRequest:
    """A request in flight.

    Parameters
    ----------
    index : int
        Its row.
    prompt, output : int
        Tokens of the prompt, and tokens to be made here [token].
    cached : int
        Prompt tokens that are in the cache whatever the cache does: reuse that the traffic states [token].
    generated : int
        Tokens already out; with any, the prompt is in the cache [token].
    hashes : sequence of int
        Ids of the full prefix blocks of the prompt; reuse is then what the prefix cache holds.
    priority : int
        Class; 0 goes first.
    rhythm : int
        Which of the instance's speculative settings it decodes with.
    extra_s : float
        Work at its first admission that holds up the instance, such as encoding an image [s].
    goal : int, optional
        Tokens wanted in all, where this instance makes only some of them (prefill pool) [token].
    """

    __slots__ = (
        "admission", "blocks", "cached", "extra_s", "generated", "goal", "hashes", "hit", "index", "offset",
        "output", "pinned", "prefill_left", "prefilled", "priority", "prompt", "rhythm", "swapped",
    )  # fmt: skip

    def __init__(
        self,
        index: int,
        prompt: int,
        output: int,
        cached: int = 0,
        generated: int = 0,
        hashes: Sequence[int] = (),
        priority: int = 0,
        rhythm: int = 0,
        extra_s: float = 0.0,
        goal: int = 0,
    ) -> None:
        self.index = index
        self.prompt = prompt
        self.output = output
        self.cached = cached
        self.generated = generated
        self.hashes = hashes
        self.priority = priority
        self.rhythm = rhythm
        self.extra_s = extra_s
        self.goal = goal or output
        self.prefilled = 0  # tokens of the context that are in the cache
        self.prefill_left = 0 if generated else prompt - cached
        self.admission = -1  # serial number of its admission; -1 while it waits
        self.blocks = 0  # cache blocks held while its prompt is read
        self.offset = 0
        self.pinned = 0  # prefix blocks it holds in the shared cache
        self.hit = -1  # tokens found there when it was first admitted
        self.swapped = 0  # tokens that wait in host memory

    def read_again(self) -> int:
        """Its cache is lost: all of it has to be read again. Tokens by which that is more than was left."""
        again = self.prompt + self.generated - self.cached
        more = again - self.prefill_left
        self.prefilled, self.prefill_left, self.swapped = self.cached, again, 0
        return more


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
        Prompt tokens read, and those of them (with generated ones) that were read again after a preemption or a failure.
    preemptions, refused : int
        Requests pushed out, and requests too long for the cache.
    batch_seconds : float
        Decoding sequences, integrated over time [s].
    hit_tokens, asked_tokens : int
        Prompt tokens found in the prefix cache, of those it was asked for, second readings included.
    loaded_tokens : int
        Of those found, the ones that came back from a slower tier.
    swapped_tokens : int
        Tokens moved to host memory, and as many back.
    failures, retried : int
        Times the replica failed, and requests it lost.
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
    hit_tokens: int = 0
    asked_tokens: int = 0
    loaded_tokens: int = 0
    swapped_tokens: int = 0
    failures: int = 0
    retried: int = 0

    def __add__(self, other: ReplicaCounters) -> ReplicaCounters:
        mine, theirs = (tuple(getattr(each, name) for name in self.__slots__) for each in (self, other))
        return ReplicaCounters(*(a + b for a, b in zip(mine, theirs, strict=True)))
