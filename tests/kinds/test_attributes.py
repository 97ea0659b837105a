"""`attributes`: permissions and owners, of one thing or of everything beneath."""

from __future__ import annotations

from holdfast.core.change import Action, Guarantee
from holdfast.core.predict import Prediction
from holdfast.kinds.attributes import Attributes
from tests.kinds.disk import (
    OWN,
    USER,
    Disk,
    a_dir,
    a_file,
    a_link,
    change_of,
    changes_of,
    flaws_of,
    foretold,
    in_order,
    refusal_of,
)


def test_only_what_differs_is_changed_where_it_stands():
    change = change_of(Disk({"/a": a_file("x", 0o644, ino=9)}), Attributes(path="/a", mode=0o600))
    assert (change.after.mode, change.after.ino, change.guarantee) == (0o600, 9, Guarantee.REVERSIBLE)
    assert change_of(Disk({"/a": a_file("x", 0o600)}), Attributes(path="/a", mode=0o600)).action is Action.NONE


def test_something_must_be_asked_for():
    assert flaws_of(Attributes(path="/a")) == [("path", "invalid_value")]
    assert flaws_of(Attributes(path="/a", owner=-1)) == [("owner", "invalid_value")]
    assert flaws_of(Attributes(path="/a", group="a:b")) == [("group", "invalid_value")]


def test_everything_beneath_is_changed_one_by_one():
    disk = Disk({"/a": a_dir(0o755), "/a/d": a_dir(0o755), "/a/d/x": a_file("x", 0o644), "/a/y": a_file("y", 0o600)})
    made = changes_of(disk, Attributes(path="/a", group=50, recursive=True))
    assert [(change.key, change.after.gid) for change in made] == [("/a", 50), ("/a/d", 50), ("/a/d/x", 50), ("/a/y", 50)]
    assert Prediction((tuple(made),), ()).guarantee(0) is Guarantee.REVERSIBLE


def test_directories_close_after_what_is_in_them():
    disk = Disk({"/a": a_dir(0o755), "/a/d": a_dir(0o755), "/a/d/x": a_file("x", 0o644)})
    assert [change.key for change in changes_of(disk, Attributes(path="/a", mode=0o600, recursive=True))] == [
        "/a/d/x",
        "/a/d",
        "/a",
    ]
    shut = Disk({"/a": a_dir(0o600), "/a/x": a_file("x", 0o600)})
    assert [change.key for change in changes_of(shut, Attributes(path="/a", mode=0o700, recursive=True))] == ["/a", "/a/x"]


def test_of_a_link_only_the_owner_is_meant():
    disk = Disk({"/a/l": a_link("x"), "/a/x": a_file("x", 0o644)})
    assert refusal_of(disk, Attributes(path="/a/l", mode=0o600))[0] == "conflict"
    assert change_of(disk, Attributes(path="/a/l", owner=5)).after.uid == 5
    made = changes_of(disk, Attributes(path="/a", mode=0o700, recursive=True))
    assert [change.key for change in made] == ["/a", "/a/x"]


def test_what_is_not_there_or_not_ours_is_a_problem():
    disk = Disk({"/a": a_file("x"), "/mine": a_file("x", **OWN)}, USER)
    assert refusal_of(disk, Attributes(path="/b", mode=0o600))[0] == "source_not_found"
    assert refusal_of(disk, Attributes(path="/a", mode=0o600))[0] == "permission_denied"
    assert refusal_of(disk, Attributes(path="/mine", owner=0))[0] == "permission_denied"
    assert change_of(disk, Attributes(path="/mine", mode=0o600, group=50)).after.gid == 50


def test_to_change_attributes_no_content_is_read():
    found = foretold(Disk({"/a/x": a_file("x")}), in_order(Attributes(path="/a", mode=0o700, recursive=True)))
    assert all(change.before.digest is None for change in found.changes[0])
