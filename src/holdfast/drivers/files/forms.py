"""What kind of switch an order is, and how nodes are told apart and described to people. Pure."""

from __future__ import annotations

from typing import Any

from holdfast.kinds.node import Node

NOTHING, CREATE, REPLACE, DELETE, ATTRIBUTES, MOVE = "nothing", "create", "replace", "delete", "attributes", "move"

_SHOWN_MAX = 3


def form_of(before: Node, after: Node, origin: str | None, means: Any) -> str:
    if origin is not None:
        return MOVE
    if not before.exists:
        return CREATE if after.exists else NOTHING
    if not after.exists:
        return DELETE
    if before.same(after):
        return NOTHING
    return ATTRIBUTES if before.type == after.type and _same_content(before, after, means) else REPLACE


def keeps_what_was(change: Any) -> bool:
    """Does making this change put an object aside?"""
    return form_of(change.before, change.after, change.origin, change.means) in (REPLACE, DELETE)


def _same_content(before: Node, after: Node, means: Any) -> bool:
    if before.xattrs is not None and after.xattrs is not None and before.xattrs != after.xattrs:
        return False
    if before.type == "file":
        return means is None and before.digest == after.digest
    return before._replace(mode=after.mode, uid=after.uid, gid=after.gid).same(after)


def as_copy(found: Node, wanted: Node) -> Node:
    """The node found, told apart from the one wanted by everything but by being another object."""
    twin = found._replace(dev=wanted.dev, ino=wanted.ino)
    if found.entries is None or wanted.entries is None:
        return twin
    return twin._replace(entries={path: as_copy(node, wanted.entries.get(path, node)) for path, node in found.entries.items()})


def describe(node: Node) -> str:
    """A node in a few words: enough to tell two versions apart."""
    if not node.exists:
        return "absent"
    if node.type == "link":
        return f"a link to {node.target}"
    owner = f"{node.mode:04o} {node.uid}:{node.gid}"
    if node.type == "file":
        content = f"sha256 {node.digest[:12]}" if node.digest else f"{node.size} bytes"
        return f"a file ({owner}, {content})"
    if node.type == "dir" and node.entries is not None:
        return f"a directory ({owner}, {len(node.entries)} entries)"
    return f"a {'directory' if node.type == 'dir' else node.type} ({owner})"


def difference(found: Node, wanted: Node) -> str:
    """Why one is not the other."""
    said = f"is {describe(found)}; expected was {describe(wanted)}"
    if found.entries is None or wanted.entries is None:
        return said
    paths = sorted({*found.entries, *wanted.entries})
    absent = Node("absent")
    wrong = [path for path in paths if not found.entries.get(path, absent).same(wanted.entries.get(path, absent))]
    more = f" and {len(wrong) - _SHOWN_MAX} more" if len(wrong) > _SHOWN_MAX else ""
    return f"{said}; different: {', '.join(wrong[:_SHOWN_MAX])}{more}" if wrong else said
