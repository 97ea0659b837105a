"""What every driver of paths must do, as one suite: the laws of `drivers.contract`, held against a real one.

Subclass `FilesSuite` in a test module and let `subject` return a `Subject` for the directory it is given: a driver, an
existing empty directory of the target, and a function that sees everything in it. No test framework is needed to
import this; the methods are collected by pytest, which hands them `tmp_path`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, NamedTuple
from uuid import uuid4

from holdfast.core.change import FACTS, Change, Depth, Facts, Look, State
from holdfast.drivers.contract import Batch, Driver, Ending, Move, Outcome
from holdfast.kinds.content import Content
from holdfast.kinds.node import ABSENT, Node

NEW: Final = Content.of(b"what is new\n")
GOOD: Final = (Ending.DONE, Ending.UNCHANGED)
_RUN: Final = uuid4().hex  # ids are unique, also among the runs of this suite
_NUMBERS = count(1)


@dataclass
class Subject:
    """A driver, a place to work in, and an eye that misses nothing."""

    driver: Driver
    root: str
    manifest: Callable[[], Any]
    run: Callable[[Coroutine[Any, Any, Any]], Any] = asyncio.run
    facts: Facts = field(init=False)

    def __post_init__(self) -> None:
        found = self.run(self.driver.inspect([Look(FACTS)]))[FACTS]
        assert isinstance(found, Facts)
        self.facts = found

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def look(self, name: str, depth: Depth = Depth.CONTENT) -> Node:
        found = self.run(self.driver.inspect([Look(self.path(name), depth)]))[self.path(name)]
        assert isinstance(found, Node)
        return found

    # -- nodes as this target would make them

    def file(self, content: Content = NEW, mode: int = 0o644, **more: Any) -> Node:
        return Node("file", mode, self.facts.uid, self.facts.gid, content.digest, size=content.size, **more)

    def folder(self, mode: int = 0o755, entries: Mapping[str, Node] | None = None) -> Node:
        return Node("dir", mode, self.facts.uid, self.facts.gid, entries=None if entries is None else dict(entries))

    def link(self, target: str = "somewhere") -> Node:
        return Node("link", 0o777, self.facts.uid, self.facts.gid, target=target)

    # -- moving

    def change(self, name: str, before: State, after: State, *, origin: str | None = None, means: Any = None) -> Change:
        """A change as it would be planned: what is absent was looked at, so its surroundings are known."""
        if not before.exists and not (found := self.look(name)).exists:
            before = found
        return Change(self.path(name), before, after, origin=None if origin is None else self.path(origin), means=means)

    def apply(self, *moves: Move, keep_going: bool = False) -> Sequence[Outcome]:
        found: Sequence[Outcome] = self.run(self.driver.apply(Batch(moves, keep_going)))
        return found

    def make(self, *changes: Change) -> None:
        """Prepare the world with the driver itself, for good."""
        moves = moves_of(changes)
        outcomes = self.apply(*moves)
        assert all(outcome.ending in GOOD for outcome in outcomes), outcomes
        self.run(self.driver.settle(moves))

    def put(self, name: str, node: Node, means: Any = None) -> None:
        """Somebody puts something at a path, whatever stands there."""
        found = self.look(name, Depth.TREE)
        self.make(self.change(name, found, node, means=means))


class Case(NamedTuple):
    """One kind of change, in a world that `seed` prepares."""

    name: str
    changes: tuple[Change, ...]


def moves_of(changes: Sequence[Change]) -> tuple[Move, ...]:
    return tuple(Move(f"suite-{_RUN}/{next(_NUMBERS)}", change) for change in changes)


def undoing(moves: Sequence[Move]) -> tuple[Move, ...]:
    """The same moves taken back, the last one first."""
    return tuple(Move(move.id, move.change.reversed(), undo=True) for move in reversed(moves))


def seed(s: Subject) -> None:
    """A file, a link, a fifo, an empty directory and a full one."""
    old = Content.of(b"what was there\n")
    s.make(
        s.change("file", ABSENT, s.file(old, 0o640), means=old),
        s.change("link", ABSENT, s.link("file")),
        s.change("fifo", ABSENT, Node("fifo", 0o600, s.facts.uid, s.facts.gid)),
        s.change("hollow", ABSENT, s.folder()),
        s.change("full", ABSENT, s.folder()),
        s.change("full/inner", ABSENT, s.folder(0o750)),
        s.change("full/inner/file", ABSENT, s.file(old), means=old),
        s.change("full/link", ABSENT, s.link("inner/file")),
    )


def cases(s: Subject) -> Iterator[Case]:
    """Every kind of change there is, on the seeded world."""
    yield from _creations(s)
    yield from _updates(s)
    yield from _removals(s)
    yield from _moves(s)


def _creations(s: Subject) -> Iterator[Case]:
    tree = s.folder(0o750, {"a": s.folder(), "a/b": s.file(), "c": s.link("a/b"), "d": s.folder(0o700)})
    yield Case("create a file", (s.change("new", ABSENT, s.file(), means=NEW),))
    yield Case("create an empty file", (s.change("new", ABSENT, s.file(Content.of(b"")), means=Content.of(b"")),))
    yield Case("create a link", (s.change("new", ABSENT, s.link()),))
    yield Case("create a directory", (s.change("new", ABSENT, s.folder()),))
    yield Case("create an odd directory", (s.change("new", ABSENT, s.folder(0o1733)),))
    yield Case("create a fifo", (s.change("new", ABSENT, Node("fifo", 0o640, s.facts.uid, s.facts.gid)),))
    yield Case("create a tree", (s.change("new", ABSENT, tree, means={"a/b": NEW}),))
    yield Case("create a directory and fill it", (
        s.change("new", ABSENT, s.folder()),
        s.change("new/file", ABSENT, s.file(), means=NEW),
        s.change("new/link", ABSENT, s.link("file")),
        s.change("new/sub", ABSENT, s.folder()),
        s.change("new/sub/file", ABSENT, s.file(), means=NEW),
    ))  # fmt: skip


def _updates(s: Subject) -> Iterator[Case]:
    file, full, link = s.look("file"), s.look("full", Depth.TREE), s.look("link")
    changed = file._replace(digest=NEW.digest, size=NEW.size, content=None)
    yield Case("rewrite a file", (s.change("file", file, changed, means=NEW),))
    yield Case("rewrite a file twice", (
        s.change("file", file, changed, means=NEW),
        s.change("file", changed, s.file(Content.of(b"3"), 0o600), means=Content.of(b"3")),
    ))  # fmt: skip
    yield Case("change a mode", (s.change("file", file, file._replace(mode=0o604)),))
    yield Case("change the mode of a directory", (s.change("full", full, full._replace(mode=0o711)),))
    yield Case("point a link elsewhere", (s.change("link", link, s.link("hollow")),))
    yield Case("a file becomes a link", (s.change("file", file, s.link("link")),))
    yield Case("a file becomes a directory", (s.change("file", file, s.folder()),))
    yield Case("a link becomes a file", (s.change("link", link, s.file(), means=NEW),))
    yield Case("a full directory becomes a link", (s.change("full", full, s.link("hollow")),))
    tree = s.folder(0o755, {"only": s.file()})
    yield Case("a full directory becomes another", (s.change("full", full, tree, means={"only": NEW}),))


def _removals(s: Subject) -> Iterator[Case]:
    for name in ("file", "link", "fifo", "hollow", "full"):
        yield Case(f"remove the {name}", (s.change(name, s.look(name, Depth.TREE), ABSENT),))
    yield Case("remove a directory by its node only", (s.change("full", s.look("full", Depth.NODE), ABSENT),))


def _moves(s: Subject) -> Iterator[Case]:
    for name in ("file", "link", "fifo", "full"):
        found = s.look(name, Depth.TREE)
        yield Case(f"move the {name}", (s.change("moved", ABSENT, found, origin=name),))
        yield Case(f"move the {name} into a directory", (s.change(f"hollow/{name}", ABSENT, found, origin=name),))
    file = s.look("file")
    yield Case("copy a file", (s.change("copy", ABSENT, file, means=Content(origin=s.path("file"), digest=file.digest)),))
    full = s.look("full", Depth.TREE)
    yield Case("copy a tree", (s.change("copy", ABSENT, full, means=Content(origin=s.path("full"))),))
    yield Case("move away and put something else there", (
        s.change("moved", ABSENT, file, origin="file"),
        s.change("file", ABSENT, s.link("moved")),
    ))  # fmt: skip
    copied = s.file()
    yield Case("copy what was made a moment ago", (
        s.change("first", ABSENT, copied, means=NEW),
        s.change("second", ABSENT, copied, means=Content(origin=s.path("first"), digest=NEW.digest)),
    ))  # fmt: skip


class FilesSuite:
    """The laws. One subject per test; the cases of one test share it, since each is undone before the next."""

    def subject(self, tmp_path: Any) -> Subject:
        raise NotImplementedError

    def _seeded(self, tmp_path: Any) -> Subject:
        s = self.subject(tmp_path)
        seed(s)
        return s

    # -- 1: apply, then apply reversed, leaves the world identical

    def test_undo_restores_the_world_exactly(self, tmp_path: Any) -> None:
        s = self._seeded(tmp_path)
        for case in cases(s):
            before, moves = s.manifest(), moves_of(case.changes)
            assert [o.ending for o in s.apply(*moves)] == [Ending.DONE] * len(moves), case.name
            assert s.manifest() != before, case.name
            assert [o.ending for o in s.apply(*undoing(moves))] == [Ending.DONE] * len(moves), case.name
            assert s.manifest() == before, case.name
            s.run(s.driver.settle(moves))

    def test_what_was_undone_can_be_done_again(self, tmp_path: Any) -> None:
        s = self._seeded(tmp_path)
        for case in cases(s):
            before, moves = s.manifest(), moves_of(case.changes)
            for _ in range(3):
                assert {o.ending for o in s.apply(*moves)} == {Ending.DONE}, case.name
                assert {o.ending for o in s.apply(*undoing(moves))} == {Ending.DONE}, case.name
            assert s.manifest() == before, case.name

    # -- 2: apply is idempotent

    def test_what_is_there_already_is_unchanged(self, tmp_path: Any) -> None:
        s = self._seeded(tmp_path)
        for case in cases(s):
            if len({change.key for change in case.changes}) < len(case.changes) or _rearranges(case):
                continue  # only the last state of a path can be there already
            moves = moves_of(case.changes)
            s.apply(*moves)
            after = s.manifest()
            assert {o.ending for o in s.apply(*moves)} == {Ending.UNCHANGED}, case.name
            assert s.manifest() == after, case.name
            s.apply(*undoing(moves))
            assert {o.ending for o in s.apply(*undoing(moves))} == {Ending.UNCHANGED}, case.name

    def test_undoing_what_was_never_done_is_unchanged(self, tmp_path: Any) -> None:
        s = self._seeded(tmp_path)
        for case in cases(s):
            before, last = s.manifest(), moves_of(case.changes[:1])
            assert {o.ending for o in s.apply(*undoing(last))} == {Ending.UNCHANGED}, case.name
            assert s.manifest() == before, case.name

    # -- 3: inspect never writes

    def test_looking_leaves_no_trace(self, tmp_path: Any) -> None:
        s = self._seeded(tmp_path)
        before = s.manifest()
        names = ("file", "link", "fifo", "hollow", "full", "full/inner/file", "nothing", "file/beneath", "no/such/place")
        for depth in Depth:
            for name in names:
                assert s.look(name, depth).exists == (name in names[:6])
        assert s.manifest() == before

    def test_a_look_sees_through_links_on_the_way_and_not_at_the_end(self, tmp_path: Any) -> None:
        s = self._seeded(tmp_path)
        s.make(s.change("way", ABSENT, s.link("full")))
        assert s.look("way").type == "link"
        assert s.look("way/inner/file").digest == s.look("full/inner/file").digest

    def test_a_deep_look_lists_parents_before_children(self, tmp_path: Any) -> None:
        s = self._seeded(tmp_path)
        for depth in (Depth.SHAPE, Depth.TREE):
            entries = s.look("full", depth).entries or {}
            assert set(entries) == {"inner", "inner/file", "link"}
            assert list(entries).index("inner") < list(entries).index("inner/file")

    # -- 4: a change whose before is not what is found is refused, and nothing is clobbered

    def test_a_foreign_change_before_the_move_is_refused(self, tmp_path: Any) -> None:
        s = self._seeded(tmp_path)
        for case in cases(s):
            first = case.changes[0]
            for node, means in self._strangers(s):
                if node.same(first.before) or node.same(first.after):
                    continue
                name = (first.origin or first.key)[len(s.root) + 1 :]
                standing = s.look(name, Depth.TREE)
                stranger = moves_of([s.change(name, standing, node, means=means)])
                assert s.apply(*stranger)[0].ending is Ending.DONE
                self._refused(s, moves_of([first])[0], case.name)
                assert s.apply(*undoing(stranger))[0].ending is Ending.DONE

    def test_a_foreign_change_before_the_undo_is_refused(self, tmp_path: Any) -> None:
        s = self._seeded(tmp_path)
        for case in cases(s):
            if len(case.changes) > 1:
                continue
            (change,), moves = case.changes, moves_of(case.changes)
            name = change.key[len(s.root) + 1 :]
            s.apply(*moves)
            for node, means in self._strangers(s):
                if node.same(change.before) or node.same(change.after):
                    continue
                stranger = moves_of([s.change(name, s.look(name, Depth.TREE), node, means=means)])
                assert s.apply(*stranger)[0].ending is Ending.DONE
                self._refused(s, undoing(moves)[0], case.name)
                assert s.apply(*undoing(stranger))[0].ending is Ending.DONE
            assert s.apply(*undoing(moves))[0].ending is Ending.DONE

    def _strangers(self, s: Subject) -> Iterator[tuple[Node, Any]]:
        """What somebody else may have put there meanwhile."""
        content = Content.of(b"a stranger wrote this")
        yield s.file(content, 0o644), content
        yield s.link("stranger"), None
        yield s.folder(0o700, {"stranger": s.link("x")}), None

    def _refused(self, s: Subject, move: Move, case: str) -> None:
        before = s.manifest()
        outcome = s.apply(move)[0]
        assert outcome.ending is Ending.FAILED, case
        assert outcome.failure is not None, case
        assert outcome.failure.code in ("foreign_change", "not_empty"), (case, outcome.failure)
        assert move.change.key in outcome.failure.message or str(move.change.origin) in outcome.failure.message
        assert s.manifest() == before, case

    def test_a_directory_that_was_filled_is_not_removed_on_undo(self, tmp_path: Any) -> None:
        s = self._seeded(tmp_path)
        moves = moves_of([s.change("new", ABSENT, s.folder())])
        s.apply(*moves)
        s.make(s.change("new/precious", ABSENT, s.file(), means=NEW))
        outcome = s.apply(*undoing(moves))[0]
        assert outcome.failure is not None
        assert outcome.failure.code == "not_empty"
        assert "precious" in outcome.failure.message
        assert s.look("new/precious").digest == NEW.digest

    def test_a_made_tree_with_something_foreign_in_it_is_not_removed_on_undo(self, tmp_path: Any) -> None:
        s = self._seeded(tmp_path)
        moves = moves_of([s.change("new", ABSENT, s.folder(0o755, {"ours": s.file()}), means={"ours": NEW})])
        s.apply(*moves)
        s.make(s.change("new/theirs", ABSENT, s.link()))
        outcome = s.apply(*undoing(moves))[0]
        assert outcome.failure is not None
        assert outcome.failure.code == "foreign_change"
        assert "theirs" in outcome.failure.message
        assert s.look("new/ours").exists

    # -- 5: outcomes are returned

    def test_what_cannot_be_done_is_an_outcome_with_a_code(self, tmp_path: Any) -> None:
        s = self._seeded(tmp_path)
        wrong = Content.of(b"something else")._replace(digest=NEW.digest)
        file = s.look("file")
        for code, change in {
            "parent_not_found": s.change("no/such/file", ABSENT, s.file(), means=NEW),
            "checksum_mismatch": s.change("new", ABSENT, s.file(), means=wrong),
            "source_not_found": s.change("new", ABSENT, s.file(), means=Content(origin=s.path("nothing"))),
        }.items():
            before = s.manifest()
            failure = s.apply(*moves_of([change]))[0].failure
            assert failure is not None, code
            assert failure.code == code
            assert s.manifest() == before
        beneath_a_file = s.apply(*moves_of([s.change("file/below", ABSENT, s.link())]))[0]
        assert beneath_a_file.failure is not None
        assert beneath_a_file.failure.code == "parent_not_found"
        lost = s.apply(*moves_of([s.change("moved", ABSENT, file, origin="nothing")]))[0]
        assert lost.failure is not None
        assert lost.failure.code == "source_not_found"

    # -- 6: what it cannot undo it does not pretend to

    def test_a_settled_before_image_is_not_invented(self, tmp_path: Any) -> None:
        s = self._seeded(tmp_path)
        moves = moves_of([s.change("file", s.look("file"), ABSENT)])
        s.apply(*moves)
        s.run(s.driver.settle(moves))
        s.run(s.driver.settle(moves))
        failure = s.apply(*undoing(moves))[0].failure
        assert failure is not None
        assert failure.code == "before_image_lost"
        assert not s.look("file").exists

    # -- 7: moves of one batch are made as if in the order given

    def test_a_failure_stops_what_comes_after_it(self, tmp_path: Any) -> None:
        s = self._seeded(tmp_path)
        outcomes = s.apply(*self._one_fails_in_the_middle(s))
        assert [o.ending for o in outcomes] == [Ending.DONE, Ending.FAILED, Ending.SKIPPED, Ending.SKIPPED]
        assert s.look("first").exists
        assert not s.look("third").exists

    def test_keep_going_skips_only_what_needs_the_failed_one(self, tmp_path: Any) -> None:
        s = self._seeded(tmp_path)
        outcomes = s.apply(*self._one_fails_in_the_middle(s), keep_going=True)
        assert [o.ending for o in outcomes] == [Ending.DONE, Ending.FAILED, Ending.DONE, Ending.SKIPPED]
        assert s.look("third").exists
        assert not s.look("fourth").exists

    def _one_fails_in_the_middle(self, s: Subject) -> list[Move]:
        first, second, third, fourth = moves_of([
            s.change("first", ABSENT, s.link()),
            s.change("no/second", ABSENT, s.file(), means=NEW),
            s.change("third", ABSENT, s.file(), means=NEW),
            s.change("fourth", ABSENT, s.file(), means=NEW),
        ])  # fmt: skip
        return [first, second, third, Move(fourth.id, fourth.change, needs=(1,))]


def _rearranges(case: Case) -> bool:
    """Does a later change of the case use a path that an earlier one moved away?"""
    origins = {change.origin for change in case.changes}
    return any(change.key in origins for change in case.changes)
