"""A disk in a few words, and what is foretold of it: what the tests of file kinds are written with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.core.change import FACTS, Change, Depth, Facts, Look, Resource, State
from holdfast.core.plan import Plan, Stage, Step, Task
from holdfast.core.predict import Prediction, Seen, looks_of, predict
from holdfast.kinds.content import digest_of
from holdfast.kinds.contract import Kind
from holdfast.kinds.ground import joined, split, under
from holdfast.kinds.node import ABSENT, Account, Node, Sealed

ROOT = Facts()
USER = Facts(uid=1000, gid=1000, groups=frozenset({1000, 50}), umask=0o022)
OWN = {"uid": 1000, "gid": 1000}


def a_file(text: str | bytes = "", mode: int = 0o644, **more: Any) -> Node:
    data = text if isinstance(text, bytes) else text.encode()
    known = {"digest": digest_of(data), "size": len(data), "content": data, "ino": 7, "mtime_ns": 5}
    return Node("file", mode, **{**known, **more})


def a_dir(mode: int = 0o755, **more: Any) -> Node:
    return Node("dir", mode, **{"dev": 1, **more})


def a_link(target: str, **more: Any) -> Node:
    return Node("link", 0o777, target=target, **more)


class Disk:
    """What is there, by path; directories on the way are made. Answers looks as deep as asked, and counts the rounds."""

    def __init__(
        self, nodes: Mapping[str, Node] | None = None, facts: Facts = ROOT, here: Mapping[str, Node] | None = None
    ) -> None:
        self.nodes: dict[str, Node] = {"/": a_dir()}
        for path, node in (nodes or {}).items():
            self._stand(path, node)
        self.facts = facts
        self.users = {"root": 0, "deploy": 1000, "www-data": 33}
        self.secrets: dict[str, str] = {}
        self.here = Disk(here) if here is not None else self  # where Holdfast runs
        self.rounds = 0

    def _stand(self, path: str, node: Node) -> None:
        folder = split(path)[0]
        if folder not in self.nodes:
            self._stand(folder, a_dir())
        self.nodes[path] = node

    def look(self, key: str, depth: Depth) -> State:
        if key == FACTS:
            return self.facts
        if key.startswith("@secret/"):
            value = self.secrets.get(key[len("@secret/") :])
            return Sealed() if value is None else Sealed(digest_of(value.encode()), len(value))
        if key.startswith("@"):
            return Account(self.users.get(key.split("/", 1)[1]))
        return self._seen(self.real(key), depth)

    def real(self, path: str) -> str:
        if path == "/":
            return path
        folder, name = split(path)
        folder = self.real(folder)
        found = self.nodes.get(folder)
        if found is not None and found.type == "link":
            folder = self.real(joined(split(folder)[0], found.target))
        return under(folder, name)

    def _seen(self, path: str, depth: Depth) -> Node:
        node = self.nodes.get(path, ABSENT)
        if node.type == "dir":
            beneath = {
                key[len(under(path, "")) :]: key for key in sorted(self.nodes) if key.startswith(under(path, "")) and key != "/"
            }
            inner = Depth.CONTENT if depth is Depth.TREE else Depth.NODE
            entries = {name: self._seen(key, inner)._replace(content=None) for name, key in beneath.items()}
            empty = None if depth is Depth.NODE else not beneath
            return node._replace(empty=empty, entries=None if depth < Depth.SHAPE else entries)
        if node.type == "file" and depth is Depth.NODE:
            return node._replace(digest=None, content=None)
        return node


def in_order(*operations: Kind, target: str = "local") -> Plan:
    """One step after the other: s0, s1, ..."""
    steps = [Step(id=f"s{n}", kind=op.kind, operation=op, target=target) for n, op in enumerate(operations)]
    return Plan(name="p", tasks=(Task(name="t", stages=tuple(Stage(name=f"g{n}", steps=(s,)) for n, s in enumerate(steps))),))


def side_by_side(*operations: Kind, target: str = "local") -> Plan:
    steps = tuple(Step(id=f"s{n}", kind=op.kind, operation=op, target=target) for n, op in enumerate(operations))
    return Plan(name="p", tasks=(Task(name="t", stages=(Stage(name="g", steps=steps),)),))


def foretold(disk: Disk, plan: Plan) -> Prediction:
    """Look, predict, and look again where the prediction asks."""
    seen: Seen = {}
    wanted = looks_of(plan)
    while True:
        disk.rounds += 1
        for target, looks in wanted.items():
            side = disk.here if target == "local" else disk
            seen.update({Resource(target, key): (depth, side.look(key, depth)) for key, depth in looks})
        prediction = predict(plan, seen)
        wanted = {}
        for resource, depth in prediction.missing:
            wanted.setdefault(resource.target, []).append(Look(resource.key, depth))
        if not wanted:
            assert predict(plan, seen) == prediction, "the same look gives the same prediction"
            return prediction


def changes_of(disk: Disk, *operations: Kind) -> list[Change]:
    """The changes of the last step, which must be possible."""
    found = foretold(disk, in_order(*operations))
    assert not found.problems, found.problems
    return list(found.changes[-1])


def change_of(disk: Disk, *operations: Kind) -> Change:
    found = changes_of(disk, *operations)
    assert len(found) == 1, found
    return found[0]


def refusal_of(disk: Disk, *operations: Kind) -> tuple[str, str]:
    """Code and hint of the only problem."""
    found = foretold(disk, in_order(*operations))
    assert len(found.problems) == 1, found.problems
    return found.problems[0].code, found.problems[0].hint


def flaws_of(operation: Kind) -> list[tuple[str, str]]:
    return [(flaw.field, flaw.code) for flaw in operation.flaws()]
