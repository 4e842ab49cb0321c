"""Dated series never use a later fact."""

from datetime import date

import pytest

from sim.economics.series import NotYetKnownError, last_day, value_as_of

H100 = [("2023-06", 8.0), ("2024-10", 2.99), ("2025-10", 1.7), ("2026-03", 2.35)]


@pytest.mark.parametrize(
    ("as_of", "rent"),
    [("2023-06", 8.0), ("2024-10-30", 8.0), ("2024-10-31", 2.99), ("2026", 2.35), (None, 2.35)],
)
def test_latest_value_known_on_the_day(as_of, rent):
    assert value_as_of(H100, as_of) == rent
    assert value_as_of(H100[::-1], as_of) == rent


def test_plain_message_before_the_first_value():
    with pytest.raises(
        NotYetKnownError, match=r"no value of H100 rent was known by 2023-05: the first is of 2023-06"
    ):
        value_as_of(H100, "2023-05", "H100 rent")
    with pytest.raises(NotYetKnownError, match="no value of"):
        value_as_of([], None)


def test_last_day():
    assert last_day("2024-02") == date(2024, 2, 29)
    with pytest.raises(ValueError, match="is not a date"):
        last_day("spring 2024")
