"""`dir`: made with what it inherits, changed where it differs, refused where it cannot be."""

from __future__ import annotations

import pytest

from holdfast.core.change import Action, Facts, Guarantee
from holdfast.kinds.attributes import Attributes
from holdfast.kinds.dir import Dir
from holdfast.kinds.file import File
from holdfast.kinds.move import MoveKind
from holdfast.kinds.paths import OnConflict
from holdfast.kinds.remove import Remove
from tests.kinds.disk import OWN, USER, Disk, a_dir, a_file, a_link, change_of, changes_of, foretold, refusal_of, side_by_side


def test_a_missing_directory_is_made_with_what_the_umask_leaves():
    change = change_of(Disk({"/opt": a_dir()}, Facts(umask=0o027)), Dir(path="/opt/app"))
    assert (change.action, change.after.mode, change.guarantee) == (Action.CREATE, 0o750, Guarantee.ATOMIC)


def test_what_is_there_already_is_unchanged():
    assert change_of(Disk({"/opt/app": a_dir()}), Dir(path="/opt/app")).action is Action.NONE


def test_only_what_is_asked_for_is_changed_on_an_existing_directory():
    change = change_of(Disk({"/opt/app": a_dir(0o755, uid=5, gid=6)}), Dir(path="/opt/app", mode=0o700, group=7))
    assert change.after[:4] == ("dir", 0o700, 5, 7)
    assert (change.action, change.guarantee) == (Action.UPDATE, Guarantee.REVERSIBLE)


def test_a_directory_made_by_an_earlier_step_is_a_parent():
    change = change_of(Disk({"/opt": a_dir()}), Dir(path="/opt/app"), Dir(path="/opt/app/etc"))
    assert change.action is Action.CREATE


def test_a_missing_parent_is_named():
    code, hint = refusal_of(Disk(), Dir(path="/opt/app"))
    assert code == "parent_not_found" and "parents: true" in hint


def test_a_parent_that_a_later_step_makes_is_named_with_the_way_out():
    found = foretold(Disk(), side_by_side(File(path="/opt/app/x", content=""), Dir(path="/opt/app", parents=True)))
    assert found.problems[0].code == "parent_not_found"
    assert "needs: [s1]" in found.problems[0].hint


def test_every_missing_parent_is_a_change_of_its_own():
    made = changes_of(Disk(), Dir(path="/a/b/c", parents=True, mode=0o700))
    assert [(change.key, change.after.mode) for change in made] == [("/a", 0o755), ("/a/b", 0o755), ("/a/b/c", 0o700)]


def test_parents_take_one_look():
    disk = Disk()
    changes_of(disk, Dir(path="/a/b/c/d/e", parents=True))
    assert disk.rounds == 1


def test_steps_side_by_side_may_need_the_same_parents():
    found = foretold(Disk(), side_by_side(Dir(path="/a/b/c", parents=True), Dir(path="/a/b/d", parents=True)))
    assert [[change.key for change in step] for step in found.changes] == [["/a", "/a/b", "/a/b/c"], ["/a/b/d"]]


def test_a_parent_that_is_a_file_is_a_conflict():
    assert refusal_of(Disk({"/opt": a_file()}), Dir(path="/opt/app"))[0] == "conflict"
    assert refusal_of(Disk({"/opt": a_file()}), Dir(path="/opt/app/x", parents=True))[0] == "conflict"


def test_the_group_of_a_setgid_parent_is_handed_on():
    made = changes_of(Disk({"/srv": a_dir(0o2775, gid=50)}), Dir(path="/srv/a/b", parents=True))
    assert [(change.after.gid, change.after.mode) for change in made] == [(50, 0o2755), (50, 0o2755)]


def test_owners_are_numbers_or_names():
    disk = Disk({"/opt": a_dir()})
    disk.users |= {"staff": 50}
    assert change_of(disk, Dir(path="/opt/a", owner="deploy", group="staff")).after[2:4] == (1000, 50)
    assert change_of(disk, Dir(path="/opt/a", owner=7, group="8")).after[2:4] == (7, 8)
    assert refusal_of(disk, Dir(path="/opt/a", owner="nobody-here"))[0] == "not_found"


@pytest.mark.parametrize(
    "parent",
    [a_dir(writable=False), a_dir(0o500, uid=1000, writable=False)],
    ids=["not ours", "ours, but read-only to us"],
)
def test_where_the_effective_user_may_not_write_nothing_is_made(parent):
    assert refusal_of(Disk({"/opt": parent}, USER), Dir(path="/opt/app"))[0] == "permission_denied"


def test_a_directory_that_an_earlier_step_closed_takes_nothing_more():
    disk = Disk({"/home/me": a_dir(0o755, **OWN)}, USER)
    assert refusal_of(disk, Attributes(path="/home/me", mode=0o500), Dir(path="/home/me/x"))[0] == "permission_denied"
    assert refusal_of(disk, Dir(path="/home/me/x", mode=0o500), Dir(path="/home/me/x/y"))[0] == "permission_denied"


def test_a_directory_that_an_earlier_step_opened_takes_more():
    disk = Disk({"/home/me": a_dir(0o500, writable=False, **OWN)}, USER)
    assert change_of(disk, Attributes(path="/home/me", mode=0o700), Dir(path="/home/me/x")).action is Action.CREATE


def test_only_root_gives_directories_away():
    disk = Disk({"/home/me": a_dir(0o755, **OWN)}, USER)
    assert refusal_of(disk, Dir(path="/home/me/x", owner=0))[0] == "permission_denied"
    assert refusal_of(disk, Dir(path="/home/me/x", group=0))[0] == "permission_denied"
    assert change_of(disk, Dir(path="/home/me/x", group=50)).after.gid == 50


def test_a_read_only_file_system_is_told():
    assert refusal_of(Disk({"/opt": a_dir(readonly=True)}), Dir(path="/opt/app"))[0] == "read_only"
    assert refusal_of(Disk({"/opt": a_dir(readonly=True)}), Dir(path="/opt", mode=0o700))[0] == "read_only"


def test_something_else_at_the_path_is_a_conflict_with_a_hint():
    code, hint = refusal_of(Disk({"/opt/app": a_file()}), Dir(path="/opt/app"))
    assert code == "conflict" and "on_conflict" in hint


def test_something_else_may_be_replaced_in_one_switch():
    change = change_of(Disk({"/opt/app": a_file("old")}), Dir(path="/opt/app", on_conflict="overwrite"))
    assert (change.before.type, change.after.type, change.guarantee) == ("file", "dir", Guarantee.ATOMIC)


def test_something_else_may_be_kept_beside_under_a_name_that_is_free():
    disk = Disk({"/opt/app": a_link("/x"), "/opt/app.bak": a_file(), "/opt/app.bak1": a_file()})
    away, made = changes_of(disk, Dir(path="/opt/app", on_conflict="backup"))
    assert (away.origin, away.key, away.action) == ("/opt/app", "/opt/app.bak2", Action.MOVE)
    assert (made.key, made.action) == ("/opt/app", Action.CREATE)


@pytest.mark.parametrize("parent", [a_dir(), a_dir(writable=False)], ids=["writable", "not even writable"])
def test_something_else_may_stay(parent):
    change = change_of(Disk({"/opt": parent, "/opt/app": a_file()}), Dir(path="/opt/app", on_conflict="skip"))
    assert change.action is Action.NONE


@pytest.mark.parametrize("on_conflict", ["fail", "overwrite", "backup", "skip"])
def test_a_free_path_makes_no_difference_between_the_answers_to_conflict(on_conflict: OnConflict):
    assert change_of(Disk({"/opt": a_dir()}), Dir(path="/opt/app", on_conflict=on_conflict)).action is Action.CREATE


def test_after_a_move_the_old_place_is_free_and_the_new_one_taken():
    disk = Disk({"/opt/a/b": a_file()})
    assert change_of(disk, MoveKind(source="/opt/a", to="/opt/z"), Dir(path="/opt/a")).action is Action.CREATE
    assert refusal_of(disk, MoveKind(source="/opt/a", to="/opt/z"), Dir(path="/opt/z/b"))[0] == "conflict"
    assert refusal_of(disk, Remove(path="/opt/a", recursive=True), Dir(path="/opt/a/b"))[0] == "parent_not_found"
