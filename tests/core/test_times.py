"""Times in documents are what the standard library would write, without its cost."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.times import iso, seconds_of

MILLISECONDS = st.integers(min_value=-62_135_596_800_000, max_value=253_402_300_799_999)  # the years 1 to 9999


@given(MILLISECONDS)
def test_a_time_is_written_as_the_standard_library_would(milliseconds: int) -> None:
    seconds, rest = divmod(milliseconds, 1000)
    moment = datetime(1970, 1, 1, tzinfo=UTC).timestamp() + seconds
    expected = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    assert iso(milliseconds / 1000) == f"{expected}.{rest:03}Z"


@given(MILLISECONDS)
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    assert seconds_of(iso(milliseconds / 1000)) == milliseconds / 1000


def test_no_time_is_no_text() -> None:
    assert iso(None) is None
    assert seconds_of(None) is None
