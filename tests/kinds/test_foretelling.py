"""What is foretold is what comes true: random plans, on a disk in memory and on a real one.

The prediction of the whole world after a plan equals what a look finds after it was applied; so does every single
change; and taken back in reverse, everything is as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.core.change import Change, Depth, Look, Resource
from holdfast.core.predict import Seen, Unfit, Unseen, View, World
from holdfast.drivers.contract import Batch, Driver, Ending, Move
from holdfast.drivers.files.local import Local
from holdfast.drivers.files.memory import Memory
from holdfast.kinds.attributes import Attributes
from holdfast.kinds.contract import Kind
from holdfast.kinds.copy import Copy
from holdfast.kinds.dir import Dir
from holdfast.kinds.edit import Edit
from holdfast.kinds.file import File
from holdfast.kinds.ground import ground_of
from holdfast.kinds.link import Link
from holdfast.kinds.move import MoveKind
from holdfast.kinds.node import Node
from holdfast.kinds.remove import Remove
from holdfast.kinds.tree import Tree
from holdfast.runtime.crew import run_to_end
from tests.kinds.disk import a_dir, a_file, a_link

NAMES = ["a", "b", "a/x", "b/x", "a/x/y", "now"]
conflicts = st.sampled_from(["fail", "overwrite", "backup", "skip"])
modes = st.sampled_from([0o700, 0o755])


def operations(root: str, names: Sequence[str]) -> st.SearchStrategy[Kind]:
    paths = st.sampled_from(names)
    places = paths.map(lambda name: f"{root}/{name}")
    texts = st.sampled_from(["", "one\n", "two\n"])
    return st.one_of(
        st.builds(lambda p, m, c, up: Dir(path=p, mode=m, on_conflict=c, parents=up), places, modes, conflicts, st.booleans()),
        st.builds(lambda p, t, c: File(path=p, content=t, on_conflict=c), places, texts, conflicts),
        st.builds(lambda p, s: File(path=p, source=s), places, places),
        st.builds(lambda p, t, c: Link(path=p, to=t, on_conflict=c), places, places, conflicts),
        st.builds(lambda p, t: Link(path=p, to=t, dangling=True), places, paths),
        st.builds(lambda s, t, c: MoveKind(source=s, to=t, on_conflict=c), places, places, conflicts),
        st.builds(lambda s, t, c: Copy(source=s, to=t, on_conflict=c), places, places, conflicts),
        st.builds(lambda p, r: Remove(path=p, recursive=r), places, st.booleans()),
        st.builds(lambda p, m, r: Attributes(path=p, mode=m, recursive=r), places, modes, st.booleans()),
        st.builds(lambda p: Edit(path=p, line="three"), places),
        st.builds(
            lambda p, s, f, d, c: Tree(path=p, source=s, form=f, delete=d, on_conflict=c),
            places,
            places,
            st.sampled_from(["copies", "links"]),
            st.booleans(),
            conflicts,
        ),
    )


class Fold:
    """A plan of those operations that fit, foretold from what a driver sees before it."""

    def __init__(self, driver: Driver, operations: Sequence[Kind]) -> None:
        self.driver = driver
        self.seen: Seen = {}
        self.changes: list[Change] = []
        self.world = World(self.seen)
        for operation in operations:
            self.changes += self._asked(lambda kind=operation: self._fitting(kind))

    def _fitting(self, operation: Kind) -> list[Change]:
        if any(True for _ in operation.flaws()):
            return []
        try:
            found = list(operation.changes(View(self.world, "s", "local")))
        except Unfit:
            return []
        assert found == list(operation.changes(View(self.world, "s", "local")))
        for change in found:
            if change.changes:
                self.world.enter("local", change)
        return found

    def node(self, path: str) -> Node:
        return self._asked(lambda: ground_of(View(self.world, "", "local")).node(path, Depth.TREE))

    def _asked(self, ask: Any) -> Any:
        """Look where it asks, and fold again: what the fold remembered was derived from less."""
        while True:
            try:
                return ask()
            except Unseen as unseen:
                key, depth = unseen.resource.key, unseen.depth
                self.seen[Resource("local", key)] = (depth, run_to_end(self.driver.inspect([Look(key, depth)]))[key])
                self.world.notes.clear()


def check(driver: Driver, root: str, operations: Sequence[Kind]) -> None:
    before = look(driver, root)
    fold = Fold(driver, operations)
    after = fold.node(root)  # asked now, because afterwards the world is another one
    moves = [Move(f"R/{n}", change) for n, change in enumerate(fold.changes)]
    for move in moves:
        (outcome,) = run_to_end(driver.apply(Batch((move,))))
        assert outcome.failure is None, (move.change, outcome)
        assert outcome.ending is (Ending.DONE if move.change.changes else Ending.UNCHANGED)
        assert look(driver, move.change.key).same(move.change.after), move.change
    found = look(driver, root)
    assert found.same(after), difference(found, after)
    for move in reversed(moves):
        (outcome,) = run_to_end(driver.apply(Batch((Move(move.id, move.change.reversed(), undo=True),))))
        assert outcome.failure is None, (move.change, outcome)
    assert look(driver, root).same(before)


def look(driver: Driver, path: str) -> Node:
    found = run_to_end(driver.inspect([Look(path, Depth.TREE)]))[path]
    assert isinstance(found, Node)
    return found


def difference(found: Node, wanted: Node) -> Any:
    one, other = found.entries or {}, wanted.entries or {}
    names = {name for name in {*one, *other} if name not in one or name not in other or not one[name].same(other[name])}
    return {name: (one.get(name), other.get(name)) for name in sorted(names)}


def a_world(root: str) -> dict[str, Node]:
    return {
        root: a_dir(),
        f"{root}/a": a_dir(),
        f"{root}/a/x": a_file("one\n"),
        f"{root}/b": a_dir(0o700),
        f"{root}/b/x": a_dir(),
        f"{root}/b/x/y": a_file("two\n", 0o600),
        f"{root}/now": a_link("a"),
    }


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(operations("/w", [*NAMES, "now/x"]), max_size=6))
def test_what_is_foretold_comes_true_in_memory(operations):
    memory: Memory = Memory.from_nodes(a_world("/w"), source=lambda path: memory.look(path, Depth.CONTENT))
    check(memory, "/w", operations)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(operations("@", NAMES), max_size=5))
def test_what_is_foretold_comes_true_on_a_disk(operations):
    with TemporaryDirectory() as folder:
        root = str(Path(folder, "w").resolve())
        for path, node in a_world(root).items():
            lay(Path(path), node)
        driver = Local(str(Path(folder, "stash").resolve()))
        try:
            check(driver, root, [moved_to(root, operation) for operation in operations])
        finally:
            run_to_end(driver.close())


def lay(path: Path, node: Node) -> None:
    if node.type == "link":
        path.symlink_to(node.target)
        return
    if node.type == "dir":
        path.mkdir()
    else:
        path.write_bytes(node.content or b"")
    path.chmod(node.mode)


def moved_to(root: str, operation: Kind) -> Kind:
    fields = {name: getattr(operation, name) for name in operation.__struct_fields__}
    return type(operation)(
        **{name: f"{root}{v[1:]}" if isinstance(v, str) and v.startswith("@/") else v for name, v in fields.items()}
    )
