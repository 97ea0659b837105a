"""A small budget of random damage; `python -m holdfast.testing.journal_fuzz --records 1000000` is the large one."""

from __future__ import annotations

from holdfast.testing.journal_fuzz import fuzz_pages, fuzz_records


def test_no_damaged_record_is_read_as_if_it_were_sound() -> None:
    tally = fuzz_records(20_000, seed=7)
    assert tally.ok, tally
    assert tally.told > 15_000


def test_no_damaged_file_is_read_as_if_it_were_sound() -> None:
    tally = fuzz_pages(100, seed=7)
    assert tally.ok, tally
    assert tally.told > 50
