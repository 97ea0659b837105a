"""`tree`: a whole directory at once where nothing is, entry by entry where something is."""

from __future__ import annotations

import time

import pytest

from holdfast.core.change import Action, Depth, Facts, Guarantee, Resource
from holdfast.core.predict import predict
from holdfast.kinds.edit import Edit
from holdfast.kinds.file import File
from holdfast.kinds.globs import matched
from holdfast.kinds.node import ABSENT, Node
from holdfast.kinds.remove import Remove
from holdfast.kinds.tree import Tree
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

SOURCE = {
    "/src": a_dir(0o750),
    "/src/bin": a_dir(0o700),
    "/src/bin/run": a_file("run", 0o755),
    "/src/conf": a_file("conf", 0o640),
}


def tree(**more: object) -> Tree:
    return Tree(path="/dst", source="/src", **more)


def links(**more: object) -> Tree:
    return tree(form="links", **more)


def test_where_nothing_is_the_whole_tree_is_one_switch():
    change = change_of(Disk(SOURCE), tree())
    assert (change.action, change.guarantee, change.means.path) == (Action.CREATE, Guarantee.ATOMIC, "/src")
    assert {name: (node.type, node.mode) for name, node in change.after.entries.items()} == {
        "bin": ("dir", 0o700),
        "bin/run": ("file", 0o755),
        "conf": ("file", 0o640),
    }


def test_as_links_every_file_is_a_link_to_its_source():
    change = change_of(Disk(SOURCE, Facts(umask=0o027)), links())
    assert change.means is None
    assert {name: node.target or oct(node.mode) for name, node in change.after.entries.items()} == {
        "bin": "0o750",
        "bin/run": "/src/bin/run",
        "conf": "/src/conf",
    }


def test_to_link_no_content_is_read():
    change = change_of(Disk(SOURCE), links())
    assert all(node.digest is None for node in change.after.entries.values())


def test_an_existing_destination_gets_what_it_lacks_in_as_few_changes_as_possible():
    disk = Disk({**SOURCE, "/src/lib/a/x": a_file("x"), "/src/lib/y": a_file("y"), "/dst/bin": a_dir(0o711)})
    made = changes_of(disk, tree())
    assert [(change.key, change.action) for change in made] == [
        ("/dst/bin/run", Action.CREATE),
        ("/dst/conf", Action.CREATE),
        ("/dst/lib", Action.CREATE),
    ]
    assert list(made[2].after.entries) == ["a", "a/x", "y"]
    assert made[2].means.path == "/src/lib"


def test_files_that_differ_are_updated_and_keep_their_owners():
    disk = Disk({**SOURCE, "/dst/bin/run": a_file("old", 0o755, uid=5, gid=6), "/dst/conf": a_file("conf", 0o600)})
    run, conf = changes_of(disk, tree())
    assert (run.key, run.after.digest, run.after[2:4]) == ("/dst/bin/run", a_file("run").digest, (5, 6))
    assert (conf.key, conf.after.mode, conf.means) == ("/dst/conf", 0o640, None)


@pytest.mark.parametrize("form", ["copies", "links"])
def test_what_is_there_already_is_unchanged(form):
    first = change_of(Disk(SOURCE), tree(form=form))
    there = {f"/dst/{name}": node._replace(content=b"") for name, node in first.after.entries.items()}
    disk = Disk({**SOURCE, "/dst": first.after._replace(entries=None), **there, "/dst/other": a_file()})
    assert change_of(disk, tree(form=form)).action is Action.NONE


def test_what_is_not_in_the_source_stays_unless_it_is_to_be_deleted():
    disk = Disk({**SOURCE, "/dst/old/x": a_file(), "/dst/old/y": a_file(), "/dst/stale": a_link("x")})
    assert "/dst/old" not in [change.key for change in changes_of(disk, tree())]
    made = changes_of(disk, tree(delete=True))
    assert [(change.key, change.action) for change in made[:2]] == [("/dst/old", Action.DELETE), ("/dst/stale", Action.DELETE)]


def test_what_is_excluded_is_neither_brought_nor_deleted():
    disk = Disk(
        {**SOURCE, "/src/.git/x": a_file(), "/dst/keep/me.log": a_file(), "/dst/keep/not": a_file(), "/dst/gone/x": a_file()}
    )
    made = changes_of(disk, tree(delete=True, exclude=(".git", "*.log", "bin/**")))
    assert [(change.key, change.action.value) for change in made] == [
        ("/dst/gone", "delete"),
        ("/dst/keep/not", "delete"),
        ("/dst/bin", "create"),
        ("/dst/conf", "create"),
    ]
    assert made[2].after.entries == {}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.py", ["a.py", "d/b.py", "d/e/c.py"]),
        ("d", ["d", "d/b.py", "d/e", "d/e/c.py", "d/x"]),
        ("d/*", ["d/b.py", "d/e", "d/e/c.py", "d/x"]),
        ("d/*.py", ["d/b.py"]),
        ("**/c.py", ["d/e/c.py"]),
        ("d/**/c.py", ["d/e/c.py"]),
        ("d/**", ["d/b.py", "d/e", "d/e/c.py", "d/x"]),
        ("e/", ["d/e", "d/e/c.py"]),
        ("[ax].py", ["a.py"]),
        ("?.py", ["a.py", "d/b.py", "d/e/c.py"]),
        ("[!a].py", ["d/b.py", "d/e/c.py"]),
        ("nothing", []),
    ],
)
def test_patterns(pattern, expected):
    assert sorted(matched([pattern], ["a.py", "d", "d/b.py", "d/e", "d/e/c.py", "d/x"])) == expected


def test_a_pattern_that_names_nothing_is_a_flaw():
    assert flaws_of(tree(exclude=("/", "*.py"))) == [("exclude", "invalid_value")]


def test_another_type_in_the_way_is_a_conflict_or_is_replaced_with_all_beneath():
    disk = Disk({**SOURCE, "/dst/bin": a_file("in the way"), "/dst/conf/x": a_file()})
    assert refusal_of(disk, tree())[0] == "conflict"
    made = changes_of(disk, tree(on_conflict="overwrite", delete=True))
    assert [(change.key, change.before.type, change.after.type) for change in made] == [
        ("/dst/bin", "file", "dir"),
        ("/dst/conf", "dir", "file"),
    ]
    assert list(made[0].after.entries) == ["run"]
    skipped = changes_of(disk, tree(on_conflict="skip", delete=True))
    assert [change.action for change in skipped] == [Action.NONE]


def test_a_link_that_leads_elsewhere_is_a_conflict_for_links():
    disk = Disk({**SOURCE, "/dst/conf": a_link("/elsewhere"), "/dst/bin": a_dir()})
    assert refusal_of(disk, links())[0] == "conflict"
    kept = changes_of(disk, links(on_conflict="backup"))
    assert ("/dst/conf.bak", "/dst/conf") in [(change.key, change.origin) for change in kept]


def test_a_destination_that_is_no_directory_is_a_conflict_or_is_replaced():
    disk = Disk({**SOURCE, "/dst": a_file()})
    assert refusal_of(disk, tree())[0] == "conflict"
    assert change_of(disk, tree(on_conflict="overwrite")).after.type == "dir"
    assert change_of(disk, tree(on_conflict="skip")).action is Action.NONE


def test_copies_come_from_here_and_links_lead_to_what_is_there():
    disk = Disk({"/there": a_dir()}, here=SOURCE)
    found = foretold(disk, in_order(tree(), target="web1"))
    assert list(found.changes[0][0].after.entries) == ["bin", "bin/run", "conf"]
    assert foretold(disk, in_order(links(), target="web1")).problems[0].code == "source_not_found"


def test_who_is_not_root_copies_what_they_may_read_to_where_they_may_write():
    mine = {"/home/me": a_dir(**OWN), "/home/me/dst": a_dir(**OWN), "/home/me/dst/bin": a_dir(0o555), "/src/bin/run": a_file()}
    step = Tree(path="/home/me/dst", source="/src")
    assert refusal_of(Disk({**mine, "/home/me/dst/bin": a_dir(0o555, writable=False)}, USER), step)[0] == "permission_denied"
    assert change_of(Disk(mine, USER), step).key == "/home/me/dst/bin/run"  # an access list allows it
    assert refusal_of(Disk({**mine, "/src/bin/run": a_file(readable=False)}, USER), step)[0] == "permission_denied"


def test_a_tree_must_fit_also_when_it_is_merged():
    big = {"/src/d/x": a_file("123456"), "/": a_dir(free=5), "/dst": a_dir(free=5)}
    assert refusal_of(Disk({**big}), tree())[0] == "no_space"
    assert refusal_of(Disk({"/src/d/x": a_file("123456"), "/": a_dir(free=5)}), tree())[0] == "no_space"


def test_a_missing_source_is_a_problem():
    assert refusal_of(Disk(), tree())[0] == "source_not_found"
    assert refusal_of(Disk({"/src": a_file()}), tree())[0] == "conflict"


def test_later_steps_see_what_the_tree_brought():
    disk = Disk(SOURCE)
    assert change_of(disk, tree(), Edit(path="/dst/conf", line="more")).before.digest == a_file("conf").digest
    assert change_of(disk, tree(), File(path="/dst/bin/new", content="")).action is Action.CREATE
    assert change_of(disk, tree(), Remove(path="/dst/bin/run")).before.mode == 0o755
    assert refusal_of(disk, tree(), Remove(path="/dst/bin"))[0] == "not_empty"
    assert change_of(disk, tree(), tree()).action is Action.NONE
    assert change_of(disk, links(), links()).action is Action.NONE


def test_a_tree_of_what_earlier_steps_made():
    change = change_of(Disk(SOURCE), File(path="/src/new", content="n"), Remove(path="/src/conf"), tree())
    assert sorted(change.after.entries) == ["bin", "bin/run", "new"]


def test_ten_thousand_links_are_foretold_in_an_instant():
    entries: dict[str, Node] = {}
    for folder in range(100):
        entries[f"d{folder}"] = a_dir()
        entries.update({f"d{folder}/f{number}": Node("file", 0o644) for number in range(100)})
    nodes = {"/": a_dir(), "/dst": ABSENT, "/src": a_dir(entries=entries)}
    seen = {Resource("local", path): (Depth.TREE, node) for path, node in nodes.items()}
    seen[Resource("local", "@facts")] = (Depth.NODE, Facts())
    plan = in_order(links())
    started = time.process_time()
    found = predict(plan, seen)
    assert len(found.changes[0][0].after.entries) == 10_100
    assert time.process_time() - started < 0.5  # thirty milliseconds on a quiet machine is the aim
