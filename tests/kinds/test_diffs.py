"""What a person is shown of a change."""

from __future__ import annotations

from holdfast.core.change import Change, Effect
from holdfast.kinds.diffs import diff
from holdfast.kinds.node import ABSENT
from tests.kinds.disk import a_dir, a_file, a_link


def test_text_is_a_unified_diff():
    shown = diff(Change("/f", a_file("a\nb\nc\n"), a_file("a\nB\nc\n")))
    assert shown.splitlines()[:2] == ["--- /f", "+++ /f"]
    assert {"-b", "+B", " a", " c"} <= set(shown.splitlines())


def test_a_new_file_shows_what_it_will_be():
    shown = diff(Change("/f", ABSENT, a_file("a\n", 0o600)))
    assert shown.splitlines()[:4] == ["+ file, mode 0600, owner 0:0", "--- /dev/null", "+++ /f", "@@ -0,0 +1 @@"]


def test_the_reverse_is_the_diff_the_other_way_round():
    change = Change("/f", a_file("a\n", 0o644), a_file("b\n", 0o600))
    assert "mode 0644 -> 0600" in diff(change) and "mode 0600 -> 0644" in diff(change.reversed())
    assert "-a\n+b\n" in diff(change) and "-b\n+a\n" in diff(change.reversed())


def test_what_is_no_text_is_shown_by_size_and_digest():
    shown = diff(Change("/f", a_file(b"\0"), a_file("text")))
    assert "content 1 bytes, sha256 6e340b9cffb3 -> 4 bytes" in shown and "text" not in shown


def test_everything_else_is_one_line_each():
    assert diff(Change("/l", a_link("v1"), a_link("v2", uid=5))) == "link v1 -> v2\nowner 0:0 -> 5:0\n"
    assert diff(Change("/d", a_dir(0o755), a_dir(0o700))) == "mode 0755 -> 0700\n"
    assert diff(Change("/d", a_link("x"), a_dir())) == "- link -> x\n+ directory, mode 0755, owner 0:0\n"
    assert diff(Change("/b", ABSENT, a_file("x", ino=9), origin="/a")) == "/a -> /b\n"
    assert diff(Change("/b", ABSENT, a_file("x", ino=9), origin="/a").reversed()) == "/b -> /a\n"


def test_a_tree_shows_what_is_in_it():
    tree = a_dir(entries={"d": a_dir(), "d/f": a_file(), "l": a_link("x")})
    assert diff(Change("/t", ABSENT, tree)).splitlines()[1:] == ["+ d/", "+ d/f", "+ l -> x"]


def test_a_file_cannot_speak_to_the_terminal():
    shown = diff(Change("/f\x1b[2J", ABSENT, a_file("a\x1b]0;boo\x07\tb\x9b\n")))
    assert "\x1b" not in shown and "\x9b" not in shown and "\\x1b]0;boo\\x07\tb" in shown


def test_a_newline_at_the_end_makes_a_difference():
    assert diff(Change("/f", a_file("a"), a_file("a\n"))).splitlines()[-3:] == ["-a", "\\ no newline at the end", "+a"]


def test_nothing_is_shown_of_what_does_not_change_or_has_no_state():
    assert diff(Change("/f", a_file("a"), a_file("a"))) == ""
    assert diff(Change("command/x", Effect(False), Effect(True), runs=True)) == ""


def test_a_very_long_text_is_not_compared_line_by_line():
    long = "x\n" * 10_000
    assert len(diff(Change("/f", a_file(long), a_file(long + "y")))) < 200


def test_a_name_with_a_line_feed_forges_no_line():
    tree = a_dir(entries={"a\n- everything": a_file(), "l": a_link("x\n- y")})
    assert diff(Change("/d", ABSENT, tree)).splitlines()[1:] == ["+ a\\n- everything", "+ l -> x\\n- y"]
    assert "--- /a\\nb\n" in diff(Change("/a\nb", a_file("1"), a_file("2")))
    assert diff(Change("/b", ABSENT, a_file("x", ino=9), origin="/a\n")) == "/a\\n -> /b\n"
