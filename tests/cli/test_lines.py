"""Lines for people: nothing in them can harm a terminal, columns line up, numbers read well."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from holdfast.cli.lines import Span, clean, clean_lines, coloured, line, plain, shortened, table, width
from holdfast.cli.words import ago, counted, listed, took

TEXT = st.text(st.characters(exclude_categories=()), max_size=60)


@given(TEXT)
def test_cleaned_text_moves_no_cursor_and_turns_no_direction(text: str) -> None:
    cleaned = clean(text)
    assert not any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in cleaned)
    assert not any(
        unicodedata.bidirectional(char) in ("RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI") for char in cleaned
    )
    assert clean(cleaned) == cleaned


@given(TEXT, st.sampled_from(["", "red", "alarm"]))
def test_the_only_escapes_in_a_coloured_line_are_its_own(text: str, style: str) -> None:
    shown = coloured(line(Span(text, style)))
    assert shown.count("\x1b") == (2 if style else 0)
    assert plain(line(Span(text, style))) == clean(text)


def test_bytes_that_are_no_text_are_spelled_out() -> None:
    assert clean(b"caf\xe9".decode("utf-8", "surrogateescape")) == "caf\\xe9"


def test_only_line_feeds_end_a_line() -> None:
    assert clean_lines("a\tb\nc\r\x0bd\n") == ["a   b", "c\\r\\x0bd"]
    assert clean_lines("") == []


def test_columns_line_up_whatever_is_in_them() -> None:
    rows = list(table(("name", "n"), [("日本", "1"), ("x\n", "22")], right=(1,)))
    assert [plain(row) for row in rows] == ["name   n", "日本   1", "x\\n   22"]


def test_wide_characters_count_twice_and_combining_ones_not_at_all() -> None:
    assert (width("日本"), width("e\u0301"), width("abc")) == (4, 1, 3)


def test_what_is_too_long_is_cut_with_a_sign() -> None:
    assert shortened("abcdef", 4) == "abc…"
    assert shortened("abcd", 4) == "abcd"


def test_durations_and_ages_read_like_speech() -> None:
    assert [took(seconds) for seconds in (0.0001, 0.0123, 3.14159, 75, 3725)] == [
        "0 ms",
        "12 ms",
        "3.1 s",
        "1 min 15 s",
        "1 h 02 min",
    ]
    now = 1_000_000_000.0
    assert [ago(now - passed, now) for passed in (0, 5, 300, 7200, 200_000)] == [
        "now",
        "5 s ago",
        "5 min ago",
        "2 h ago",
        "2 d ago",
    ]
    assert ago(now - 90 * 86_400, now) == "2001-06-11"


def test_lists_end_where_nobody_reads_on() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed([str(number) for number in range(1200)], 2) == "0, 1 and 1,198 more"
    assert (counted(1, "step"), counted(2000, "step")) == ("1 step", "2,000 steps")
