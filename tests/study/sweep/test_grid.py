"""What is typed after --vary, and the points it means."""

import pytest

from sim.profiles.messages import InputError
from sim.study.sweep.grid import axes_of, axis, points


def test_points_are_all_combinations_the_last_axis_fastest() -> None:
    found = points([axis("a=1,2"), axis("b=x,y,z")])
    assert [tuple(change.text for change in point) for point in found] == [
        ("1", "x"), ("1", "y"), ("1", "z"), ("2", "x"), ("2", "y"), ("2", "z"),
    ]  # fmt: skip


def test_without_an_axis_there_is_the_question_as_it_stands() -> None:
    assert points([]) == [()]


def test_values_of_a_notebook() -> None:
    assert axes_of({"clusters.a.chips": [8, 16]})[0].texts == ("8", "16")


@pytest.mark.parametrize("text", ["clusters.a.chips", "=1", "a=", "a= , "])
def test_no_value(text: str) -> None:
    with pytest.raises(InputError, match='read no "path=value,value"'):
        axis(text)


def test_twice() -> None:
    with pytest.raises(InputError, match="1 is given twice"):
        axis("a=1,2,1")
    with pytest.raises(InputError, match="--vary a: given twice"):
        points([axis("a=1"), axis("a=2")])
