"""What every group of alike layers says of itself, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

Prompt = Literal["all", "window"]
CONFIG: dict[str, Any] = {"extra": "forbid", "use_attribute_docstrings": True}
"""How pydantic reads the records of a model's shape; everything else ignores it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerGroup:
    """Layers of one kind. The descriptions are metadata: docstrings of fields are not handed down."""

    __pydantic_config__: ClassVar[dict[str, Any]] = CONFIG

    layers: int = field(metadata={"description": "Layers of this kind."})
    prompt: Prompt = field(
        default="all",
        metadata={
            "description": "`window`: in prefill only the last tokens of a prompt run through these layers."
        },
    )
