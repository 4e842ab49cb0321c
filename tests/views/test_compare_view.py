"""What compare prints: a change that can be recomputed from the two medians beside it."""

from types import SimpleNamespace

import pandas as pd
import pytest

from sim.notebook import load
from sim.report.numbers import MINUS
from sim.study.compare import Change, changes, table_of
from sim.study.metrics import metric
from sim.study.sweep.block import Refused
from sim.views.compare import Compared, _listings


@pytest.fixture
def found() -> Compared:
    # Five worlds by hand. Medians 10 and 11: +10 %. Draw by draw it is -40 %, -10 %, +10 %, -45 %, +0.5 %: in the
    # middle -10 %, which nobody could find from 10 and 11.
    one, other = pd.Series([5.0, 8.0, 10.0, 20.0, 30.0]), pd.Series([3.0, 7.2, 11.0, 11.0, 30.15])
    key = metric("a", "cost", "amortised")
    table = table_of(
        [
            Change("chat", key, name, values.to_numpy())
            for name, values in (
                ("one", one),
                ("other", other),
                ("difference", other - one),
                ("ratio", other / one),
            )
        ]
    )
    side = SimpleNamespace(label="H20")
    task = SimpleNamespace(job=SimpleNamespace(id="chat"), label="Chat")
    question = SimpleNamespace(a=side, b=side, tasks=(task,))
    return Compared(SimpleNamespace(question=question), table, 5, 1, 0.1)  # type: ignore[arg-type]


def test_the_change_is_that_of_the_medians_shown(found: Compared) -> None:
    (listing,) = _listings(found)
    row = dict(zip(listing.columns, listing.rows[0], strict=True))
    assert (row["one"], row["other"], row["change of the median"]) == ("10.0", "11.0", "+10 %")
    # 5th and 95th of -45, -40, -10, +0.5, +10 %: a fifth of the way from -45 to -40, and four fifths from 0.5 to 10.
    assert row["change in a draw: 90 % interval"] == f"{MINUS}44 % to +8.1 %"


def test_a_mistake_of_ours_is_not_put_down_to_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Refused("internal error, NameError: x", "Traceback (most recent call last): ...")
    monkeypatch.setattr("sim.study.compare.compute", lambda work, blocks: [refused for _ in blocks])
    question = load("h20_vs_h800").question
    with pytest.raises(RuntimeError, match="NameError: x"):
        changes(question, question, 32, 1)
