"""Mistakes in rule files: one line with the place, what was read, what was expected."""

from pathlib import Path

import pytest

from sim.profiles.catalogue import Catalogue
from sim.profiles.messages import InputError
from sim.study.rules.book import load_rules

SHIPPED = Path(__file__).parents[2] / "scenarios" / "policy" / "rules"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('op: ">=", value: 600', 'op: "=>", value: 600', r"us-2022-3a090\.yaml:\d+:\d+: .*op"),
        ("{field: tpp, op", "{field: tppp, op", r"us-2022-3a090\.yaml:\d+:\d+: .*field"),
        ('{field: tpp, op: ">=", value: 4800', "{field: tpp, value: 4800", r":\d+:\d+: .*go together"),
        ('value: 4800, note: "bit', 'value: 2022-01-01, note: "bit', r":\d+:\d+: .*all else with a number"),
        ("destinations: [cn_mo]", "destinations: [cn_mq]", r":\d+:\d+: .*no group .*cn_mo"),
        (
            "effective: 2022-10-07",
            "effective: 2024-10-07",
            r"ended 2023-11-17 is before effective 2024-10-07",
        ),
        ("effective: 2022-10-07", "effective: 2022-10", r":\d+:\d+: .*needs year, month and day"),
        (
            "  - id: below one leg\n    result: not_controlled\n    weight: free\n",
            "",
            r"the last branch has a test",
        ),
        ("standing: superseded", "standing: over", r":\d+:\d+: standing"),
        ("jurisdiction: US", "jurisdiction: US\ncolour: red", r":\d+:\d+: .*colour"),
    ],
)
def test_mistakes_name_their_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (SHIPPED / "us-2022-3a090.yaml").read_text(encoding="utf-8")
    assert old in text
    folder = tmp_path / "scenarios" / "policy" / "rules"
    folder.mkdir(parents=True)
    (folder / "us-2022-3a090.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_rules(Catalogue(here=tmp_path))


def test_every_rule_of_the_record_is_there() -> None:
    rules = set(load_rules(Catalogue()).files)
    # The dated record of public measures up to 2026-11-21: 21 measures and the two notices that came early.
    assert rules >= {
        "us-2022-3a090", "us-2023-3a090", "us-2024-04-corrections", "us-2024-hbm", "us-2025-diffusion",
        "us-2025-foundry", "us-2025-h20-letter", "us-2025-05-ascend-gp10", "us-2025-08-revshare15",
        "us-2025-09-affiliates", "us-2025-11-b30a-no", "us-2026-01-casebycase", "us-2026-01-tariff25",
        "us-2026-h200-licences", "us-2026-05-d5-subsidiaries", "us-entity-list", "us-bills", "cn-2023-minerals",
        "cn-2025-nvidia-discouragement", "cn-2025-11-state-dc", "cn-2025-11-power-subsidy", "cn-2026-h200-import",
    }  # fmt: skip


def test_every_alleged_measure_says_who_says_so() -> None:
    for document in load_rules(Catalogue()).files.values():
        if document.standing == "reported":
            assert document.alleged_by, document.id
        assert document.sources, document.id
