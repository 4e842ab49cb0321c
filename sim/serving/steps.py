"""Steps of a serving engine in closed form: how long k of them take, how many tokens and cache blocks they
add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, sqrt

from sim.serving.prefix_cache import PrefixSettings


@dataclass(frozen=True, slots=True)
class StepCost:
    """Time of one engine step: base[B] + context x sum of contexts + the prompt chunks it carries.

    Attributes
    ----------
    base_s : sequence
        Step time with B decoding sequences and no context, for B = 0, 1, ... up to the batch limit [s].
    context_s : float
        Further time per token of context, summed over the batch [s/token].
    prefill_base_s : float
        Further time of a step that carries prompt tokens [s].
    prefill_token_s : float
        ... per prompt token [s/token].
    prefill_pair_s : float
        ... per pair of a prompt token and a token it attends to [s/token^2].
    """

    base_s: Sequence[float]
    context_s: float = 0.0
    prefill_base_s: float = 0.0
    prefill_token_s: float = 0.0
    prefill_pair_s: float = 0.0

    def chunk_s(self, tokens: float, past: float) -> float:
        """Time added by ``tokens`` prompt tokens that follow ``past`` tokens of the same prompt [s]."""
        return self.prefill_token_s * tokens + self.prefill_pair_s * tokens * (past + 0.5 * tokens)


@dataclass(frozen=True, slots=True)
class Speculation:
    """How sequences of one kind decode.

    Attributes
    ----------
    accepted : Fraction
        Tokens per step and sequence (1 without speculation).
    lookahead : int
        Cache slots kept for drafts beyond the context.
    weight : float
        Place a sequence takes in the batch on which the step time depends, over that of the first kind:
        (drafts + 1) / (drafts of the first kind + 1).
    """

    accepted: Fraction = Fraction(1)
    lookahead: int = 0
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ReplicaLimits:
    """What an engine instance may hold and how it schedules.

    Attributes
    ----------
    batch : int
        Sequences admitted at once.
    kv_blocks : int
        Blocks of key-value cache.
    block_tokens : int
        Tokens per block.
    chunk_tokens : int
        Tokens (decoding sequences included) in one step; longer prompts are cut into chunks.
    mixed : bool
        True: prompt chunks ride along with decoding. False: a step with prompt tokens pauses decoding.
    accepted : Fraction
        Tokens per step and sequence (1 without speculation). All sequences emit in the same rhythm:
        floor(n x accepted) tokens by step n, which makes every run repeatable and keeps the mean exact.
    lookahead : int
        Cache slots kept for drafts beyond the context.
    spare_blocks : int
        Blocks kept free when a request is admitted, so that it is not pushed out again at once.
    swap_blocks : int
        Blocks of host memory to which a request that is pushed out moves its cache; where it finds no room there (or
        with 0), its cache is dropped and read again.
    swap_token_s : float
        Time to move the cache of a token over the host link, one way; the next step waits for it [s/token].
    classes : int
        Priority classes.
    further : tuple of Speculation
        Kinds of sequences beside the one that ``accepted`` and ``lookahead`` describe.
    prefix : PrefixSettings, optional
        Prefix cache in the memory that requests leave; without it only reuse that the traffic states counts.
    """

    batch: int
    kv_blocks: int
    block_tokens: int = 16
    chunk_tokens: int = 8192
    mixed: bool = True
    accepted: Fraction = Fraction(1)
    lookahead: int = 0
    spare_blocks: int = 0
    swap_blocks: int = 0
    swap_token_s: float = 0.0
    classes: int = 1
    further: tuple[Speculation, ...] = ()
    prefix: PrefixSettings | None = None

    def __post_init__(self) -> None:
        if self.prefix is not None and self.prefix.block_tokens % self.block_tokens:
            raise ValueError(
                f"prefix blocks of {self.prefix.block_tokens} tokens are no multiple of {self.block_tokens}"
            )

    @property
    def speculations(self) -> tuple[Speculation, ...]:
        """All kinds of sequences."""
        return (Speculation(self.accepted, self.lookahead), *self.further)


class Rhythm:
    """Tokens emitted per sequence by step n: floor(n x accepted), and sums of them over runs of steps."""

    __slots__ = ("_by_phase", "per", "tokens")

    def __init__(self, accepted: Fraction) -> None:
        self.tokens, self.per = accepted.numerator, accepted.denominator
        # The pattern repeats every `per` steps. For each phase: sum of what m < per further steps have emitted before.
        self._by_phase = []
        for phase in range(self.per):
            before, sums = phase * self.tokens // self.per, [0]
            for m in range(self.per):
                sums.append(sums[-1] + (phase + m) * self.tokens // self.per - before)
            self._by_phase.append(sums)

    def emitted(self, step: int) -> int:
        """Tokens by step ``step``."""
        return step * self.tokens // self.per

    def first_step(self, tokens: int) -> int:
        """First step by which ``tokens`` tokens are out."""
        return -(-tokens * self.per // self.tokens)

    def growth(self, step: int, steps: int) -> int:
        """Sum over j < ``steps`` of the tokens emitted between ``step`` and ``step + j``.

        Examples
        --------
        >>> rhythm = Rhythm(Fraction(17, 10))
        >>> rhythm.growth(7, 25) == sum(rhythm.emitted(7 + j) - rhythm.emitted(7) for j in range(25))
        True
        """
        tokens = self.tokens
        if self.per == 1:
            return tokens * (steps * (steps - 1) // 2)
        sums = self._by_phase[step % self.per]
        turns, rest = divmod(steps, self.per)
        whole = self.per * (turns * (turns - 1) // 2) + turns * rest
        return tokens * whole + turns * sums[self.per] + sums[rest]


@dataclass(slots=True)
class Segment:
    """A run of steps with the same sequences in them.

    Step j of it takes ``first_s + sum of growth_s x (tokens emitted in its rhythm by step j) + ramp_s x j``.

    Attributes
    ----------
    start_s : float
        When its first step began [s].
    steps : int
        How many steps it will have.
    step : int
        Step number at its start.
    growths : sequence of (float, Rhythm)
        Further time per emitted token, for each rhythm in the batch.
    """

    start_s: float
    steps: int
    step: int
    first_s: float
    growths: Sequence[tuple[float, Rhythm]]
    ramp_s: float

    def elapsed(self, steps: int) -> float:
        """Time of its first ``steps`` steps [s].

        Notes
        -----
        k first + c (B k (k - 1) / 2) for one token per step; the sum over floor(n x accepted) in general.
        """
        if steps == 1:
            return self.first_s
        time = steps * self.first_s
        for growth_s, rhythm in self.growths:
            time += growth_s * rhythm.growth(self.step, steps)
        if self.ramp_s:
            time += self.ramp_s * (steps * (steps - 1) // 2)
        return time

    def boundary_after(self, now: float) -> tuple[int, float]:
        """First step that ends at ``now`` or later, counted from 1, and the time until its end [s]."""
        wanted = now - self.start_s
        slope = self.ramp_s
        for growth_s, rhythm in self.growths:
            slope += growth_s * rhythm.tokens / rhythm.per
        if slope > 0:
            linear = self.first_s - slope / 2
            guess = (sqrt(linear * linear + 2 * slope * max(wanted, 0.0)) - linear) / slope
        else:
            guess = wanted / self.first_s if self.first_s > 0 else 1.0
        steps = min(max(ceil(guess), 1), self.steps)
        end = self.elapsed(steps)
        while steps < self.steps and end < wanted:
            steps += 1
            end = self.elapsed(steps)
        while steps > 1 and (earlier := self.elapsed(steps - 1)) >= wanted:
            steps, end = steps - 1, earlier
        return steps, end
