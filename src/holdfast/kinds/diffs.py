"""What a change would do, for people: a unified diff of text, one line for everything else that differs.

A secret is never shown, nor what it replaces. Control characters are written out, so that no file can speak to a terminal.
The reverse of a plan is the diff of its changes reversed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import unified_diff
from typing import Final

from holdfast.core.change import Change
from holdfast.kinds.content import Content
from holdfast.kinds.document import Document
from holdfast.kinds.ground import noun
from holdfast.kinds.node import Node
from holdfast.kinds.opnsense.item import Item

TEXT_LINES_MAX: Final = 5_000  # beyond, a diff takes longer than anybody would read
ENTRIES_MAX: Final = 1_000
_VISIBLE: Final = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), *range(127, 160))}


def diff(change: Change) -> str:
    """Empty where there is nothing to see: no change, or an effect that is not a state."""
    before, after = change.before, change.after
    if isinstance(before, Document) and isinstance(after, Document):
        return "".join(f"{line.translate(_VISIBLE)}\n" for line in _rewritten(before, after)) if change.changes else ""
    if isinstance(before, Item) and isinstance(after, Item):
        return "".join(f"{line.translate(_VISIBLE)}\n" for line in _refilled(before, after)) if change.changes else ""
    if not change.changes or not isinstance(before, Node) or not isinstance(after, Node):
        return ""
    lines = _moved(change, after) if change.origin is not None else _changed(change, before, after)
    return "".join(f"{line.translate(_VISIBLE)}\n" for line in lines)


def _rewritten(before: Document, after: Document) -> Iterator[str]:
    """Documents of services, field by field."""
    old, new = (json.dumps(state.wanted.values, indent=2, sort_keys=True, ensure_ascii=False) for state in (before, after))
    yield from unified_diff(old.splitlines(), new.splitlines(), lineterm="")


def _refilled(before: Item, after: Item) -> Iterator[str]:
    """Objects of an appliance: the fields that change, and of one that goes those that hold anything."""
    old, new = before.values or {}, after.values or {}
    for name in sorted({*old, *new}):
        was, will = old.get(name, ""), new.get(name, "")
        if was != will:
            yield from (f"- {name}: {line}" for line in was.splitlines())
            yield from (f"+ {name}: {line}" for line in will.splitlines())


def _moved(change: Change, after: Node) -> Iterator[str]:
    ends = (change.origin, change.key) if after.exists else (change.key, change.origin)
    yield " -> ".join(_one_line(end or "") for end in ends)


def _changed(change: Change, before: Node, after: Node) -> Iterator[str]:
    if before.type != after.type:
        if before.exists:
            yield f"- {_described(before)}"
        if after.exists:
            yield f"+ {_described(after)}"
    else:
        yield from _differences(before, after)
    yield from _contents(change, before, after)
    yield from _entries("-", before)
    yield from _entries("+", after)


def _described(node: Node) -> str:
    if node.type == "link":
        return f"link -> {_one_line(node.target)}"
    return f"{noun(node)}, mode {node.mode:04o}, owner {node.uid}:{node.gid}"


def _differences(before: Node, after: Node) -> Iterator[str]:
    if before.type == "link" and before.target != after.target:
        yield f"link {_one_line(before.target)} -> {_one_line(after.target)}"
    if before.mode != after.mode and before.type != "link":
        yield f"mode {before.mode:04o} -> {after.mode:04o}"
    if (before.uid, before.gid) != (after.uid, after.gid):
        yield f"owner {before.uid}:{before.gid} -> {after.uid}:{after.gid}"
    if before.rdev != after.rdev:
        yield f"device {before.rdev} -> {after.rdev}"


def _contents(change: Change, before: Node, after: Node) -> Iterator[str]:
    if before.type != "file" and after.type != "file":
        return
    if before.type == after.type and before.digest == after.digest:
        return
    if isinstance(change.means, Content) and change.means.secret is not None:
        yield "content from a secret, not shown"
        return
    old, new = _text(before), _text(after)
    if old is None or new is None or len(old) + len(new) > TEXT_LINES_MAX:
        yield f"content {_summary(before)} -> {_summary(after)}"
        return
    one, other = (_one_line(change.key) if node.type == "file" else "/dev/null" for node in (before, after))
    yield from unified_diff(old, new, one, other, lineterm="")


def _text(node: Node) -> list[str] | None:
    """The lines of a file; none of what is no file; None of what was not read or is no text."""
    if node.type != "file":
        return []
    if node.content is None or b"\0" in node.content:
        return None
    *lines, rest = node.content.decode("utf-8", "backslashreplace").split("\n")
    return [*lines, f"{rest}\n\\ no newline at the end"] if rest else lines


def _summary(node: Node) -> str:
    if node.type != "file":
        return "nothing"
    return f"{node.size} bytes" + (f", sha256 {node.digest[:12]}" if node.digest else "")


def _entries(sign: str, node: Node) -> Iterator[str]:
    if not node.entries:
        return
    for number, (name, entry) in enumerate(node.entries.items()):
        if number == ENTRIES_MAX:
            yield f"{sign} ... and {len(node.entries) - number} more"
            return
        leads = f" -> {_one_line(entry.target)}" if entry.type == "link" else "/" if entry.type == "dir" else ""
        yield f"{sign} {_one_line(name)}{leads}"


def _one_line(name: str) -> str:
    """A name with a line feed in it must not look like two lines of a difference."""
    return name.replace("\n", "\\n")
