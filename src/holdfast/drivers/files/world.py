"""A file system made of values: paths and nodes, links followed in parents as a real one does. No driver, no rules.

The root is the key "". A path through a link is never a key, so a key that is found is always the right one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from holdfast.kinds.node import ABSENT, Node

LINKS_MAX = 40

Subtree = dict[str, Node]  # relative path -> node, "" for the top; parents before children


class World:
    __slots__ = ("_children", "links", "nodes")

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {"": Node("dir", 0o755)}
        self._children: dict[str, dict[str, None]] = {"": {}}
        self.links = 0

    def copy(self) -> World:
        twin = World()
        twin.nodes = dict(self.nodes)
        twin._children = {path: dict(names) for path, names in self._children.items()}
        twin.links = self.links
        return twin

    def real(self, path: str) -> str | None:
        """The key that a path means, its last part not followed; None when a parent is missing or no directory."""
        parent, _, name = path.rpartition("/")
        above: str | None = parent
        if self.nodes.get(parent, ABSENT).type != "dir":
            above = self._follow(parent) if self.links else None
        if above is None:
            return None
        return f"{above}/{name}" if name else above

    def _follow(self, path: str) -> str | None:
        at, hops = "", 0
        ahead = path.split("/")[::-1]
        while ahead:
            part = ahead.pop()
            if part in ("", "."):
                continue
            if part == "..":
                at = at.rpartition("/")[0]
                continue
            node = self.nodes.get(f"{at}/{part}", ABSENT)
            if node.type == "link":
                hops += 1
                if hops > LINKS_MAX:
                    return None
                at = "" if node.target.startswith("/") else at
                ahead += node.target.split("/")[::-1]
            elif node.type == "dir":
                at = f"{at}/{part}"
            else:
                return None
        return at

    def node(self, key: str) -> Node:
        return self.nodes.get(key, ABSENT)

    def names(self, key: str) -> list[str]:
        return sorted(self._children.get(key, ()))

    def entries(self, key: str) -> dict[str, Node]:
        """Everything beneath a directory, by relative path, parents before children."""
        skip = len(key) + 1
        return {path[skip:]: self.nodes[path] for path in self._beneath(key)}

    def _beneath(self, key: str) -> Iterator[str]:
        todo = [key]
        while todo:
            above = todo.pop()
            for name in self.names(above):
                path = f"{above}/{name}"
                yield path
                if path in self._children:
                    todo.append(path)

    def put(self, key: str, subtree: Mapping[str, Node]) -> None:
        """Something where nothing is, in a directory that is there."""
        for relative, node in subtree.items():
            path = f"{key}/{relative}" if relative else key
            self.nodes[path] = node
            if node.type == "dir":
                self._children[path] = {}
            elif node.type == "link":
                self.links += 1
            above, _, name = path.rpartition("/")
            self._children[above][name] = None

    def take(self, key: str) -> Subtree:
        """Remove something with everything beneath it."""
        skip = len(key) + 1
        taken = {"": self.nodes[key], **{path[skip:]: self.nodes[path] for path in self._beneath(key)}}
        for relative, node in taken.items():
            path = f"{key}/{relative}" if relative else key
            del self.nodes[path]
            self._children.pop(path, None)
            self.links -= node.type == "link"
        above, _, name = key.rpartition("/")
        del self._children[above][name]
        return taken
