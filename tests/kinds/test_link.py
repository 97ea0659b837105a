"""`link`: where it leads, how that is written, and what stands in its way."""

from __future__ import annotations

import pytest

from holdfast.core.change import Action, Guarantee
from holdfast.kinds.copy import Copy
from holdfast.kinds.dir import Dir
from holdfast.kinds.file import File
from holdfast.kinds.link import Link
from holdfast.kinds.move import MoveKind
from holdfast.kinds.remove import Remove
from holdfast.kinds.tree import Tree
from tests.kinds.disk import Disk, a_dir, a_file, a_link, change_of, foretold, refusal_of, side_by_side


def test_a_link_is_made_as_it_is_written():
    change = change_of(Disk({"/opt/v1": a_dir()}), Link(path="/opt/now", to="v1"))
    assert (change.after.type, change.after.target, change.guarantee) == ("link", "v1", Guarantee.ATOMIC)


@pytest.mark.parametrize(
    ("to", "style", "written"),
    [
        ("v1", "absolute", "/opt/v1"),
        ("/opt/v1", "relative", "../v1"),
        ("../v1", None, "../v1"),
        ("../v1", "absolute", "/opt/v1"),
    ],
)
def test_a_style_rewrites_where_it_leads(to, style, written):
    disk = Disk({"/opt/v1": a_dir(), "/opt/links/v1": a_dir()})
    path = "/opt/now" if (to, style) == ("v1", "absolute") else "/opt/links/now"
    assert change_of(disk, Link(path=path, to=to, style=style)).after.target == written


def test_a_link_that_leads_there_already_is_unchanged():
    assert change_of(Disk({"/opt/v1": a_dir(), "/opt/now": a_link("v1")}), Link(path="/opt/now", to="v1")).action is Action.NONE


@pytest.mark.parametrize("node", [a_link("v0"), a_file(), a_dir()], ids=["another link", "a file", "a directory"])
def test_anything_else_at_the_path_is_a_conflict_unless_it_may_be_replaced(node):
    disk = Disk({"/opt/v1": a_dir(), "/opt/now": node})
    code, hint = refusal_of(disk, Link(path="/opt/now", to="v1"))
    assert code == "conflict" and "on_conflict" in hint
    change = change_of(disk, Link(path="/opt/now", to="v1", on_conflict="overwrite"))
    assert (change.action, change.guarantee) == (Action.UPDATE, Guarantee.ATOMIC)


def test_a_link_to_nothing_must_say_so():
    disk = Disk({"/opt": a_dir()})
    assert refusal_of(disk, Link(path="/opt/now", to="v1"))[0] == "source_not_found"
    assert change_of(disk, Link(path="/opt/now", to="v1", dangling=True)).action is Action.CREATE


def test_a_link_to_a_link_to_nothing_is_a_link_to_nothing():
    disk = Disk({"/opt/v1": a_link("v0")})
    assert refusal_of(disk, Link(path="/opt/now", to="v1"))[0] == "source_not_found"


def test_a_link_may_lead_to_what_an_earlier_step_makes():
    disk = Disk({"/opt": a_dir(), "/src/a/b": a_file()})
    for steps in (
        (Dir(path="/opt/v1"),),
        (File(path="/opt/v1", content=""),),
        (Copy(source="/src", to="/opt/v1"),),
        (MoveKind(source="/src", to="/opt/v1"),),
        (Tree(path="/opt/v1", source="/src"),),
    ):
        assert change_of(disk, *steps, Link(path="/opt/now", to="v1")).action is Action.CREATE


def test_a_link_may_lead_into_what_an_earlier_step_makes():
    disk = Disk({"/opt": a_dir(), "/src/a/b": a_file()})
    for step in (Copy(source="/src", to="/opt/v"), MoveKind(source="/src", to="/opt/v"), Tree(path="/opt/v", source="/src")):
        assert change_of(disk, step, Link(path="/opt/now", to="v/a/b")).action is Action.CREATE
        assert refusal_of(disk, step, Link(path="/opt/now", to="v/a/c"))[0] == "source_not_found"


def test_what_an_earlier_step_takes_away_is_gone():
    disk = Disk({"/opt/v1/bin": a_file()})
    assert refusal_of(disk, Remove(path="/opt/v1", recursive=True), Link(path="/opt/x", to="v1/bin"))[0] == "source_not_found"
    assert refusal_of(disk, MoveKind(source="/opt/v1", to="/opt/v2"), Link(path="/opt/x", to="v1"))[0] == "source_not_found"


def test_the_later_step_that_makes_the_aim_is_named():
    made = Dir(path="/opt/v1")
    found = foretold(Disk({"/opt": a_dir()}), side_by_side(Link(path="/opt/now", to="v1"), made))
    assert found.problems[0].code == "source_not_found" and "needs: [s1]" in found.problems[0].hint


def test_side_by_side_a_link_waits_for_what_it_leads_to():
    found = foretold(Disk({"/opt": a_dir()}), side_by_side(Dir(path="/opt/v1"), Link(path="/opt/now", to="v1")))
    assert not found.problems


def test_ten_thousand_links_take_one_look():
    disk = Disk({"/opt/v1": a_dir(), "/opt/links": a_dir()})
    found = foretold(disk, side_by_side(*(Link(path=f"/opt/links/{n}", to="/opt/v1") for n in range(100))))
    assert not found.problems and disk.rounds == 1
