"""The driver of paths in memory: the same rules as for local ones, on a world of values.

For tests, for `rehearse`, and for the target `memory`. What it holds lives as long as the object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from holdfast.core.change import FACTS, Change, Depth, Facts, Look, State
from holdfast.core.errors import Failure, WorldError
from holdfast.drivers.contract import DONE, SKIPPED, UNCHANGED, Batch, Ending, Fetched, Move, Outcome
from holdfast.drivers.files.forms import ATTRIBUTES, CREATE, DELETE, MOVE, NOTHING, REPLACE, difference, form_of, keeps_what_was
from holdfast.drivers.files.values import Trouble, trouble_of
from holdfast.drivers.files.world import LINKS_MAX, Subtree, World
from holdfast.kinds.content import Content, digest_of
from holdfast.kinds.ground import joined, split
from holdfast.kinds.node import ABSENT, Account, Node

Source = Callable[[str], Node]  # what stands at a path where Holdfast runs

_NODE: Final = Depth.NODE
_NAMES_SHOWN: Final = 5


class Memory:
    def __init__(
        self, world: World | None = None, *, answers: Mapping[str, State] | None = None, source: Source | None = None
    ) -> None:
        self._world = world or World()
        self._answers: dict[str, State] = {
            FACTS: Facts(),
            "@user/root": Account(0),
            "@group/root": Account(0),
            **(answers or {}),
        }
        self._source = source or _on_disk
        self._held: dict[str, Subtree] = {}  # before-images, by move
        self._switches: dict[str, Callable[[Move, Change, str, Node], None]] = {
            CREATE: self._create,
            REPLACE: self._replace,
            DELETE: self._delete,
            ATTRIBUTES: self._set_attributes,
        }

    @classmethod
    def from_nodes(cls, states: Mapping[str, State], **given: Any) -> Memory:
        """A world in which exactly this was seen; directories that nobody looked at are made where they are needed."""
        world = World()
        for key, node in _spread(states):
            _grow(world, key, _stored(node))
        answers = {key: state for key, state in states.items() if not isinstance(state, Node)}
        return cls(world, answers=answers, **given)

    def copy(self) -> Memory:
        """Another world that is equal now, and goes its own way."""
        twin = Memory(self._world.copy(), answers=self._answers, source=self._source)
        twin._held = dict(self._held)
        return twin

    def manifest(self) -> dict[str, tuple[Any, ...]]:
        """Everything there is, to be compared."""
        return {path or "/": _row(node) for path, node in sorted(self._world.nodes.items())}

    # -- the contract

    async def inspect(self, looks: Sequence[Look]) -> Mapping[str, State]:
        nodes = self._world.nodes
        found: dict[str, State] = {}
        for key, depth in looks:
            node = nodes.get(key)
            found[key] = node if node is not None and depth is _NODE else self.look(key, depth)
        return found

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        nodes = self._world.nodes
        outcomes: list[Outcome] = []
        lost: set[int] = set()
        for move in batch.moves:
            change = move.change
            if lost and (not batch.keep_going or not lost.isdisjoint(move.needs)):
                outcome = SKIPPED
            elif change.origin is None and nodes.get(change.key) is change.after:
                outcome = UNCHANGED
            else:
                outcome = self._make(move, change)
            if outcome.failure is not None or outcome is SKIPPED:
                lost.add(len(outcomes))
            outcomes.append(outcome)
        return outcomes

    async def settle(self, moves: Sequence[Move]) -> None:
        for move in moves:
            self._held.pop(move.id, None)

    async def close(self) -> None:
        """Nothing is open; the world stays."""

    async def fetch(self, key: str, into: int | None) -> Fetched:
        real = self._world.real(key)
        node = ABSENT if real is None else self._world.node(real)
        if into is None:
            return Fetched(None, {})
        if node.content is None:
            raise WorldError(f"{key} has no content here", code="not_found")
        with open(into, "wb", closefd=False) as file:
            file.write(node.content)
        return Fetched(node.digest, {})

    async def untouched(self, moves: Sequence[Move]) -> set[str]:
        return {move.id for move in moves if keeps_what_was(move.change) and move.id not in self._held}

    # -- looking

    def look(self, key: str, depth: Depth) -> State:
        if key.startswith("@"):
            return self._answers.get(key, Account())
        real = self._world.real(key)
        node = ABSENT if real is None else self._world.node(real)
        if node.type != "dir" or depth is _NODE or real is None:
            return node
        node = node._replace(empty=not self._world.names(real))
        return node if depth is Depth.CONTENT else node._replace(entries=self._world.entries(real))

    def _look_for(self, real: str, wanted: Sequence[Node]) -> Node:
        node = self._world.node(real)
        if node.type == "dir" and any(want.entries is not None for want in wanted):
            return node._replace(entries=self._world.entries(real))
        return node

    # -- moving

    def _make(self, move: Move, change: Change) -> Outcome:
        try:
            return self._switch(move, change)
        except Trouble as trouble:
            return Outcome(Ending.FAILED, Failure(code=trouble.code, message=trouble.message), kept=trouble.kept)

    def _switch(self, move: Move, change: Change) -> Outcome:
        before, after = _nodes_of(change)
        form = form_of(before, after, change.origin, change.means)
        if form == MOVE:
            return self._move(move, change)
        real = self._world.real(change.key)
        found = ABSENT if real is None else self._look_for(real, (before, after))
        if found.same(after):
            return UNCHANGED
        if not found.same(before):
            raise _foreign(change.key, found, before)
        if real is None:
            raise Trouble("parent_not_found", f"the directory of {change.key} does not exist")
        if form != NOTHING:
            self._switches[form](move, change, real, after)
        return DONE

    def _create(self, move: Move, change: Change, real: str, after: Node) -> None:
        held = self._held.pop(move.id, None) if move.undo else None
        self._world.put(real, held or self._build(change.key, after, change.means, None))

    def _replace(self, move: Move, change: Change, real: str, after: Node) -> None:
        before, _ = _nodes_of(change)
        new = self._held.pop(move.id, None) if move.undo else None
        if new is None:
            if after.type == before.type == "dir" and after.entries is None:
                raise Trouble("unsupported", f"{change.key}: attributes of a directory cannot be replaced without its entries")
            new = self._build(change.key, after, change.means, self._world.node(real))
        self._held[move.id] = self._world.take(real)
        self._world.put(real, new)

    def _delete(self, move: Move, change: Change, real: str, after: Node) -> None:
        before, _ = _nodes_of(change)
        names = self._world.names(real)
        if names and (before.empty is True or (move.undo and not before.entries)):
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            raise Trouble("not_empty", f"{change.key} is kept by what is in it: {', '.join(names[:_NAMES_SHOWN])}{more}")
        taken = self._world.take(real)
        if not move.undo:
            self._held[move.id] = taken

    def _set_attributes(self, move: Move, change: Change, real: str, after: Node) -> None:
        node = self._world.node(real)
        self._world.nodes[real] = node._replace(mode=after.mode, uid=after.uid, gid=after.gid)

    def _move(self, move: Move, change: Change) -> Outcome:
        before, after = _nodes_of(change)
        goal, source = (str(change.origin), change.key) if move.undo else (change.key, str(change.origin))
        wanted = before if move.undo else after
        here, there = self._world.real(goal), self._world.real(source)
        came = ABSENT if here is None else self._look_for(here, (wanted,))
        stays = ABSENT if there is None else self._look_for(there, (wanted,))
        for key, found in ((goal, came), (source, stays)):
            if found.exists and not found.same(wanted):
                raise _foreign(key, found, wanted)
        if not stays.exists:
            if came.exists:
                return UNCHANGED
            raise Trouble("foreign_change" if move.undo else "source_not_found", f"{source} is not there any more")
        if came.exists:
            raise _foreign(goal, came, ABSENT)
        if here is None or there is None:
            raise Trouble("parent_not_found", f"the directory of {goal} does not exist")
        if f"{here}/".startswith(f"{there}/"):
            raise Trouble("invalid_value", f"{source} cannot be moved into itself")
        self._world.put(here, self._world.take(there))
        return DONE

    # -- building

    def _build(self, key: str, node: Node, means: Any, replaced: Node | None) -> Subtree:
        made = {"": self._complete(key, node, means if isinstance(means, Content) else None, replaced)}
        for path, entry in (node.entries or {}).items():
            content = means.below(path) if isinstance(means, Content) else (means or {}).get(path)
            made[path] = self._complete(f"{key}/{path}", entry, content, None)
        return made

    def _complete(self, key: str, node: Node, content: Content | None, replaced: Node | None) -> Node:
        if node.xattrs is None and replaced is not None:
            node = node._replace(xattrs=replaced.xattrs)
        if replaced is not None and node.mtime_ns == replaced.mtime_ns:
            node = node._replace(mtime_ns=0)  # nobody wants new content with the time of the old
        if node.type != "file":
            return _stored(node)
        if content is None:
            raise Trouble("before_image_lost", f"nothing holds the content of {key} any more")
        digest, data, size = self._read(content)
        for wanted in (content.digest, node.digest):
            if wanted is not None and wanted != digest:
                raise Trouble("checksum_mismatch", f"the content of {key} is not what was planned: {digest}, not {wanted}")
        if node.digest is not None and node.content is data and node.size == size and not node.around_ns:
            return node  # exactly what was predicted
        return node._replace(digest=digest, content=data, size=size, around_ns=0)

    def _read(self, content: Content) -> tuple[str | None, bytes | None, int]:
        """Digest, bytes and how many they are."""
        if content.data is not None:
            return digest_of(content.data), content.data, len(content.data)
        path = content.path or content.origin
        if path is None:
            raise Trouble("unsupported", "a secret is resolved where Holdfast runs, not in memory")
        found = self._source(path) if content.path is not None else self._follow(path)
        if found.type != "file":
            raise Trouble("source_not_found", f"{path} is no file any more")
        return found.digest, found.content, found.size

    def _follow(self, path: str) -> Node:
        for _ in range(LINKS_MAX):
            real = self._world.real(path)
            found = ABSENT if real is None else self._world.node(real)
            if found.type != "link" or real is None:
                return found
            path = joined(split(real)[0], found.target)
        return ABSENT


def _nodes_of(change: Change) -> tuple[Node, Node]:
    assert isinstance(change.before, Node) and isinstance(change.after, Node)
    return change.before, change.after


def _foreign(key: str, found: Node, wanted: Node) -> Trouble:
    return Trouble("foreign_change", f"{key} {difference(found, wanted)}")


def _spread(states: Mapping[str, State]) -> Iterator[tuple[str, Node]]:
    """Every node that was seen, alone or as an entry of a directory; parents before children."""
    for key, node in sorted((key, state) for key, state in states.items() if isinstance(state, Node) and state.exists):
        yield key, node
        for path, entry in (node.entries or {}).items():
            if f"{key}/{path}" not in states:
                yield f"{key}/{path}", entry


def _row(node: Node) -> tuple[Any, ...]:
    return (node.type, node.mode, node.uid, node.gid, node.digest, node.target, node.rdev, node.xattrs or "", node.mtime_ns)


def _stored(node: Node) -> Node:
    """As the world keeps it: what is beneath has keys of its own."""
    if node.digest is None and node.content is not None:
        node = node._replace(digest=digest_of(node.content))
    return node._replace(entries=None, empty=None, around_ns=0)


def _grow(world: World, key: str, node: Node) -> None:
    """Something at a path, with the directories that lead there, also through links that were seen."""
    parent = key.rpartition("/")[0]
    real = world.real(key)
    if real is None:
        standing = world.node(world.real(parent) or parent)
        _grow(world, joined(split(parent)[0], standing.target) if standing.type == "link" else parent, Node("dir", 0o755))
        real = world.real(key)
    if real is None:
        raise Trouble("conflict", f"{key} cannot be in this world: its parents contradict each other")
    if real in world.nodes:
        world.nodes[real] = node
    else:
        world.put(real, {"": node})


def _on_disk(path: str) -> Node:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise trouble_of(error, path, ENOENT="source_not_found", ENOTDIR="source_not_found") from None
    return Node("file", digest=digest_of(data), content=data, size=len(data))
