"""Laws of parity that hold whatever the numbers: better chips, other prices, other sizes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.profiles.catalogue import Catalogue, shipped_root
from sim.profiles.hardware import ChipProfile
from sim.quantity import Quantity
from sim.resolve import MEDIAN, World
from sim.study.answer import prepare
from sim.study.inputs import named_inputs
from sim.study.question import Question, load_question
from sim.study.worlds import sobol_probabilities, world_at

QUESTION = """\
id: small
name: A small question
question: Which?
clusters:
  a: {{label: H100, system: hgx-h100-8, chips: 256, region: us}}
  b: {{label: Other, system: {system}, chips: 256, region: us}}
jobs:
  - {{id: train, model: qwen3-30b-a3b, workload: pretrain-v3}}
  - {{id: chat, model: qwen3-30b-a3b, workload: chat}}
"""
TRAIN, CHAT = 0, 1
# The counts of B at which its throughput is known move with the answer, and so do the chips that do not divide
# into a layout there: a count of a training job is good to a few per cent.
GRAIN = {TRAIN: 1.04, CHAT: 1.0 + 1e-9}


def load(folder: Path, system: str = "hgx-h100-8") -> Question:
    (folder / "small.yaml").write_text(QUESTION.format(system=system))
    return load_question(Catalogue(here=folder), folder / "small.yaml")


@pytest.fixture(scope="module")
def question(tmp_path_factory: pytest.TempPathFactory) -> Question:
    return load(tmp_path_factory.mktemp("question"))


@pytest.fixture(scope="module", params=[TRAIN, CHAT], ids=["training", "serving"])
def job(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def count(question: Question, job: int, world: World = MEDIAN) -> float:
    return float(np.ravel(prepare(question, question.tasks[job]).equal(world))[0])


def scaled(quantity: Quantity, factor: float) -> Quantity:
    return replace(quantity, value=factor * quantity.value, low=None, high=None)


def improved(chip: ChipProfile, part: str, factor: float) -> ChipProfile:
    """The chip with more of one thing."""
    if part == "peak":
        matrix = {name: scaled(rate, factor) for name, rate in chip.compute.matrix.items()}
        return chip.model_copy(update={"compute": chip.compute.model_copy(update={"matrix": matrix})})
    memory = chip.memory.model_copy(update={part: scaled(getattr(chip.memory, part), factor)})
    return chip.model_copy(update={"memory": memory})


def with_chip(question: Question, side: str, chip: ChipProfile) -> Question:
    return replace(question, **{side: replace(getattr(question, side), chip=chip)})


PARTS = st.sampled_from(["peak", "bandwidth", "capacity"])


@settings(max_examples=5, deadline=None)
@given(part=PARTS, factor=st.floats(1.05, 3.0))
def test_a_better_b_is_needed_in_no_larger_number(
    question: Question, job: int, part: str, factor: float
) -> None:
    better = with_chip(question, "b", improved(question.b.chip, part, factor))
    assert count(better, job) <= 256.0 * GRAIN[job]


@settings(max_examples=5, deadline=None)
@given(part=PARTS, factor=st.floats(1.05, 3.0))
def test_a_better_a_is_worth_no_fewer_of_b(question: Question, job: int, part: str, factor: float) -> None:
    better = with_chip(question, "a", improved(question.a.chip, part, factor))
    assert count(better, job) >= 256.0 / GRAIN[job]


def test_twice_of_everything_is_worth_nearly_two(question: Question, job: int) -> None:
    # All rates, inside the chip and outside, twice as high: what stays are latencies, so less than two, but not
    # by much; counted from the other side, more than half.
    chip = improved(improved(question.a.chip, "peak", 2.0), "bandwidth", 2.0)
    tiers = [
        tier.model_copy(update={"bandwidth": scaled(tier.bandwidth, 2.0)}) for tier in question.a.system.tiers
    ]
    system = question.a.system.model_copy(update={"tiers": tiers})
    better = replace(question, a=replace(question.a, chip=chip, system=system))
    assert 256 * 1.3 < count(better, job) <= 512 * GRAIN[job]


@settings(max_examples=2, deadline=None)
@given(factor=st.floats(0.1, 10.0))
def test_a_price_moves_no_count(question: Question, job: int, factor: float) -> None:
    assert question.b.chip.price is not None
    dearer = question.b.chip.model_copy(update={"price": scaled(question.b.chip.price, factor)})
    assert count(with_chip(question, "b", dearer), job) == pytest.approx(count(question, job), rel=1e-12)


def test_a_copy_in_files_of_its_own_is_worth_the_original(tmp_path: Path, job: int) -> None:
    copy(tmp_path, "copy", {})
    assert count(load(tmp_path, "copy-8"), job) == pytest.approx(256.0, rel=1e-9)


def test_a_better_copy_in_files_of_its_own(tmp_path: Path) -> None:
    copy(
        tmp_path,
        "better",
        {"bandwidth: 3.35 TB/s": "bandwidth: 6.7 TB/s", "capacity:  80 GB": "capacity: 160 GB"},
    )
    better = load(tmp_path, "better-8")
    assert count(better, CHAT) < 0.9 * 256.0  # decoding waits for memory
    # An own file is a number of its own: what the original and the copy do not share is drawn apart.
    names = {named.quantity.path for named in named_inputs(better)}
    assert {"chips/better#price", "chips/h100-sxm#price"} <= names


def copy(folder: Path, name: str, changes: dict[str, str]) -> None:
    """A chip and its system like the H100 but for the changed lines."""
    hardware = shipped_root() / "hardware_profiles"
    chip = (hardware / "chips" / "h100-sxm.yaml").read_text().replace("id: h100-sxm", f"id: {name}")
    system = (hardware / "systems" / "hgx-h100-8.yaml").read_text()
    for old, new in changes.items():
        assert old in chip
        chip = chip.replace(old, new)
    system = system.replace("id: hgx-h100-8", f"id: {name}-8").replace("chip: h100-sxm", f"chip: {name}")
    for shelf, file, text in (("chips", name, chip), ("systems", f"{name}-8", system)):
        (folder / shelf).mkdir()
        (folder / shelf / f"{file}.yaml").write_text(text)


def test_every_draw_of_a_cluster_against_itself(question: Question, job: int) -> None:
    world = world_at(question.inputs, sobol_probabilities(16, len(question.inputs), 5))
    found = prepare(question, question.tasks[job]).answer(world)
    np.testing.assert_array_equal(found.ratio, np.ones(16))
    np.testing.assert_allclose(found.equal, 256.0, rtol=1e-9)


def test_the_middle_of_all_inputs_is_the_median_world(tmp_path: Path, job: int) -> None:
    copy(tmp_path, "copy", {})
    apart = load(tmp_path, "copy-8")
    study = prepare(apart, apart.tasks[job])
    middle = world_at(apart.inputs, np.full((1, len(apart.inputs)), 0.5))
    assert np.ravel(study.equal(middle)).tolist() == np.ravel(study.equal(MEDIAN)).tolist()


def test_a_draw_stands_for_itself(tmp_path: Path, job: int) -> None:
    # What a world gives does not depend on the worlds beside it, as long as the same layouts are at hand.
    copy(
        tmp_path, "copy", {"bandwidth: 3.35 TB/s": "bandwidth: {value: 3.35 TB/s, low: 2 TB/s, high: 5 TB/s}"}
    )
    apart = load(tmp_path, "copy-8")
    study = prepare(apart, apart.tasks[job])
    rows = sobol_probabilities(6, len(apart.inputs), 3)
    together = np.ravel(study.equal(world_at(apart.inputs, rows)))
    alone = [float(np.ravel(study.equal(world_at(apart.inputs, row[None])))[0]) for row in rows]
    # Searches for a batch or a load stop when the slowest of the worlds is near enough.
    np.testing.assert_allclose(together, alone, rtol=1e-6)


def test_inputs_are_listed_once_and_in_order(question: Question) -> None:
    paths = [quantity.path for quantity in question.inputs]
    assert paths == sorted(set(paths))
    assert all(quantity.is_uncertain for quantity in question.inputs)
    # The chip of both sides is one file: its numbers are there once.
    assert paths.count("chips/h100-sxm#price") == 1
    named = named_inputs(question)
    assert [each.quantity.path for each in named] == paths
    assert all(": " in each.name and "_" not in each.name and "#" not in each.name for each in named)
    # Nothing that never enters a simulation takes part in the draw.
    assert not any("measured" in path or "silicon" in path or ".bins" in path for path in paths)
