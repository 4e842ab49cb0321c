"""Steps of a serving engine in closed form: how long k of them take, how many tokens and cache blocks they
add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, sqrt


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
    """

    batch: int
    kv_blocks: int
    block_tokens: int = 16
    chunk_tokens: int = 8192
    mixed: bool = True
    accepted: Fraction = Fraction(1)
    lookahead: int = 0
    spare_blocks: int = 0

    def blocks_for(self, tokens: int) -> int:
        """Blocks that hold ``tokens`` tokens and the draft slots."""
        return -(-(tokens + self.lookahead) // self.block_tokens)


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


class BlockCount:
    """Cache blocks of sequences that all grow in step.

    A sequence is known by its offset: context minus the tokens the rhythm has emitted. Since all grow alike,
    the offsets stay fixed and only their remainders by the block size decide who needs a new block when.
    """

    __slots__ = ("_by_remainder", "_size", "_whole", "count")

    def __init__(self, block_tokens: int) -> None:
        self._size = block_tokens
        self._by_remainder = [0] * block_tokens
        self._whole = 0
        self.count = 0

    def add(self, offset: int) -> None:
        """A sequence joins."""
        whole, remainder = divmod(offset, self._size)
        self._whole += whole
        self._by_remainder[remainder] += 1
        self.count += 1

    def remove(self, offset: int) -> None:
        """A sequence leaves."""
        whole, remainder = divmod(offset, self._size)
        self._whole -= whole
        self._by_remainder[remainder] -= 1
        self.count -= 1

    def at(self, emitted: int) -> int:
        """Blocks held when the rhythm has emitted so many tokens: sum of ceil((offset + emitted) / size).

        Examples
        --------
        >>> blocks = BlockCount(16)
        >>> blocks.add(16); blocks.add(20)
        >>> blocks.at(0), blocks.at(1), blocks.at(13)
        (3, 4, 5)
        """
        whole, over = divmod(emitted, self._size)
        counts = self._by_remainder
        total = self._whole + self.count * (whole + 1)
        if over == 0:
            return total - counts[0]
        return total + sum(counts[self._size - over + 1 :])


@dataclass(slots=True)
class Segment:
    """A run of steps with the same sequences in them.

    Step j of it takes ``first_s + growth_s x (tokens emitted by step j) + ramp_s x j``.

    Attributes
    ----------
    start_s : float
        When it began [s].
    steps : int
        How many steps it will have.
    step : int
        Step number at its start.
    """

    start_s: float
    steps: int
    step: int
    first_s: float
    growth_s: float
    ramp_s: float
    rhythm: Rhythm

    def elapsed(self, steps: int) -> float:
        """Time of its first ``steps`` steps [s].

        Notes
        -----
        k first + c (B k (k - 1) / 2) for one token per step; the sum over floor(n x accepted) in general.
        """
        if steps == 1:
            return self.first_s
        time = steps * self.first_s
        if self.growth_s:
            time += self.growth_s * self.rhythm.growth(self.step, steps)
        if self.ramp_s:
            time += self.ramp_s * (steps * (steps - 1) // 2)
        return time

    def boundary_after(self, now: float) -> tuple[int, float]:
        """First step that ends at ``now`` or later, counted from 1, and the time until its end [s]."""
        wanted = now - self.start_s
        slope = self.growth_s * self.rhythm.tokens / self.rhythm.per + self.ramp_s
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
