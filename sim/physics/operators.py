"""The operators of a model: how much work, on how many bytes, in which shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sim.physics.chip import Family

Array = NDArray[np.float64] | float
Sharding = Literal["tensor", "expert", "none"]


@dataclass(frozen=True, slots=True)
class Operator:
    """One kind of kernel of a forward pass, summed over the layers that contain it.

    Work is that of one attention replica before it is split (for ``sharding="expert"``: of the whole
    expert-parallel group). The layout divides it.

    Attributes
    ----------
    component : str
        What it belongs to, for breakdowns: "attention projections", "attention core", "indexer", "dense ffn",
        "shared experts", "routed experts", "router", "logits", "embedding", "elementwise", "linear attention", "engram", "mtp".
    family : Family
        Which kernel curve sets its efficiency.
    precision : str
        Precision of the arithmetic: a key of ``Chip.matrix_peak``.
    flop : Array
        Arithmetic, multiply-add = 2 [FLOP].
    weight_bytes : Array
        Weights read, once per pass however many tokens share them [byte].
    token_bytes : Array
        Activations, key-value cache read and written, score matrices [byte].
    rows : Array
        Rows per matrix product: tokens, or tokens per touched expert [rows].
    layers : float
        Layers (kernel launches per pass) it occurs in.
    sharding : {"tensor", "expert", "none"}
        Which parallel degree divides it.
    on_edge : bool
        True for embedding, logits, MTP: work of the first or last pipeline stage, not of every layer.
    """

    component: str
    family: Family
    precision: str
    flop: Array
    weight_bytes: Array
    token_bytes: Array
    rows: Array
    layers: float
    sharding: Sharding = "tensor"
    on_edge: bool = False


@dataclass(frozen=True, slots=True)
class Precisions:
    """Number formats of a job, by role.

    Attributes
    ----------
    linear, expert : str
        Arithmetic of the large GEMMs of attention and dense layers, and of the routed experts.
    attention : str
        Arithmetic of the attention core.
    weight_bytes, expert_weight_bytes : float
        Stored bytes per weight outside and inside the routed experts [byte] (fp4 with scales: 0.53).
    kv_bytes : float
        Bytes per element of key-value cache where the architecture does not fix its own layout [byte].
    activation_bytes : float
        Bytes per activation element in elementwise traffic [byte].
    dispatch_bytes, combine_bytes : float
        Bytes per element sent to and returned from the experts [byte].
    """

    linear: str = "bf16"
    expert: str = "bf16"
    attention: str = "bf16"
    weight_bytes: float = 2.0
    expert_weight_bytes: float = 2.0
    kv_bytes: float = 2.0
    activation_bytes: float = 2.0
    dispatch_bytes: float = 2.0
    combine_bytes: float = 2.0
