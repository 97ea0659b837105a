"""`file`: its content from wherever, its permissions kept or set, and no secret shown."""

from __future__ import annotations

import pytest

from holdfast.core.change import Action, Facts, Guarantee
from holdfast.kinds.contract import Secret
from holdfast.kinds.diffs import diff
from holdfast.kinds.dir import Dir
from holdfast.kinds.edit import Edit
from holdfast.kinds.file import File
from holdfast.kinds.link import Link
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


def test_a_new_file_follows_the_umask_and_carries_its_content():
    change = change_of(Disk({"/etc": a_dir()}, Facts(umask=0o027)), File(path="/etc/app", content="a=1\n"))
    assert (change.after.mode, change.after.size, change.means.data) == (0o640, 4, b"a=1\n")
    assert (change.action, change.guarantee) == (Action.CREATE, Guarantee.ATOMIC)


def test_the_same_content_is_unchanged():
    assert change_of(Disk({"/etc/app": a_file("a=1\n")}), File(path="/etc/app", content="a=1\n")).action is Action.NONE


def test_an_update_keeps_what_was_not_asked_for():
    before = a_file("old", 0o600, uid=5, gid=6, xattrs="abc", ino=9)
    change = change_of(Disk({"/etc/app": before}), File(path="/etc/app", content="new"))
    assert change.after[:4] == ("file", 0o600, 5, 6)
    assert (change.after.xattrs, change.after.ino) == ("abc", 0)
    assert (change.action, change.guarantee) == (Action.UPDATE, Guarantee.ATOMIC)


def test_the_same_content_with_another_mode_is_changed_in_place():
    change = change_of(Disk({"/etc/app": a_file("x", 0o644, ino=9)}), File(path="/etc/app", content="x", mode=0o600))
    assert (change.after.mode, change.after.ino, change.means, change.guarantee) == (0o600, 9, None, Guarantee.REVERSIBLE)


@pytest.mark.parametrize("given", [{}, {"content": "a", "source": "/s"}, {"content": "", "template": "/t", "source": "/s"}])
def test_exactly_one_source_of_content_is_needed(given):
    assert [code for _, code in flaws_of(File(path="/etc/app", **given))] == ["invalid_value"]


def test_a_source_is_read_where_holdfast_runs():
    disk = Disk({"/etc": a_dir()}, here={"/plans/app.conf": a_file("from here")})
    found = foretold(disk, in_order(File(path="/etc/app", source="/plans/app.conf"), target="web1"))
    (change,) = found.changes[0]
    assert (change.after.content, change.means.path, change.means.data) == (b"from here", "/plans/app.conf", None)


def test_a_large_source_need_not_be_in_memory():
    disk = Disk({"/etc": a_dir(), "/big": a_file("big", content=None)})
    change = change_of(disk, File(path="/etc/app", source="/big"))
    assert (change.means.digest, change.after.digest) == (a_file("big").digest,) * 2


def test_a_source_behind_a_link_is_followed():
    disk = Disk({"/etc": a_dir(), "/plans/v1": a_file("one"), "/plans/current": a_link("v1")})
    assert change_of(disk, File(path="/etc/app", source="/plans/current")).means.path == "/plans/v1"


def test_a_source_may_be_made_by_an_earlier_step():
    disk = Disk({"/etc": a_dir()})
    change = change_of(disk, File(path="/etc/a", content="new"), File(path="/etc/b", source="/etc/a"))
    assert change.after.content == b"new"


def test_a_missing_source_is_a_problem():
    assert refusal_of(Disk({"/etc": a_dir()}), File(path="/etc/app", source="/nowhere"))[0] == "source_not_found"
    assert refusal_of(Disk({"/etc": a_dir()}), File(path="/etc/app", source="/etc"))[0] == "conflict"
    assert refusal_of(Disk({"/s": a_file(readable=False)}), File(path="/app", source="/s"))[0] == "permission_denied"


def test_a_template_is_rendered_with_the_variables_it_is_given():
    disk = Disk({"/etc": a_dir(), "/t": a_file("port={{ port }}\n{% for h in hosts %}{{ h }}\n{% endfor %}")})
    change = change_of(disk, File(path="/etc/app", template="/t", vars={"port": 80, "hosts": ["a", "b"]}))
    assert change.after.content == b"port=80\na\nb\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{{ nobody }}", "undefined_variable"),
        ("{{ a.b.c }}", "undefined_variable"),
        ("{% if %}", "syntax"),
        ("{{ 1 / 0 }}", "syntax"),
        ("{% include '/etc/passwd' %}", "syntax"),
        ("{{ ().__class__.__mro__ }}", "syntax"),
        ("{{ a.update(x=1) }}", "syntax"),
        (b"\xff", "syntax"),
    ],
)
def test_a_template_that_cannot_be_rendered_is_a_problem(text, code):
    disk = Disk({"/etc": a_dir(), "/t": a_file(text)})
    assert refusal_of(disk, File(path="/etc/app", template="/t", vars={"a": {}}))[0] == code


def test_a_secret_is_a_reference_until_it_is_written():
    disk = Disk({"/etc/key": a_file("old secret")})
    disk.secrets["env:KEY"] = "hunter2"
    change = change_of(disk, File(path="/etc/key", content=Secret("env:KEY")))
    assert (change.means.secret, change.means.data, change.after.content) == ("env:KEY", None, None)
    assert "hunter2" not in repr(change) and "hunter2" not in diff(change) and "old secret" not in diff(change)
    assert "hunter2" not in diff(change.reversed()) and "old secret" not in diff(change.reversed())


def test_a_secret_that_is_there_already_is_unchanged():
    disk = Disk({"/etc/key": a_file("hunter2")})
    disk.secrets["env:KEY"] = "hunter2"
    assert change_of(disk, File(path="/etc/key", content=Secret("env:KEY"))).action is Action.NONE


def test_a_secret_that_cannot_be_had_is_a_problem():
    assert refusal_of(Disk({"/etc": a_dir()}), File(path="/etc/key", content=Secret("env:NONE")))[0] == "not_found"


def test_a_file_made_of_a_secret_cannot_be_edited_in_the_same_plan():
    disk = Disk({"/etc": a_dir()})
    disk.secrets["env:KEY"] = "x"
    steps = File(path="/etc/key", content=Secret("env:KEY")), Edit(path="/etc/key", line="y")
    assert refusal_of(disk, *steps)[0] == "too_large"


def test_a_link_or_directory_at_the_path_is_a_conflict():
    assert refusal_of(Disk({"/etc/app": a_link("/x")}), File(path="/etc/app", content=""))[0] == "conflict"
    assert refusal_of(Disk({"/etc/app": a_dir()}), File(path="/etc/app", content=""))[0] == "conflict"


def test_who_is_not_root_rewrites_only_what_is_theirs():
    disk = Disk({"/home/me": a_dir(**OWN), "/home/me/theirs": a_file("a"), "/home/me/mine": a_file("a", **OWN)}, USER)
    assert refusal_of(disk, File(path="/home/me/theirs", content="b"))[0] == "permission_denied"
    assert change_of(disk, File(path="/home/me/mine", content="b")).action is Action.UPDATE


def test_in_a_sticky_directory_the_files_of_others_stay():
    disk = Disk({"/tmp": a_dir(0o1777), "/tmp/theirs": a_link("/x")}, USER)
    assert refusal_of(disk, File(path="/tmp/theirs", content="b", on_conflict="overwrite"))[0] == "permission_denied"


def test_an_immutable_file_is_refused_before_anything_is_touched():
    assert refusal_of(Disk({"/etc/app": a_file("a", fixed=True)}), File(path="/etc/app", content="b"))[0] == "permission_denied"


def test_the_bytes_of_all_steps_must_fit():
    disk = Disk({"/var": a_dir(free=10)})
    assert len(changes_of(disk, File(path="/var/a", content="12345"), File(path="/var/b", content="12345"))) == 1
    steps = File(path="/var/a", content="12345"), Dir(path="/var/d"), File(path="/var/d/b", content="123456")
    assert refusal_of(disk, *steps)[0] == "no_space"


def test_a_file_that_is_updated_twice_is_seen_as_the_first_step_leaves_it():
    disk = Disk({"/etc/app": a_file("one", 0o600)})
    change = change_of(disk, File(path="/etc/app", content="two"), File(path="/etc/app", content="three"))
    assert (change.before.content, change.after.content, change.after.mode) == (b"two", b"three", 0o600)


def test_what_lies_behind_a_predicted_link_is_what_the_link_leads_to():
    disk = Disk({"/opt/v2/conf": a_file("a"), "/opt/v1/conf": a_file("b"), "/opt/now": a_link("v1")})
    steps = Link(path="/opt/now", to="v2", on_conflict="overwrite"), File(path="/opt/now/conf", content="a")
    assert change_of(disk, *steps).action is Action.NONE


def test_what_lies_behind_a_link_that_is_there_is_seen_with_what_the_plan_does_to_it():
    disk = Disk({"/run": a_dir(), "/var/run": a_link("/run")})
    assert change_of(disk, Dir(path="/run/app"), File(path="/var/run/app/pid", content="1")).action is Action.CREATE
    deep = Dir(path="/run/app"), Dir(path="/run/app/a"), File(path="/var/run/app/a/pid", content="1")
    assert change_of(disk, *deep).action is Action.CREATE
    again = Dir(path="/run/app"), File(path="/run/app/x", content="1"), File(path="/var/run/app/x", content="1")
    assert change_of(disk, *again).action is Action.NONE


def test_a_loop_of_links_is_a_conflict():
    disk = Disk({"/a/x": a_link("y"), "/a/y": a_link("x")})
    assert refusal_of(disk, Link(path="/a/z", to="x"))[0] == "conflict"


def test_what_may_not_be_looked_at_is_said():
    closed = a_file()._replace(type="absent", readable=False)
    assert refusal_of(Disk({"/root/x": closed}), File(path="/root/x", content=""))[0] == "permission_denied"
