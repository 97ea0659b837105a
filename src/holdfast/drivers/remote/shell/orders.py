"""A batch of orders as calls for the shell: everything that has content is built first, one barrier, then the switches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from holdfast.drivers.files.forms import ATTRIBUTES, CREATE, DELETE, MOVE, NOTHING, REPLACE, describe, difference, form_of
from holdfast.drivers.files.stash import slot_name
from holdfast.drivers.files.values import Order, Report
from holdfast.drivers.remote.shell.answers import seen
from holdfast.drivers.remote.shell.words import Dialect, call, head, quoted
from holdfast.kinds.content import Content
from holdfast.kinds.node import Node

GROUP_BYTES_MAX: Final = 256 * 1024  # a group is parsed as a whole before anything in it is done
PIECE_BYTES: Final = 96 * 1024
_INLINE_BYTES_MAX: Final = 64 * 1024
_ESCAPED_BYTES_MAX: Final = 1024

_FORMS: Final = {  # how it is made, and how it is taken back
    NOTHING: ("expect", "expect"),
    CREATE: ("create", "restore"),
    REPLACE: ("replace", "replace_back"),
    DELETE: ("delete", "unmake"),
    ATTRIBUTES: ("attributes", "attributes"),
    MOVE: ("move", "move_back"),
}
_TROUBLES: Final = {
    "No space left": "no_space",
    "Disk quota": "no_space",
    "too large": "no_space",
    "Permission denied": "permission_denied",
    "not permitted": "permission_denied",
    "Read-only": "read_only",
    "No such file": "foreign_change",
    "File exists": "foreign_change",
    "Not a directory": "conflict",
    "not empty": "not_empty",
    "too long": "invalid_value",
}

Write = Callable[[bytes], Awaitable[None]]
Feed = Callable[[int, Callable[[bytes], Awaitable[None]]], Awaitable[str]]  # hands over a content; its digest, or an error


class Script:
    """Calls on their way to the shell, in groups that are carried out whole or not at all."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._lines: list[bytes] = []
        self._size = 0

    async def add(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)
        if self._size > GROUP_BYTES_MAX:
            await self.send()

    async def send(self) -> None:
        if self._lines:
            await self._write(b"{\n" + b"".join(self._lines) + b"}\n")
        self._lines.clear()
        self._size = 0


class Question:
    """The orders of one question."""

    def __init__(self, dialect: Dialect, script: Script, orders: Sequence[Order], feed: Feed) -> None:
        self._dialect = dialect
        self._script = script
        self._orders = orders
        self._feed = feed
        self._forms = [form_of(order.before, order.after, order.origin, order.means) for order in orders]

    async def say(self, keep_going: bool) -> None:
        await self._script.add(call("begin", "1" if keep_going else ""))
        late = self._late()
        early = [at for at in range(len(self._orders)) if at not in late and self._is_built(at)]
        for at in early:
            await self._build(at)
        if early:
            await self._script.add(call("barrier"))
        for at in range(len(self._orders)):
            if at in late and self._is_built(at):
                await self._build(at)
                await self._script.add(call("barrier"))
            await self._script.add(self._switch(at))
        await self._script.add(call("finish"))

    def _late(self) -> set[int]:
        """What reads something that an earlier order of the batch writes can be built only after that."""
        written: set[str] = set()
        found = set()
        for at, order in enumerate(self._orders):
            replaced = [order.key] if self._forms[at] != CREATE else []
            if any(_touches(path, written) for path in [*replaced, *_origins(order)]):
                found.add(at)
            written.update(path for path in (order.key, order.origin) if path is not None)
        return found

    def _is_built(self, at: int) -> bool:
        order = self._orders[at]
        if order.undo or self._forms[at] not in (CREATE, REPLACE):
            return False
        return self._forms[at] == REPLACE or not self._in_one_call(order.after)

    def _in_one_call(self, node: Node) -> bool:
        mine = (node.uid, node.gid) == (self._dialect.uid, self._dialect.gid) and not node.mtime_ns
        return mine and (node.type == "link" or (node.type == "dir" and not node.entries and not node.mode & 0o6000))

    # -- building

    async def _build(self, at: int) -> None:
        order = self._orders[at]
        node, means, add = order.after, order.means, self._script.add
        folder, name = _split(order.key)
        if order.before.exists and node.mtime_ns == order.before.mtime_ns:
            node = node._replace(mtime_ns=0)  # nobody wants new content with the time of the old
        await add(call("part", at, slot_name(order.id), folder))
        replaces = self._forms[at] == REPLACE and order.before.type == node.type == "file"
        if replaces:
            await add(call("attributes_of", folder, name))
        if isinstance(means, Content) and means.origin is not None and node.type == "dir":
            await add(call("copied", means.origin, ""))
            await add(call("proved_whole", self._dialect.signature(node)))
        else:
            await self._make("", node, means if isinstance(means, Content) else (means or {}).get(""), strict=replaces)
            for path, entry in (node.entries or {}).items():
                await self._make(f"/{path}", entry, (means or {}).get(path))
            for path, entry in reversed((node.entries or {}).items()):
                if entry.type == "dir":
                    await self._finish(f"/{path}", entry, strict=True)
            if node.type == "dir":
                await self._finish("", node, strict=True)
        await add(call("built"))

    async def _make(self, below: str, node: Node, content: Content | None, *, strict: bool = False) -> None:
        place = b'"$P"' + quoted(below)
        if node.type == "dir":
            return await self._script.add(b"step mkdir -m 700 -- " + place + b"\n")
        if node.type == "link":
            await self._script.add(b"step ln -sT -- " + quoted(node.target) + b" " + place + b"\n")
        elif node.type == "file":
            strict = await self._make_file(below, node, content) or strict
        elif node.type == "fifo":
            await self._script.add(b"step mkfifo -m 600 -- " + place + b"\n")
            strict = True
        else:
            await self._script.add(b"step mknod -m 600 -- " + place + b" " + _device(node) + b"\n")
            strict = True
        await self._finish(below, node, strict=strict)

    async def _make_file(self, below: str, node: Node, content: Content | None) -> bool:
        """Must the mode be set afterwards?"""
        add = self._script.add
        plain = node.mode & ~0o666 == 0
        await add(b"UMASK=0%o\n" % (0o666 & ~node.mode if plain else 0o077))
        if content is None:
            await add(b"doom before_image_lost 'nothing holds the content of this file any more'\n")
        elif content.origin is not None:
            await add(call("copied", content.origin, below))
            plain = False
        elif content.feed is not None:
            await add(call("fill", below, "%s", ""))
            await self._pour(below, content.feed)
        else:
            await self._fill(below, content.data or b"")
        wanted = content.digest if content is not None and content.digest is not None else node.digest
        if wanted is not None:
            await add(call("proved", below, wanted))
        return not plain

    async def _fill(self, below: str, data: bytes) -> None:
        if b"\0" not in data and len(data) <= _INLINE_BYTES_MAX:
            return await self._script.add(call("fill", below, "%s", data))
        if not self._dialect.base64 or len(data) <= _ESCAPED_BYTES_MAX:
            for at in range(0, len(data), _INLINE_BYTES_MAX):
                octal = b"".join(b"\\0%03o" % byte for byte in data[at : at + _INLINE_BYTES_MAX])
                await self._script.add(call("fill", below, "%b", octal))
            return
        from base64 import encodebytes

        for at in range(0, len(data), PIECE_BYTES):
            text = encodebytes(data[at : at + PIECE_BYTES])
            await self._script.add(b"fill_from " + quoted(below) + b" <<'EOF'\n" + text + b"EOF\n")

    async def _pour(self, below: str, number: int) -> None:
        """A content that comes piece by piece."""

        async def write(piece: bytes) -> None:
            await self._fill(below, piece)
            await self._script.send()

        failure = await self._feed(number, write)
        if failure:
            code, _, message = failure.partition(" ")
            await self._script.add(call("doom", code, message))

    async def _finish(self, below: str, node: Node, *, strict: bool) -> None:
        place = b'"$P"' + quoted(below)
        if strict or (node.uid, node.gid) != (self._dialect.uid, self._dialect.gid):
            await self._script.add(b"step chown -h %d:%d -- " % (node.uid, node.gid) + place + b"\n")
            if node.type != "link":
                await self._script.add(b"step chmod 0%04o -- " % node.mode + place + b"\n")
        if node.mtime_ns:
            await self._script.add(call("timed", below, self._dialect.wish(node.mtime_ns)))

    # -- switching

    def _switch(self, at: int) -> bytes:
        order, form, dialect = self._orders[at], self._forms[at], self._dialect
        before, after = order.before, order.after
        folder, name = _split(order.key)
        wanted = dialect.signature(before, emptied=form == DELETE and not order.undo)
        around = after.around_ns if order.undo else before.around_ns
        more = self._more(order, form)
        if form == MOVE:
            seen_line = dialect.line(after if not order.undo else before)
            back = dialect.line(before)
        else:
            seen_line = "" if order.undo else dialect.line(before)
            back = dialect.line(after) if order.undo else ""
        return call(
            "order", at, _FORMS[form][order.undo], slot_name(order.id), folder, name, wanted, seen_line,
            dialect.signature(after), back, dialect.moment(around) if around else "", " ".join(map(str, order.needs)), *more,
        )  # fmt: skip

    def _more(self, order: Order, form: str) -> tuple[str, ...]:
        node = order.after
        mode = f"0{node.mode:04o}"
        if form == MOVE:
            kept = order.before.around_ns if order.undo else 0
            return ("", *_split(str(order.origin)), self._dialect.moment(kept) if kept else "")
        if form == ATTRIBUTES:
            differs = (order.before.uid, order.before.gid) != (node.uid, node.gid)
            return (mode, f"{node.uid}:{node.gid}" if differs else "")
        return (mode,) if node.exists else ()

    # -- what became of them

    def reports(self, words: Sequence[str]) -> list[Report]:
        found = [Report("skipped")] * len(self._orders)
        for at in range(0, len(words), 5):
            number, ending, code, said, kept = words[at : at + 5]
            order = self._orders[int(number)]
            found[int(number)] = self._report(order, self._forms[int(number)], ending, code, said, kept)
        return found

    def _report(self, order: Order, form: str, ending: str, code: str, said: str, kept: str) -> Report:
        if not code:
            return Report(ending)
        key, message = order.key, said
        if code == "os":
            code, message = self._trouble(form, said), f"{key}: {_reason(said)}"
        elif code == "foreign_change":
            wanted = order.after if form == MOVE and not order.undo else order.before
            message = f"{key if form != MOVE else order.origin} {difference(seen(said), wanted)}"
        elif code == "before_image_lost" and kept:
            message = f"{kept} should hold {describe(order.after)} and is {describe(seen(said))}"
        elif code == "checksum_mismatch":
            message = (
                f"{_source(order)} is not what was planned: its digest is {said or 'another one'}, not {order.after.digest}"
            )
        elif code == "not_empty":
            message = f"{key} is kept by what is in it: {', '.join(said.splitlines()[:5])}"
        return Report(ending, code, message, kept)

    def _trouble(self, form: str, said: str) -> str:
        found = next((code for text, code in _TROUBLES.items() if text in said), "io_error")
        return "parent_not_found" if form == CREATE and "No such file" in said else found


def _touches(path: str, written: set[str]) -> bool:
    above = path
    while above:
        if above in written:
            return True
        above = above.rpartition("/")[0]
    return any(key.startswith(f"{path}/") for key in written)


def _origins(order: Order) -> list[str]:
    means = [order.means] if isinstance(order.means, Content) else list((order.means or {}).values())
    return [content.origin for content in means if content.origin is not None]


def _split(key: str) -> tuple[str, str]:
    folder, _, name = key.rpartition("/")
    return folder or "/", name or "."


def _reason(said: str) -> str:
    """The last words of a tool: what the system told it."""
    return said.strip().splitlines()[-1].rpartition(": ")[2].lower() if said.strip() else "it failed, and did not say why"


def _source(order: Order) -> str:
    means = order.means
    return (means.origin if isinstance(means, Content) else None) or order.key


def _device(node: Node) -> bytes:
    raw = head(node).split()
    return b"%s %d %d" % (b"c" if node.type == "char" else b"b", int(raw[3], 16), int(raw[4], 16))
