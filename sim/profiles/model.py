"""Schema of a model file: who made it, what was published about it, and its architecture."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from sim.physics.architecture import Architecture
from sim.profiles.fields import Date, Document, Ratio, Record, Tokens
from sim.quantity import UnknownQuantityError

Format = Literal["fp32", "bf16", "fp16", "fp8", "int8", "int4", "fp4"]
Convention = Literal["with head", "with both embeddings", "without embeddings"]


class Published(Record):
    """Parameter counts as the developer states them; the simulator computes its own and tests compare."""

    total: Ratio
    """Parameters."""
    active: Ratio
    """Parameters used per token; equal to the total in a dense model."""
    active_counts: Convention = "with head"
    """Which embeddings the stated active parameters include, judged by what fits."""
    note: str = ""
    """Rounding, or what the figure includes besides the model itself."""


class Weights(Record):
    """Number formats of the released weights."""

    linear: Format
    """Attention, dense and shared blocks."""
    experts: Format | None = None
    """Routed experts; left out: as `linear`."""
    note: str = ""
    """Scales, blocks, other checkpoints."""


class ModelProfile(Document):
    """One language model."""

    developer: str
    """Laboratory or company."""
    status: Literal["released", "reported", "rumoured", "benchmark"]
    """Weights or API exist; described by its makers only; described by others only; measured, never trained."""
    release_date: Date | None = None
    """First public release."""
    licence: str = ""
    """Terms of the weights."""
    modality: str = "text"
    """What goes in."""
    context_max: int | None = None
    """Longest context [tokens]."""
    training_tokens: Tokens | None = None
    """Tokens of the pre-training run."""
    weights: Weights | None = None
    """Formats of the released weights."""
    published: Published | None = None
    """Parameter counts as stated."""
    architecture: Architecture | None = None
    """Shape of the model; left out when nobody has published it: the model can then not be simulated."""

    @model_validator(mode="after")
    def _released_has_shape(self) -> ModelProfile:
        if self.status == "released" and self.architecture is None:
            raise ValueError(
                "a released model needs an `architecture`; say `status: rumoured` if it is not public"
            )
        return self

    @property
    def shape(self) -> Architecture:
        """The architecture, for a simulation.

        Raises
        ------
        UnknownQuantityError
            When nobody has published it.
        """
        if self.architecture is None:
            raise UnknownQuantityError(
                f"{self.name} ({self.id}) cannot be simulated: it is {self.status}, and its architecture (vocab, "
                "hidden, layers, attention, ffn) is unknown; copy the file of a similar model and fill it in"
            )
        return self.architecture
