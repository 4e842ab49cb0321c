"""What the architectures count to, against what the developers state."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from sim.physics.counts import ParameterCounts, parameter_counts
from sim.profiles.catalogue import Catalogue
from sim.profiles.model import ModelProfile
from sim.quantity import UnknownQuantityError

HEAD, BOTH, NEITHER = "with head", "with both embeddings", "without embeddings"

# Model cards and technical reports: total and active parameters in billions, and which embeddings the active figure
# counts. The tolerances (percent) are wide only where the developer rounds: "1T", "A3B", "1.6T", "85.x" in the press.
PUBLISHED = {
    "deepseek-v2": (236, 21, HEAD, 0.2, 0.8),
    "deepseek-v3": (671, 36.7, HEAD, 0.1, 0.3),
    "deepseek-r1": (671, 36.7, HEAD, 0.1, 0.3),
    "deepseek-v3.1": (671, 36.7, HEAD, 0.1, 0.3),
    "deepseek-v3.2-exp": (671, 37, NEITHER, 0.2, 1.3),
    "deepseek-v4-pro": (1600, 49, HEAD, 1.8, 0.4),  # 1.6T is rounded; 1,599 with the draft layer, tested below
    "deepseek-v4-flash": (284, 13, NEITHER, 0.2, 2.1),
    "deepseek-v4.1-flash": (552, 16, HEAD, 0.1, 1.2),
    "kimi-k2": (1043, 32, HEAD, 1.7, 1.0),  # the report rounds to 1.04T, the released weights hold about 1.03T
    "kimi-k2.5": (1000, 32, HEAD, 2.7, 1.0),
    "kimi-k2.6": (1000, 32, HEAD, 2.7, 1.0),
    "kimi-k3": (2780, 104.2, HEAD, 0.1, 0.1),
    "qwen3-235b-a22b": (235, 22, BOTH, 0.1, 0.9),
    "qwen3-30b-a3b": (30.5, 3.3, BOTH, 0.2, 1.7),
    "qwen3-8b": (8.2, 8.2, BOTH, 0.2, 0.2),
    "qwen3-32b": (32.8, 32.8, BOTH, 0.2, 0.2),
    "qwen3-coder-480b-a35b": (480, 35, BOTH, 0.1, 1.4),
    "qwen3-next-80b-a3b": (80, 3, NEITHER, 0.5, 8.5),
    "qwen3.5-397b-a17b": (397, 17, BOTH, 0.2, 2.1),
    "qwen3.5-35b-a3b": (35, 3, HEAD, 1.0, 1.9),
    "qwen2.5-72b": (72.7, 72.7, BOTH, 0.1, 0.1),
    "llama-3.1-8b": (8.03, 8.03, BOTH, 0.1, 0.1),
    "llama-3.1-70b": (70.6, 70.6, BOTH, 0.1, 0.1),
    "llama-3.1-405b": (405.9, 405.9, BOTH, 0.1, 0.1),
    "llama-3.3-70b": (70.6, 70.6, BOTH, 0.1, 0.1),
    "llama-2-70b": (69, 69, BOTH, 0.1, 0.1),
    "llama-4-maverick": (400, 17, BOTH, 0.2, 1.1),
    "llama-4-scout": (109, 17, BOTH, 1.2, 1.1),  # the published total holds the vision encoder
    "mixtral-8x7b": (46.7, 12.9, BOTH, 0.1, 0.2),
    "mixtral-8x22b": (141, 39, HEAD, 0.3, 0.2),
    "glm-4.5": (355, 32, NEITHER, 0.7, 0.3),
    "glm-4.6": (355, 32, NEITHER, 0.7, 0.3),
    "glm-5": (744, 40, NEITHER, 0.1, 0.4),
    "glm-5.2": (744, 40, NEITHER, 0.1, 1.7),
    "minimax-m1": (456, 45.9, NEITHER, 0.1, 0.2),
    "minimax-m2": (230, 10, NEITHER, 0.6, 2.1),
    "minimax-m2.5": (230, 10, NEITHER, 0.6, 2.1),
    "minimax-m3": (428, 23, NEITHER, 0.5, 2.3),
    "gpt-oss-120b": (116.8, 5.1, HEAD, 0.1, 0.7),
    "gpt-oss-20b": (20.9, 3.6, HEAD, 0.1, 0.3),
    "grok-1": (314, 86, HEAD, 0.6, 2.7),  # the active figure is from the press
    "dbrx": (132, 36, HEAD, 0.4, 0.5),
    "pangu-ultra-moe": (718, 39, HEAD, 0.2, 0.5),
    "pangu-pro-moe": (72, 16.5, BOTH, 0.1, 0.1),
    "ernie-4.5-300b-a47b": (300, 47, HEAD, 0.2, 0.2),
    "step-3": (316, 38, HEAD, 0.1, 0.3),
    "longcat-flash": (560, 27, HEAD, 0.2, 0.6),
    "ling-1t": (1000, 50, HEAD, 0.1, 0.5),
    "hy3-295b-a21b": (295, 21, BOTH, 0.1, 1.6),
}  # fmt: skip


@cache
def model(id: str) -> ModelProfile:
    return Catalogue().model(id)


@cache
def counts(id: str) -> ParameterCounts:
    return parameter_counts(model(id).shape)


def active(found: ParameterCounts, convention: str) -> float:
    return {HEAD: found.active, BOTH: found.active_with_embeddings, NEITHER: found.active_without_embeddings}[
        convention
    ]


@pytest.mark.parametrize("id", PUBLISHED)
def test_counts_agree_with_the_developer(id: str) -> None:
    total, used, convention, total_percent, active_percent = PUBLISHED[id]
    assert counts(id).total / 1e9 == pytest.approx(total, rel=total_percent / 100)
    assert active(counts(id), convention) / 1e9 == pytest.approx(used, rel=active_percent / 100)


@pytest.mark.parametrize("id", PUBLISHED)
def test_the_file_states_what_was_published(id: str) -> None:
    published = model(id).published
    assert published is not None
    total, used, convention, _, _ = PUBLISHED[id]
    assert published.total.value / 1e9 == pytest.approx(total)
    assert published.active.value / 1e9 == pytest.approx(used)
    assert published.active_counts == convention


def test_median_errors() -> None:
    totals = [counts(id).total / 1e9 / total - 1 for id, (total, *_) in PUBLISHED.items()]
    used = [active(counts(id), which) / 1e9 / each - 1 for id, (_, each, which, *_) in PUBLISHED.items()]
    assert np.median(np.abs(totals)) < 0.002
    assert np.median(np.abs(used)) < 0.005


def test_every_released_model_is_in_the_table() -> None:
    catalogue = Catalogue()
    released = {id for id in catalogue.ids("models") if catalogue.model(id).status == "released"}
    assert released == set(PUBLISHED)


def test_draft_layers_and_tables() -> None:
    assert counts("deepseek-v3").mtp / 1e9 == pytest.approx(11.5, rel=0.011)  # README_WEIGHTS: 11.5B unique
    assert (counts("deepseek-v4-pro").total + counts("deepseek-v4-pro").mtp) / 1e9 == pytest.approx(
        1600, rel=0.001
    )
    assert counts("hy3-295b-a21b").mtp / 1e9 == pytest.approx(3.8, rel=0.02)  # model card: 3.8B
    assert counts("deepseek-v4.1-flash").engram / 1e9 == pytest.approx(196, rel=0.004)  # report: 196B
    assert counts("deepseek-v4.1-flash").active_prefill / 1e9 == pytest.approx(8, rel=0.06)  # report: 8B
    assert counts("kimi-k2.5").vision / 1e9 == pytest.approx(0.4, rel=0.2)  # MoonViT, 400M without projector


def test_rumours_say_what_is_missing() -> None:
    for id in ("v4-lite-rumoured", "v4-vision-rumoured", "engram-27b"):
        with pytest.raises(
            UnknownQuantityError, match=rf"\({id}\) cannot be simulated.*attention, ffn.*unknown"
        ):
            _ = model(id).shape
    assert model("v4-vision-rumoured").published.total.is_unknown


def test_the_v4_of_the_press_can_be_simulated() -> None:
    found = counts("v4-as-rumoured")
    assert (found.total + found.engram) / 1e12 == pytest.approx(1.0, rel=0.01)
    assert found.active / 1e9 == pytest.approx(32, rel=0.02)
    assert model("v4-as-rumoured").status == "rumoured"
    share = found.engram / (found.engram + found.by_component["routed experts"])
    assert 0.20 <= share <= 0.25  # share of the sparse parameters that arXiv 2601.07372 finds best


def test_models_of_the_validation_tables_count_to_their_names() -> None:
    """Megatron-LM, arXiv 2104.04473 Table 1, in billions; the 1.7 and 3.6 of the table are rounded."""
    catalogue = Catalogue([Path(__file__).parents[1] / "validation"])
    for billions in (18.4, 39.1, 76.1, 145.6, 310.1):
        found = parameter_counts(catalogue.model(f"megatron-gpt-{billions}b").shape)
        assert found.total / 1e9 == pytest.approx(billions, rel=0.003)
    assert parameter_counts(catalogue.model("megatron-gpt-1t").shape).total / 1e9 == pytest.approx(
        1008, rel=1e-4
    )
    # MosaicML llm-foundry prints exact counts.
    assert parameter_counts(catalogue.model("mpt-30b").shape).total == pytest.approx(29_975_214_080, rel=1e-5)
