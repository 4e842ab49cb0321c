"""Values put in the place of those of a file, for one run."""

import pytest

from sim.profiles.catalogue import Catalogue
from sim.profiles.changes import Change
from sim.profiles.messages import InputError

SCENARIO = "ascend_20k_vs_h100_12k"


def test_a_quantity_of_a_file_is_replaced_and_nothing_else() -> None:
    plain = Catalogue()
    before = plain.chip("h100-sxm")
    after = plain.with_changes([Change("chips/h100-sxm#memory.bandwidth", "3.0 TB/s")]).chip("h100-sxm")
    assert after.memory.bandwidth.value == 3.0e12
    assert after.memory.bandwidth.low is None
    assert after.memory.bandwidth.path == "chips/h100-sxm#memory.bandwidth"
    assert after.memory.capacity == before.memory.capacity
    assert plain.chip("h100-sxm") is before


def test_the_scenario_itself_and_entries_of_lists_by_their_id() -> None:
    changes = [Change("clusters.a.chips", "16384"), Change("jobs.chat-v3.model", "deepseek-v4-flash")]
    scenario = Catalogue().with_changes(changes).scenario(SCENARIO)
    assert scenario.clusters["a"].chips == 16384
    assert [job.model for job in scenario.jobs if job.id == "chat-v3"] == ["deepseek-v4-flash"]
    assert {job.model for job in scenario.jobs if job.id != "chat-v3"} == {"deepseek-v3", "deepseek-v4-pro"}


def test_a_range_can_be_given() -> None:
    change = Change("workloads/pretrain-v3#tokens", "{value: 10 Ttoken, low: 9 Ttoken, high: 12 Ttoken}")
    tokens = Catalogue().with_changes([change]).workload("pretrain-v3").tokens
    assert (tokens.low, tokens.value, tokens.high) == (9e12, 10e12, 12e12)


def test_files_that_do_not_change_are_shared() -> None:
    plain = Catalogue()
    system = plain.system("hgx-h100-8")
    other = plain.with_changes([Change("chips/h100-sxm#power.tdp", "650 W")])
    assert other.system("hgx-h100-8") is system
    assert not plain.with_changes([]).unused_changes()
    assert other.unused_changes()[0].id == "h100-sxm"
    other.chip("h100-sxm")
    assert not other.unused_changes()


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("chips/h100#power.tdp", "1 W", 'no chip "h100"; did you mean'),
        ("chip/h100-sxm#power.tdp", "1 W", "no folder chip/"),
        ("chips/h100-sxm#power.tpd", "1 W", 'unknown key "tpd" in power'),
        ("chips/h100-sxm#power.tdp", "650", "needs a unit"),
        ("chips/h100-sxm#power.tdp", "{", "YAML"),
        ("chips/h100-sxm#name.deep", "1 W", "has nothing below it"),
    ],
)
def test_mistakes_are_told_in_one_line(path: str, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Catalogue().with_changes([Change(path, text)]).chip("h100-sxm")


def test_an_entry_that_is_not_there() -> None:
    change = Change("jobs.nothing.model", "deepseek-v3")
    with pytest.raises(InputError, match='no entry "nothing"; there is train-v3'):
        Catalogue().with_changes([change]).scenario(SCENARIO)
