"""`move`, `copy` and `remove`: what was here is there, is there as well, or is gone."""

from __future__ import annotations

import pytest

from holdfast.core.change import Action, Guarantee
from holdfast.kinds.attributes import Attributes
from holdfast.kinds.copy import Copy
from holdfast.kinds.dir import Dir
from holdfast.kinds.edit import Edit
from holdfast.kinds.file import File
from holdfast.kinds.move import MoveKind
from holdfast.kinds.remove import Remove
from tests.kinds.disk import OWN, USER, Disk, a_dir, a_file, a_link, change_of, changes_of, flaws_of, refusal_of


def move(source: str, to: str, **more: object) -> MoveKind:
    return MoveKind(source=source, to=to, **more)


# -- move


def test_a_move_is_one_switch_of_the_same_object():
    change = change_of(Disk({"/opt/a": a_file("x", ino=9)}), move("/opt/a", "/opt/b"))
    assert (change.key, change.origin, change.after.ino) == ("/opt/b", "/opt/a", 9)
    assert (change.action, change.guarantee) == (Action.MOVE, Guarantee.ATOMIC)


def test_a_move_that_was_made_before_is_unchanged():
    assert change_of(Disk({"/opt/b": a_file()}), move("/opt/a", "/opt/b")).action is Action.NONE


def test_a_move_that_an_earlier_step_made_impossible_is_a_problem():
    disk = Disk({"/opt/a": a_file(), "/opt/c": a_file()})
    assert refusal_of(disk, move("/opt/a", "/opt/b"), move("/opt/a", "/opt/c"))[0] == "source_not_found"
    assert refusal_of(Disk({"/opt": a_dir()}), move("/opt/a", "/opt/b"))[0] == "source_not_found"


def test_the_way_is_checked_at_both_ends():
    disk = Disk({"/opt/a": a_file(), "/closed": a_dir(writable=False), "/closed/a": a_file()})
    assert refusal_of(disk, move("/opt/a", "/nowhere/a"))[0] == "parent_not_found"
    assert refusal_of(disk, move("/opt/a", "/closed/b"))[0] == "permission_denied"
    assert refusal_of(disk, move("/closed/a", "/opt/b"))[0] == "permission_denied"


def test_what_is_in_the_way_is_a_conflict_or_put_aside_first():
    disk = Disk({"/opt/a": a_file("a"), "/opt/b": a_file("b")})
    assert refusal_of(disk, move("/opt/a", "/opt/b"))[0] == "conflict"
    away, made = changes_of(disk, move("/opt/a", "/opt/b", on_conflict="overwrite"))
    assert (away.key, away.action, made.key, made.action, made.before.exists) == (
        "/opt/b",
        Action.DELETE,
        "/opt/b",
        Action.MOVE,
        False,
    )
    kept, made = changes_of(disk, move("/opt/a", "/opt/b", on_conflict="backup"))
    assert (kept.origin, kept.key, made.origin) == ("/opt/b", "/opt/b.bak", "/opt/a")
    assert change_of(disk, move("/opt/a", "/opt/b", on_conflict="skip")).action is Action.NONE


@pytest.mark.parametrize("to", ["/opt/a", "/opt/a/b"])
def test_nothing_moves_into_itself(to):
    assert flaws_of(move("/opt/a", to)) == [("to", "conflict")]
    assert flaws_of(Copy(source="/opt/a", to=to)) == [("to", "conflict")]


def test_to_another_file_system_a_move_is_a_copy_that_is_only_reversible():
    disk = Disk({"/opt": a_dir(dev=1), "/mnt": a_dir(dev=2, free=2), "/opt/a/x": a_file("12"), "/opt/b": a_file("123")})
    change = change_of(disk, move("/opt/a", "/mnt/a"))
    assert (change.guarantee, list(change.after.entries)) == (Guarantee.REVERSIBLE, ["x"])
    assert refusal_of(disk, move("/opt/b", "/mnt/b"))[0] == "no_space"


def test_what_was_moved_is_found_at_its_new_place_with_all_that_was_done_to_it():
    disk = Disk({"/a/b/c": a_file("one\n"), "/a/b/d": a_file("two\n")})
    steps = (
        Edit(path="/a/b/c", line="more"),
        Dir(path="/a/b/new"),
        Remove(path="/a/b/d"),
        move("/a/b", "/a/z"),
        move("/a", "/q"),
    )
    assert change_of(disk, *steps, Edit(path="/q/z/c", line="last")).after.content == b"one\nmore\nlast\n"
    assert change_of(disk, *steps, Dir(path="/q/z/new")).action is Action.NONE
    assert refusal_of(disk, *steps, Edit(path="/q/z/d", line="last"))[0] == "source_not_found"
    assert refusal_of(disk, *steps, Edit(path="/a/b/c", line="last"))[0] == "source_not_found"


def test_the_content_of_a_moved_file_is_still_known():
    disk = Disk({"/a/x": a_file("one\n")})
    steps = Attributes(path="/a/x", mode=0o600), move("/a", "/b"), Attributes(path="/b/x", mode=0o640)
    change = change_of(disk, *steps, Edit(path="/b/x", line="two"))
    assert (change.after.content, change.after.mode) == (b"one\ntwo\n", 0o640)


def test_two_names_can_be_swapped():
    disk = Disk({"/a/blue/x": a_file("blue"), "/a/green/x": a_file("green")})
    steps = move("/a/blue", "/a/tmp"), move("/a/green", "/a/blue"), move("/a/tmp", "/a/green")
    assert change_of(disk, *steps, File(path="/a/blue/x", content="green")).action is Action.NONE
    assert change_of(disk, *steps, File(path="/a/green/x", content="blue")).action is Action.NONE


# -- copy


def test_a_copy_is_another_object_with_the_same_metadata():
    change = change_of(
        Disk({"/opt/a": a_file("x", 0o4755, uid=5, gid=6, xattrs="q", mtime_ns=99, ino=9)}), Copy(source="/opt/a", to="/opt/b")
    )
    assert change.after[:4] == ("file", 0o4755, 5, 6)
    assert (change.after.xattrs, change.after.mtime_ns, change.after.ino) == ("q", 99, 0)
    assert change.means.origin == "/opt/a"


def test_a_tree_is_copied_in_one_switch():
    disk = Disk({"/opt/a": a_dir(0o750), "/opt/a/d/x": a_file("x"), "/opt/a/l": a_link("d/x")})
    change = change_of(disk, Copy(source="/opt/a", to="/opt/b"))
    assert change.guarantee is Guarantee.ATOMIC
    assert {name: node.type for name, node in change.after.entries.items()} == {"d": "dir", "d/x": "file", "l": "link"}


def test_a_copy_that_is_there_is_unchanged():
    tree = {"/opt/a/x": a_file("x"), "/opt/b/x": a_file("x", ino=8, mtime_ns=4)}
    assert change_of(Disk(tree), Copy(source="/opt/a", to="/opt/b")).action is Action.NONE
    assert refusal_of(Disk({**tree, "/opt/b/y": a_file()}), Copy(source="/opt/a", to="/opt/b"))[0] == "conflict"


def test_a_copy_is_of_what_earlier_steps_left():
    disk = Disk({"/a/old": a_file("old"), "/a/gone": a_file(), "/a/d/in": a_file("in"), "/s/x": a_file("x")})
    steps = (
        File(path="/a/old", content="new"),
        Remove(path="/a/gone"),
        Dir(path="/a/n"),
        File(path="/a/n/f", content="f"),
        move("/a/d", "/a/e"),
        Copy(source="/s", to="/a/s"),
    )
    after = change_of(disk, *steps, Copy(source="/a", to="/b")).after
    assert list(after.entries).index("n") < list(after.entries).index("n/f")
    assert {name: node.content or node.digest for name, node in after.entries.items() if node.type == "file"} == {
        "e/in": a_file("in").digest,
        "n/f": b"f",
        "old": b"new",
        "s/x": a_file("x").digest,
    }


def test_who_is_not_root_owns_the_copies_and_lends_no_rights():
    disk = Disk({"/home/me": a_dir(**OWN), "/bin/su": a_file("x", 0o4755, gid=50)}, USER)
    assert change_of(disk, Copy(source="/bin/su", to="/home/me/su")).after[:4] == ("file", 0o755, 1000, 50)


def test_what_cannot_be_read_cannot_be_copied():
    assert refusal_of(Disk({"/a/x": a_file(readable=False)}), Copy(source="/a/x", to="/a/y"))[0] == "permission_denied"
    assert refusal_of(Disk({"/a/x": a_file(readable=False)}), Copy(source="/a", to="/b"))[0] == "permission_denied"
    assert refusal_of(Disk(), Copy(source="/a/x", to="/a/y"))[0] == "source_not_found"


def test_a_copied_tree_must_fit():
    disk = Disk({"/opt": a_dir(free=5), "/opt/a/x": a_file("123"), "/opt/a/y": a_file("123")})
    assert refusal_of(disk, Copy(source="/opt/a", to="/opt/b"))[0] == "no_space"


def test_a_file_in_a_copied_tree_can_be_edited():
    disk = Disk({"/a/x": a_file("one\n")})
    change = change_of(disk, Copy(source="/a", to="/b"), Edit(path="/b/x", line="two"))
    assert change.after.content == b"one\ntwo\n"


# -- remove


@pytest.mark.parametrize("node", [a_file(), a_link("/x"), a_dir()], ids=["file", "link", "empty directory"])
def test_what_is_there_is_removed_in_one_switch(node):
    change = change_of(Disk({"/opt/a": node}), Remove(path="/opt/a"))
    assert (change.action, change.guarantee) == (Action.DELETE, Guarantee.ATOMIC)


def test_what_is_not_there_is_a_problem_unless_that_is_fine():
    assert refusal_of(Disk({"/opt": a_dir()}), Remove(path="/opt/a"))[0] == "source_not_found"
    assert change_of(Disk({"/opt": a_dir()}), Remove(path="/opt/a", missing_ok=True)).action is Action.NONE
    assert change_of(Disk(), Remove(path="/nowhere/a", missing_ok=True)).action is Action.NONE


def test_a_directory_with_something_in_it_needs_the_word():
    code, hint = refusal_of(Disk({"/opt/a/b": a_file()}), Remove(path="/opt/a"))
    assert code == "not_empty" and "recursive" in hint
    assert change_of(Disk({"/opt/a/b": a_file()}), Remove(path="/opt/a", recursive=True)).action is Action.DELETE


def test_a_directory_is_empty_when_earlier_steps_emptied_it():
    disk = Disk({"/opt/a/b": a_file(), "/opt/e": a_dir()})
    assert change_of(disk, Remove(path="/opt/a/b"), Remove(path="/opt/a")).before.empty is True
    assert refusal_of(disk, File(path="/opt/e/x", content=""), Remove(path="/opt/e"))[0] == "not_empty"
    assert change_of(disk, Dir(path="/opt/n"), Remove(path="/opt/n")).action is Action.DELETE
    assert change_of(disk, Attributes(path="/opt/e", mode=0o700), Remove(path="/opt/e")).action is Action.DELETE
    assert refusal_of(disk, Dir(path="/opt/n"), Dir(path="/opt/n/x"), Remove(path="/opt/n"))[0] == "not_empty"


def test_a_directory_of_somebody_else_is_not_moved_away_by_who_may_not_write_to_it():
    disk = Disk({"/home/me": a_dir(**OWN), "/home/me/theirs": a_dir(writable=False)}, USER)
    assert refusal_of(disk, Remove(path="/home/me/theirs", recursive=True))[0] == "permission_denied"
    assert refusal_of(Disk({"/opt": a_dir(readonly=True), "/opt/a": a_file()}), Remove(path="/opt/a"))[0] == "read_only"
