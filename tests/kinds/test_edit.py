"""`edit`: a line, a block, a replacement; and everything else byte for byte as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.change import Action
from holdfast.kinds.edit import Edit
from holdfast.kinds.lines import with_block, with_line
from tests.kinds.disk import Disk, a_dir, a_file, a_link, change_of, flaws_of, refusal_of

MARKER = "# app {mark}"


@pytest.mark.parametrize(
    ("text", "line", "match", "new"),
    [
        ("a\nb\n", "c", None, "a\nb\nc\n"),
        ("a\nb\n", "b", None, "a\nb\n"),
        ("a\nb", "c", None, "a\nb\nc"),
        ("", "c", None, "c\n"),
        ("a\r\nb\r\n", "c", None, "a\r\nb\r\nc\r\n"),
        ("port=1\nx\n", "port=2", "^port=", "port=2\nx\n"),
        ("port=1\nport=2\n", "port=3", "^port=", "port=1\nport=3\n"),
        ("#port=1\n", "port=2", "^port=", "#port=1\nport=2\n"),
        ("port=1\r\nx\r\n", "port=2", "^port=", "port=2\r\nx\r\n"),
        ("x\nport=1", "port=2", "^port=", "x\nport=2"),
        ("x\fy\n", "y", None, "x\fy\ny\n"),
    ],
)
def test_a_line(text, line, match, new):
    assert with_line(text, line, match) == new
    assert with_line(new, line, match) == new


@pytest.mark.parametrize(
    ("text", "block", "new"),
    [
        ("a\n", "x\ny\n", "a\n# app begin\nx\ny\n# app end\n"),
        ("a", "x", "a\n# app begin\nx\n# app end"),
        ("a\n# app begin\nold\n# app end\nb\n", "x", "a\n# app begin\nx\n# app end\nb\n"),
        ("# app begin\r\n# app end\r\nb\r\n", "x\ny", "# app begin\r\nx\r\ny\r\n# app end\r\nb\r\n"),
        ("a\n# app begin\nold\n# app end", "x", "a\n# app begin\nx\n# app end"),
        ("a\n# app begin\nold\n# app end\nb\n", "", "a\nb\n"),
        ("a\n", "", "a\n"),
        ("# app begin\n", "x", None),
        ("# app end\n# app begin\n", "x", None),
    ],
)
def test_a_block(text, block, new):
    assert with_block(text, block, MARKER) == new
    assert new is None or with_block(new, block, MARKER) == new


@given(st.text("ab\r\n\f\u2028", max_size=30), st.text("ab", max_size=3))
def test_a_line_is_there_afterwards_and_nothing_else_is_gone(text, line):
    new = with_line(text, line)
    assert new.startswith(text)
    assert line in [part.removesuffix("\r") for part in new.split("\n")]
    assert with_line(new, line) == new


@given(st.text("ab\r\n", max_size=30), st.text("xy\n", max_size=10))
def test_a_block_can_be_taken_out_again(text, block):
    new = with_block(text, block, MARKER)
    assert new is not None and with_block(new, block, MARKER) == new
    rest = with_block(new, "", MARKER)
    assert rest is not None and rest.rstrip("\r\n") == text.rstrip("\r\n")


def test_a_replacement_is_made_everywhere_and_knows_its_groups():
    disk = Disk({"/f": a_file("a=1\nb=2\na=3\n")})
    change = change_of(disk, Edit(path="/f", replace=r"^a=(\d)$", replacement=r"a=<\1>"))
    assert change.after.content == b"a=<1>\nb=2\na=<3>\n"
    assert change_of(disk, Edit(path="/f", replace="nothing like it")).action is Action.NONE
    assert change_of(disk, Edit(path="/f", replace="b=2\n")).after.content == b"a=1\na=3\n"


def test_bytes_that_are_no_text_are_kept():
    change = change_of(Disk({"/f": a_file(b"caf\xe9\xff\n")}), Edit(path="/f", line="more"))
    assert change.after.content == b"caf\xe9\xff\nmore\n"


def test_everything_but_the_content_is_kept():
    change = change_of(Disk({"/f": a_file("a\n", 0o600, uid=5, gid=6, xattrs="q")}), Edit(path="/f", line="b"))
    assert change.after[:4] == ("file", 0o600, 5, 6)
    assert (change.after.xattrs, change.means.data, change.action) == ("q", b"a\nb\n", Action.UPDATE)


def test_edits_of_one_file_build_on_one_another():
    change = change_of(Disk({"/f": a_file("")}), Edit(path="/f", line="a"), Edit(path="/f", line="b"))
    assert (change.before.content, change.after.content) == (b"a\n", b"a\nb\n")


@pytest.mark.parametrize(
    ("node", "code"),
    [
        (a_dir(), "conflict"),
        (a_link("/g"), "conflict"),
        (a_file(b"\0\1"), "unsupported"),
        (a_file("big", content=None), "too_large"),
        (a_file(content=None, digest=None, readable=False), "permission_denied"),
    ],
)
def test_what_cannot_be_edited_says_why(node, code):
    assert refusal_of(Disk({"/f": node, "/g": a_file()}), Edit(path="/f", line="x"))[0] == code


def test_a_missing_file_and_broken_markers_are_problems():
    assert refusal_of(Disk(), Edit(path="/f", line="x"))[0] == "source_not_found"
    assert refusal_of(Disk({"/f": a_file("# holdfast begin\n")}), Edit(path="/f", block="x"))[0] == "conflict"


@pytest.mark.parametrize(
    ("given_", "flaws"),
    [
        ({}, ["path"]),
        ({"line": "a", "block": "b"}, ["block"]),
        ({"line": "a\nb"}, ["line"]),
        ({"block": "a", "match": "b"}, ["match"]),
        ({"line": "a", "marker": "b"}, ["marker"]),
        ({"line": "a", "replacement": "b"}, ["with"]),
        ({"block": "a", "marker": " "}, ["marker"]),
        ({"line": "a", "match": "("}, ["match"]),
        ({"replace": "(?i)a", "replacement": r"\1"}, ["with"]),
        ({"replace": "(?i)(a)", "replacement": r"\1"}, []),
    ],
)
def test_arguments_that_do_not_fit_are_flaws(given_, flaws):
    assert [field for field, _ in flaws_of(Edit(path="/f", **given_))] == flaws
