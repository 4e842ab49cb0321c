"""What the software columns of a row turn into."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sim.profiles.catalogue import Catalogue
from sim.profiles.workload import TrainingRecipe
from sim.resolve import resolve_chip, resolve_training, stated_software
from sim.study.validation.cases import Case, validation_catalogue, validation_folder
from sim.study.validation.training_cases import Setting, look_up, read_rules, resolve_job
from sim.study.validation.training_layouts import candidate_layouts

ROW = {
    "case_id": "test",
    "model_id": "llama-3.1-8b",
    "chip": "h100-sxm",
    "n_chips": "8",
    "seq_len": "8192",
    "global_batch_tokens": "131072",
    "precision": "BF16",
    "tp": "1",
    "pp": "1",
    "dp": "8",
    "micro_batch": "2",
    "metric": "tokens_per_s_per_chip",
    "value": "1",
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return validation_catalogue()


def setting(catalogue: Catalogue, **columns: str) -> Setting:
    rules = read_rules(validation_folder() / "software.yaml")
    return look_up(Case({**ROW, **columns}, 2), catalogue, rules)


@pytest.mark.parametrize(
    ("stated", "date", "fused"),
    [
        ("true", "2022-01", True),
        ("false", "2025-01", False),
        ("", "2024-02", False),  # new then: who used it said so
        ("", "2025-06", True),
        ("", "", True),
    ],
)
def test_fused_attention_where_it_is_not_stated(
    catalogue: Catalogue, stated: str, date: str, fused: bool
) -> None:
    found = setting(catalogue, fused_attention=stated, software_date=date, stack_class="tuned")
    assert found.fused_attention is fused
    assert resolve_job(found).software.fused_attention is fused


def test_own_stacks_are_a_class_between_tuned_and_plain(catalogue: Catalogue) -> None:
    speeds = [
        setting(catalogue, stack=stack, stack_class=kind).chosen()["stack_speed"].median
        for stack, kind in (("fsdp", "plain"), ("other", "tuned"), ("megatron", "tuned"))
    ]
    assert speeds == sorted(speeds)
    assert speeds[0] < speeds[1] < speeds[2]


def test_unstated_kernels_with_sinks_widen_the_interval(catalogue: Catalogue) -> None:
    unsaid = setting(
        catalogue, model_id="gpt-oss-120b", stack_class="tuned", software_date="2026-04"
    ).chosen()
    said = setting(catalogue, model_id="gpt-oss-120b", stack_class="tuned", fused_attention="true").chosen()
    wide, narrow = (each["attention_speed"] for each in (unsaid, said))
    assert wide.low is not None
    assert wide.high is not None
    assert wide.median < narrow.median
    assert wide.high / wide.low > 5


def test_dualpipev_is_itself(catalogue: Catalogue) -> None:
    found = setting(
        catalogue, pp="4", dp="2", schedule="DualPipeV", micro_batch="1", global_batch_tokens="262144"
    )
    layouts, _ = candidate_layouts(found, resolve_job(found))
    assert layouts.describe(0).split(", ")[1] == "dualpipev"
    assert set(layouts.vpp.tolist()) == {2}


def test_a_recipe_from_before_these_keys_gets_the_shipped_ones() -> None:
    shelf = Catalogue()
    shipped = shelf.workload("pretrain-v3")
    assert isinstance(shipped, TrainingRecipe)
    bare = shipped.model_copy(
        update={
            "software": shipped.software.model_copy(
                update={"traffic": None, "state": None, "stated_at": None}
            )
        }
    )
    assert stated_software(bare).traffic == shipped.software.traffic
    chip, kernels = shelf.chip("h800"), shelf.kernels("hopper")
    jobs = [
        resolve_training(shelf.model("deepseek-v3"), recipe, resolve_chip(chip, kernels), kernels)
        for recipe in (bare, shipped)
    ]
    assert jobs[0] == jobs[1]
    muon = shipped.model_copy(update={"optimizer": "muon"})
    job = resolve_training(shelf.model("deepseek-v3"), muon, resolve_chip(chip, kernels), kernels)
    assert (job.newton_schulz, job.state.optimizer) == (5.0, 8.0)
    assert replace(job, newton_schulz=0.0, state=jobs[0].state) == jobs[0]


def test_years_of_the_software(catalogue: Catalogue) -> None:
    dates = ("2026-07", "2025-01", "2023-07", "2022-05", "", "2025")
    found = [setting(catalogue, software_date=date, stack_class="tuned").years for date in dates]
    assert found == pytest.approx([1.5, 0.0, -1.5, 0.0, 0.0, 0.0])
