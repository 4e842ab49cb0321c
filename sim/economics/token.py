"""From the cost of a chip-second to the cost of tokens and of runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.economics.ownership import Blocks, scaled

Array = NDArray[np.float64] | float
MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Phase:
    """How fast the chips of one phase of serving work.

    Attributes
    ----------
    tokens_per_chip_s : Array
        Tokens per second and chip of this phase at its rated load [token/s/chip]. Prefill: computed tokens,
        that is input tokens that missed the prefix cache. Decode: output tokens that reach users.
    utilisation : Array
        Mean over rated load, over all hours that are paid for [1].
    """

    tokens_per_chip_s: Array
    utilisation: Array = 1.0


def chip_seconds_per_million(phase: Phase) -> Array:
    """Paid chip-seconds per million tokens of a phase [chip s].

    Examples
    --------
    A node of eight at 14,800 tokens per second is busy 540 chip-seconds with a million tokens.

    >>> round(chip_seconds_per_million(Phase(14_800 / 8)), 1)
    540.5
    """
    return MILLION / (phase.tokens_per_chip_s * phase.utilisation)


def serving_cost(chip_s_blocks: Mapping[str, Array], phase: Phase) -> Blocks:
    """Cost of a million tokens of one phase [USD per million tokens], by block.

    Every phase pays for its own chips: pass the prefill pool for input tokens (cache misses; hits cost
    nothing here) and the decode pool for output tokens. Engines that mix phases on the same chips share out
    their time first.

    Parameters
    ----------
    chip_s_blocks : mapping of block to Array
        Cost of a chip-second in one view [USD/chip/s].
    """
    return scaled(chip_s_blocks, chip_seconds_per_million(phase))


def request_cost(
    input_blocks: Mapping[str, Array],
    output_blocks: Mapping[str, Array],
    missed_tokens: Array,
    output_tokens: Array,
) -> Blocks:
    """Cost of requests [USD], by block, from the two costs per million tokens and the tokens of each kind."""
    share_in, share_out = (
        scaled(input_blocks, missed_tokens / MILLION),
        scaled(output_blocks, output_tokens / MILLION),
    )
    return {
        block: share_in.get(block, 0.0) + share_out.get(block, 0.0) for block in {**share_in, **share_out}
    }


def all_in_output_cost(
    input_blocks: Mapping[str, Array], output_blocks: Mapping[str, Array], missed_per_output: Array
) -> Blocks:
    """Cost of a million output tokens with the input that belongs to them [USD per million], by block.

    Parameters
    ----------
    missed_per_output : Array
        Input tokens that missed the cache, per output token [1].
    """
    return request_cost(input_blocks, output_blocks, missed_per_output * MILLION, MILLION)


def training_cost(chip_s_blocks: Mapping[str, Array], chips: Array, wall_s: Array) -> Blocks:
    """Cost of a run [USD], by block: chips held, spares included, times calendar time."""
    return scaled(chip_s_blocks, chips * wall_s)
