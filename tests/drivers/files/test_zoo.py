"""Undo brings back every kind of object exactly: type, mode, owner, ACL, attributes, times, holes, hard links, devices."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.core.change import Change, Depth
from holdfast.drivers.contract import Ending
from holdfast.kinds.content import Content
from holdfast.testing import zoo
from tests.drivers.files.bench import AS_ROOT, Bench, moves_of, node


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    zoo.build(tmp_path / "root", families=4)
    bench = Bench(tmp_path)
    assert len(bench.manifest()) > 140
    return bench


def names_of(bench: Bench) -> list[str]:
    """Every object with a name of its own that is not in another one of the list: what a plan may take one by one."""
    return [
        f"{family}/{path.name}"
        for family in sorted(p.name for p in bench.root.iterdir())
        for path in (bench.root / family).iterdir()
    ]


def test_removing_everything_one_by_one_and_undoing_it_changes_nothing(bench: Bench) -> None:
    before = zoo.manifest(bench.root, inodes=True)
    moves = bench.do(*[bench.removal(name, Depth.NODE) for name in names_of(bench)])
    assert all(not any(family.iterdir()) for family in bench.root.iterdir())
    bench.undone(*moves)
    assert zoo.differences(before, zoo.manifest(bench.root, inodes=True)) == []


def test_removing_whole_trees_and_undoing_it_changes_nothing(bench: Bench) -> None:
    before = bench.manifest()
    moves = bench.do(*[bench.removal(family.name) for family in sorted(bench.root.iterdir())])
    assert not any(bench.root.iterdir())
    bench.restart()
    bench.undone(*moves)
    assert zoo.differences(before, bench.manifest()) == []


def test_moving_everything_and_undoing_it_changes_nothing(bench: Bench) -> None:
    before = zoo.manifest(bench.root, inodes=True)
    made = bench.do(bench.folder("elsewhere"))
    moves = bench.do(*[bench.move(name, f"elsewhere/{number}") for number, name in enumerate(names_of(bench))])
    bench.undone(*made, *moves)
    assert zoo.differences(before, zoo.manifest(bench.root, inodes=True)) == []


def test_overwriting_everything_with_files_and_undoing_it_changes_nothing(bench: Bench) -> None:
    before = zoo.manifest(bench.root, inodes=True)
    new = Content.of(b"new")
    names = names_of(bench)
    changes = [
        Change(bench.key(name), bench.look(name, Depth.TREE), node("file", 0o600, digest=new.digest), means=new)
        for name in names
    ]
    moves = bench.do(*changes)
    assert all((bench.root / name).read_bytes() == b"new" for name in names)
    bench.undone(*moves)
    assert zoo.differences(before, zoo.manifest(bench.root, inodes=True)) == []


def test_changing_owner_and_mode_of_everything_and_undoing_it_changes_nothing(bench: Bench) -> None:
    before = zoo.manifest(bench.root, inodes=True)
    owner = {"uid": 4321, "gid": 4322} if AS_ROOT else {}
    seen = {name: bench.look(name) for name in names_of(bench) if may_change(bench.root / name)}
    moves = bench.do(*[Change(bench.key(name), found, found._replace(mode=0o711, **owner)) for name, found in seen.items()])
    bench.undone(*moves)
    assert zoo.differences(before, zoo.manifest(bench.root, inodes=True)) == []
    assert bench.kept() == []


def may_change(path: Path) -> bool:
    """Of hard links only one can be planned; and a link has an owner, but no mode."""
    alone = path.lstat().st_nlink == 1 or path.is_dir()
    return alone and (AS_ROOT or not path.is_symlink())


def test_a_copied_tree_is_like_its_source_in_everything(bench: Bench) -> None:
    source = bench.root / "family-0"
    after = bench.look("family-0", Depth.TREE)
    change = Change(bench.key("copy"), bench.look("copy"), after, means=Content(origin=str(source)))
    moves = bench.do(change)
    assert zoo.differences(zoo.manifest(source), zoo.manifest(bench.root / "copy")) == []
    bench.undone(*moves)
    assert not (bench.root / "copy").exists()


def test_a_tree_moved_to_another_file_system_is_the_same_there_and_back(bench: Bench, elsewhere: Path) -> None:
    before = zoo.manifest(bench.root)
    there = bench.look("family-1", Depth.TREE)
    goal = elsewhere / "family"
    change = Change(str(goal), bench.look(goal), there, origin=bench.key("family-1"))
    moves = bench.do(change)
    came, left = zoo.manifest(goal), {path[9:] or ".": row for path, row in before.items() if path.split("/")[0] == "family-1"}
    assert [said for said in zoo.differences(left, came) if not _only_moved(said)] == []
    assert not (bench.root / "family-1").exists()
    bench.restart()
    bench.undone(*moves)
    assert zoo.differences(before, bench.manifest()) == []
    assert not goal.exists()
    bench.settle(*moves)
    assert bench.driver.held(moves[0].id) == ""


def _only_moved(said: str) -> bool:
    """Names of twins are relative to the tree that was looked at."""
    return ": twins was" in said


def test_settling_drops_everything_that_was_kept(bench: Bench) -> None:
    moves = bench.do(*[bench.removal(family.name) for family in sorted(bench.root.iterdir())])
    assert len(bench.kept()) == 4
    bench.settle(*moves)
    assert bench.kept() == []
    assert {outcome.ending for outcome in bench.undo(*moves)} == {Ending.FAILED}


def test_moves_know_where_their_before_image_lies(bench: Bench) -> None:
    (move,) = bench.do(bench.removal("family-0/text"))
    assert Path(bench.driver.held(move.id)).read_bytes() == b"hello\n"
    bench.settle(move)
    assert bench.driver.held(move.id) == ""
    assert moves_of(move.change)[0].id != move.id
