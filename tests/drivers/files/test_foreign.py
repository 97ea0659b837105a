"""Whatever somebody else does between apply and undo is seen, and nothing of it is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.core.change import Change, Depth
from holdfast.drivers.contract import Ending
from holdfast.drivers.files.calls import Calls
from holdfast.kinds.content import Content
from tests.drivers.files.bench import AS_ROOT, Bench, moves_of, node

Edit = Callable[[Path], object]


def rewritten(path: Path) -> None:
    path.write_bytes(b"foreign content")


def rewritten_unnoticed(path: Path) -> None:
    """Same size, and the old time put back: only content and ctime tell."""
    seen = path.stat()
    path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()))
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def given_another_mode(path: Path) -> None:
    path.chmod(0o705 if path.is_dir() else 0o606)


def given_another_owner(path: Path) -> None:
    os.chown(path, 777, 777, follow_symlinks=False)


def tagged(path: Path) -> None:
    os.setxattr(path, "user.foreign", b"1")


def deleted(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def replaced_by_a_link(path: Path) -> None:
    deleted(path)
    path.symlink_to("/etc/passwd")


def replaced_by_a_directory(path: Path) -> None:
    deleted(path)
    path.mkdir()


def replaced_by_a_pipe(path: Path) -> None:
    deleted(path)
    os.mkfifo(path)


def filled(path: Path) -> None:
    (path / "foreign").write_bytes(b"precious")


def edited_inside(path: Path) -> None:
    (path / "sub" / "leaf").write_bytes(b"foreign")


OF_FILES: tuple[Edit, ...] = (
    rewritten,
    rewritten_unnoticed,
    given_another_mode,
    given_another_owner,
    tagged,
    deleted,
    replaced_by_a_link,
    replaced_by_a_directory,
    replaced_by_a_pipe,
)
OF_LINKS: tuple[Edit, ...] = (given_another_owner, deleted, replaced_by_a_link, replaced_by_a_directory)
OF_FOLDERS: tuple[Edit, ...] = (given_another_mode, given_another_owner, filled, deleted, replaced_by_a_link)
OF_TREES: tuple[Edit, ...] = (*OF_FOLDERS, edited_inside)
if not AS_ROOT:  # who is not root cannot give anything away
    OF_FILES, OF_LINKS, OF_FOLDERS, OF_TREES = (
        tuple(edit for edit in edits if edit is not given_another_owner) for edits in (OF_FILES, OF_LINKS, OF_FOLDERS, OF_TREES)
    )
SMALL = Content.of(b"small")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    root = bench.root
    (root / "file").write_bytes(b"old content")
    (root / "link").symlink_to("file")
    (root / "tree" / "sub").mkdir(parents=True)
    (root / "tree" / "sub" / "leaf").write_bytes(b"leaf")
    return bench


def made_tree(bench: Bench) -> Change:
    entries = {"sub": node("dir", 0o755), "sub/leaf": node("file", 0o644, digest=SMALL.digest, xattrs="")}
    return Change(bench.key("new"), bench.look("new"), node("dir", 0o755, entries=entries), means={"sub/leaf": SMALL})


CHANGES: dict[str, tuple[Callable[[Bench], Change], str, tuple[Edit, ...]]] = {
    "a new file": (lambda b: b.file("new", b"new content"), "new", OF_FILES),
    "a new link": (lambda b: b.link("new", "file"), "new", OF_LINKS),
    "a new directory": (lambda b: b.folder("new"), "new", OF_FOLDERS),
    "a new tree": (made_tree, "new", OF_TREES),
    "a rewritten file": (lambda b: b.file("file", b"new content"), "file", OF_FILES),
    "a changed mode": (lambda b: Change(b.key("file"), b.look("file"), b.look("file")._replace(mode=0o600)), "file", OF_FILES),
    "a changed link": (lambda b: Change(b.key("link"), b.look("link"), node("link", 0o777, target="x")), "link", OF_LINKS),
    "a moved file": (lambda b: b.move("file", "new"), "new", OF_FILES),
    "a moved tree": (lambda b: b.move("tree", "new"), "new", OF_TREES),
}


AFTERWARDS = [
    pytest.param(change, path, edit, id=f"{name}, {edit.__name__}")
    for name, (change, path, edits) in CHANGES.items()
    for edit in edits
]
BEFOREHAND = [trial for trial in AFTERWARDS if trial.values[1] != "new"]


@pytest.mark.parametrize(("change", "path", "edit"), AFTERWARDS)
def test_a_foreign_edit_after_apply_is_reported_and_kept(
    bench: Bench, change: Callable[[Bench], Change], path: str, edit: Edit
) -> None:
    planned = change(bench)
    moves = bench.do(planned)
    edit(bench.root / path)
    theirs = bench.manifest()
    outcome = bench.undo(*moves)[0]
    if edit is deleted and not planned.before.exists and planned.origin is None:
        assert outcome.ending is Ending.UNCHANGED  # what was to be taken away is gone
    else:
        assert outcome.ending is Ending.FAILED
        assert outcome.failure is not None
        assert outcome.failure.code in ("foreign_change", "not_empty")
        assert bench.key(path) in outcome.failure.message
    now = bench.manifest()
    assert {name: row._replace(mtime_ns=0) for name, row in now.items()} == {
        name: row._replace(mtime_ns=0) for name, row in theirs.items()
    }


@pytest.mark.parametrize(("change", "path", "edit"), BEFOREHAND)
def test_a_foreign_edit_before_apply_is_reported_and_kept(
    bench: Bench, change: Callable[[Bench], Change], path: str, edit: Edit
) -> None:
    planned = change(bench)
    edit(bench.root / path)
    theirs = bench.manifest()
    with pytest.raises(AssertionError, match="foreign_change"):
        bench.do(planned)
    assert bench.manifest() == theirs


def test_the_report_names_both_versions_and_where_the_old_one_is_kept(bench: Bench) -> None:
    moves = bench.do(bench.file("file", b"new content"))
    rewritten(bench.root / "file")
    outcome = bench.undo(*moves)[0]
    assert outcome.failure is not None
    assert Content.of(b"foreign content").digest[:12] in outcome.failure.message  # type: ignore[index]
    assert Content.of(b"new content").digest[:12] in outcome.failure.message  # type: ignore[index]
    assert Path(outcome.kept).read_bytes() == b"old content"


def test_one_conflict_does_not_keep_the_others_from_being_undone(bench: Bench) -> None:
    moves = bench.do(bench.link("one", "x"), bench.file("two", b"2"), bench.link("three", "x"))
    rewritten(bench.root / "two")
    assert [outcome.ending for outcome in bench.undo(*moves)] == [Ending.DONE, Ending.FAILED, Ending.DONE]
    assert sorted(path.name for path in bench.root.iterdir()) == ["file", "link", "tree", "two"]


# -- in the last moment: between our look and our rename


class Meddling(Calls):
    """Somebody who always comes in between."""

    def __init__(self, edit: Callable[[], object], times: int = 1) -> None:
        self.edit = edit
        self.times = times

    def renameat2(self, name: str, dir_fd: int, new: str, new_fd: int, flags: int) -> None:
        if not name.endswith(".part") and self.times:
            self.times -= 1
            self.edit()
        super().renameat2(name, dir_fd, new, new_fd, flags)


@pytest.mark.parametrize(
    "edit", [rewritten, given_another_mode, replaced_by_a_link, replaced_by_a_directory, replaced_by_a_pipe]
)
@pytest.mark.parametrize(
    "change",
    [lambda b: b.file("file", b"new"), lambda b: b.removal("file"), lambda b: b.move("file", "tree/file")],
    ids=("rewrite", "remove", "move"),
)
def test_an_edit_in_the_last_moment_is_put_back(bench: Bench, change: Callable[[Bench], Change], edit: Edit) -> None:
    planned = change(bench)
    theirs: list[object] = []

    def meddle() -> None:
        edit(bench.root / "file")
        theirs.append(essential(bench))

    bench.restart(Meddling(meddle))
    with pytest.raises(AssertionError, match="foreign_change"):
        bench.do(planned)
    assert theirs == [essential(bench)]


def test_two_edits_in_the_last_moment_lose_neither(bench: Bench) -> None:
    """What we took cannot go back, because a third thing stands there by now: it is kept, and said to be."""
    versions = iter((b"first foreign version", b"second foreign version"))
    planned = bench.removal("file")
    bench.restart(Meddling(lambda: (bench.root / "file").write_bytes(next(versions)), times=2))
    moves = moves_of(planned)
    outcome = bench.apply(*moves)[0]
    assert outcome.ending is Ending.IN_DOUBT
    assert (bench.root / "file").read_bytes() == b"second foreign version"
    assert Path(outcome.kept).read_bytes() == b"first foreign version"
    bench.settle(*moves)
    assert Path(outcome.kept).exists()


def essential(bench: Bench) -> object:
    return {name: row._replace(mtime_ns=0) for name, row in bench.manifest().items()}


def test_a_directory_filled_in_the_last_moment_is_not_removed(bench: Bench) -> None:
    (bench.root / "hollow").mkdir()
    planned = bench.removal("hollow", Depth.CONTENT)
    bench.restart(Meddling(lambda: filled(bench.root / "hollow")))
    with pytest.raises(AssertionError, match="not_empty"):
        bench.do(planned)
    assert (bench.root / "hollow" / "foreign").exists()
