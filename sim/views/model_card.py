"""Tables of a model for the terminal: its shape as given, and everything that follows from it by counting."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sim.physics.architecture import Architecture
from sim.physics.attention import mean_attended, scans
from sim.physics.cache import kv_cache_bytes
from sim.physics.counts import linear_flop_per_token, parameter_counts
from sim.physics.operators import Precisions
from sim.profiles.catalogue import Catalogue
from sim.profiles.model import ModelProfile
from sim.views.catalogue import source_lists, values
from sim.views.listing import Listing

CONTEXTS = {"4K": 4096.0, "128K": 131_072.0, "1M": 1_048_576.0}  # tokens
_PLAIN = Precisions()  # 16-bit cache where the architecture fixes no layout of its own


def list_models(catalogue: Catalogue) -> Listing:
    """Every model with its computed size."""
    kv = [f"KV at {name}" for name in CONTEXTS]
    columns = ("id", "name", "status", "parameters", "active", "GFLOP/token", *kv)
    rows = []
    for id in catalogue.ids("models"):
        profile = catalogue.model(id)
        rows.append((id, profile.name, profile.status, *_sizes(profile.architecture)))
    note = (
        "Computed from the architecture. Active parameters with the output head, without the input "
        "embedding; FLOP forward, without the attention core; cache of one sequence."
    )
    return Listing("models", columns, rows, [note])


def _sizes(shape: Architecture | None) -> tuple[str, ...]:
    if shape is None:
        return ("unknown",) * (3 + len(CONTEXTS))
    counts = parameter_counts(shape)
    flop = sum(linear_flop_per_token(shape).values())
    cache = (_bytes(_cache(shape, context)) for context in CONTEXTS.values())
    return (_count(counts.total), _count(counts.active), _giga(flop), *cache)


def show_model(catalogue: Catalogue, id: str, sources: bool) -> Iterator[Listing]:
    """What the file of a model says, and what follows from it."""
    profile = catalogue.model(id)
    yield values(profile, f"model {profile.id}: {profile.name}")
    if profile.architecture is not None:
        yield parameters_table(profile)
        yield work_table(profile.architecture)
        yield cache_table(profile.architecture)
    if sources:
        yield from source_lists(profile)


def parameters_table(profile: ModelProfile) -> Listing:
    """Parameters by component, with what the developer states beside them."""
    counts = parameter_counts(profile.shape)
    rows = [
        (part, _count(number), _count(counts.active_by_component.get(part, 0.0)))
        for part, number in counts.by_component.items()
    ]
    rows.append(("all", _count(counts.total), _count(counts.active)))
    published = profile.published
    if published is not None:
        rows.append(("as published", _count(published.total.value), _count(published.active.value)))
    for name in ("mtp", "engram", "vision"):
        if getattr(counts, name):
            rows.append((f"besides: {name}", _count(getattr(counts, name)), ""))
    notes = [
        f"Active with both embeddings {_count(counts.active_with_embeddings)}, "
        f"without embeddings {_count(counts.active_without_embeddings)}."
    ]
    if published is not None:
        notes.append(
            f"Published active parameters are stated {published.active_counts}. {published.note}".strip()
        )
    return Listing("parameters", ("component", "parameters", "active per token"), rows, notes)


def work_table(shape: Architecture) -> Listing:
    """Forward work of one token by component, the attention part at several context lengths."""
    rows = [
        (part, *[_giga(flop)] * len(CONTEXTS)) for part, flop in linear_flop_per_token(shape).items() if flop
    ]
    attention = [_attention_flop(shape, context) for context in CONTEXTS.values()]
    for part in dict.fromkeys(name for each in attention for name in each):
        rows.append((part, *(_giga(each[part]) for each in attention)))
    linear = sum(linear_flop_per_token(shape).values())
    rows.append(("all", *(_giga(linear + sum(each.values())) for each in attention)))
    columns = ("component", *(f"GFLOP at {name}" for name in CONTEXTS))
    return Listing("work of one generated token", columns, rows, ["Forward, multiply-add = 2 FLOP."])


def _attention_flop(shape: Architecture, context: float) -> dict[str, float]:
    found: dict[str, float] = {}
    for group in shape.attention:
        for scan in scans(group, _PLAIN.kv_bytes, True):
            flop = group.layers * scan.flop * float(mean_attended(scan, context - 1.0, 1.0))
            found[scan.component] = found.get(scan.component, 0.0) + flop
    return found


def cache_table(shape: Architecture) -> Listing:
    """Cache of one sequence by context length."""
    rows = [
        (name, _bytes(_cache(shape, context)), _bytes(_cache(shape, context) / context))
        for name, context in CONTEXTS.items()
    ]
    columns = ("context", "cache of one sequence", "per token")
    return Listing(
        "key-value cache", columns, rows, ["16 bit where the architecture fixes no layout of its own."]
    )


def _cache(shape: Architecture, context: float) -> float:
    return float(np.asarray(kv_cache_bytes(shape, context, _PLAIN)))


def _count(number: float) -> str:
    for size, name in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.4g} {name}"
    return f"{number:.4g}"


def _giga(flop: float) -> str:
    number = flop / 1e9
    return f"{number:.3g}" if number < 1 else f"{number:,.1f}" if number < 1e4 else f"{number:,.0f}"


def _bytes(number: float) -> str:
    for size, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= size:
            return f"{number / size:.4g} {name}"
    return f"{number:.4g} B"
