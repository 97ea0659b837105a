"""The near end of a shell on a host: the questions that `remote/worker.py` answers there, put to a host without Python.

It answers in the same frames, so that whoever asks does not know which of the two is there.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from json import loads
from typing import TYPE_CHECKING, Any, Final

from holdfast.core.errors import WorldError
from holdfast.drivers.files.forms import difference
from holdfast.drivers.files.stash import slot_name
from holdfast.drivers.files.values import Order, Report
from holdfast.drivers.remote.near import Answer, Serve
from holdfast.drivers.remote.shell.answers import CONTENT_BYTES_MAX, Flux, Reader, Sections
from holdfast.drivers.remote.shell.guard import arming, whole
from holdfast.drivers.remote.shell.orders import Question, Script
from holdfast.drivers.remote.shell.words import Dialect, call, library, quoted
from holdfast.drivers.remote.wire import CHUNK_BYTES, HEAD, QUESTIONS, pack, sizes
from holdfast.kinds.node import Account

if TYPE_CHECKING:
    from holdfast.ssh.dialogue import Process

LOOKS_MAX: Final = 5  # at something that changes all the time
PROBE_BYTES_MAX: Final = 1 << 20
NAMES_MAX: Final = 500  # in one call
_LISTS: Final = {2: "list", 3: "full"}  # how a tree is read, by depth


class Gone(Exception):
    """The shell is not there any more."""


class ShellWorker:
    """One shell, once it has told what it is like."""

    def __init__(self, process: Process, dialect: Dialect, home: str, lost: Callable[[], Exception]) -> None:
        self.process = process
        self.home = home
        self._dialect = dialect
        self._lost = lost

    async def ask(self, what: str, serve: Serve | None, values: Mapping[str, Any]) -> Answer:
        try:
            answer = await _ANSWERS[what](self, values, serve)
        except WorldError as error:
            return _framed({"error": [error.code, error.message]})
        except Gone:
            raise self._lost() from None
        return _framed({"answer": answer})

    # -- what can be asked

    async def inspect(self, values: Mapping[str, Any], serve: Serve | None) -> Any:
        for _ in range(LOOKS_MAX):
            try:
                return await self._inspect(values["looks"])
            except (Flux, ValueError):
                continue
        raise WorldError("what is looked at changes all the time", code="foreign_change")

    async def _inspect(self, looks: Sequence[tuple[str, int]]) -> Any:
        facts = [key for key, _ in looks if key[:1] == "@"]
        folders: dict[str, list[tuple[str, int]]] = {}
        for key, depth in looks:
            if key[:1] != "@":
                above, _, name = key.rpartition("/")
                folders.setdefault(above, []).append((name or ".", depth))
        parts = [
            (above, asked[at : at + NAMES_MAX]) for above, asked in folders.items() for at in range(0, len(asked), NAMES_MAX)
        ]
        script = [*(_fact(key) for key in facts), b"MOUNTS=; date +%s; end\n", *(_look(above, asked) for above, asked in parts)]
        said = await self._said(*script)
        found: dict[str, Any] = {key: _known(key, said) for key in facts}
        reader = Reader(said, self._dialect)
        for above, asked in parts:
            for name, node in reader.folder(asked).items():
                found["/" if name == "." else f"{above}/{name}"] = node
        return {key: found[key] for key, _ in looks}

    async def apply(self, values: Mapping[str, Any], serve: Serve | None) -> Any:
        orders: Sequence[Order] = values["orders"]
        script = Script(self._write)
        runs = [slot_name(run) for run in values["runs"]]
        await script.add(call("ready", *runs))
        question = Question(self._dialect, script, orders, self._feeding(serve))
        await question.say(values["keep_going"])
        await script.send()
        said = await self._said()
        self._expect(said.text())
        words = said.words()
        storage = said.text()
        if storage:
            raise WorldError(f"a write could not be made durable: {storage}", code="storage_failed")
        return [await self._told(order, report) for order, report in zip(orders, question.reports(words), strict=True)]

    async def _told(self, order: Order, report: Report) -> Report:
        """Where a whole directory is not as it was, somebody wants to know what in it is different."""
        if report.code != "foreign_change" or not order.before.entries:
            return report
        found = (await self.inspect({"looks": [(order.key, 3)]}, None))[order.key]
        return report._replace(message=f"{order.key} {difference(found, order.before)}")

    async def settle(self, values: Mapping[str, Any], serve: Serve | None) -> Any:
        script = Script(self._write)
        slots = [slot_name(id) for id in values["ids"]]
        await script.add(call("ready"))
        for at in range(0, len(slots), NAMES_MAX):
            await script.add(call("settle", *slots[at : at + NAMES_MAX]))
        for run in values["runs"]:
            await script.add(call("disarm", slot_name(run)))
        await script.send()
        self._expect((await self._said()).text())

    async def slots(self, values: Mapping[str, Any], serve: Serve | None) -> Any:
        return (await self._said(b"slots\n")).lines()

    async def take_over(self, values: Mapping[str, Any], serve: Serve | None) -> Any:
        self._expect((await self._said(call("ready", *(slot_name(run) for run in values["runs"])))).text())

    async def fetch(self, values: Mapping[str, Any], serve: Serve | None) -> Any:
        if not values["content"]:
            return [None, []]
        digest = (await self._receive([values["path"]], serve))[0]
        return [digest, []]

    async def fetch_all(self, values: Mapping[str, Any], serve: Serve | None) -> Any:
        for at in range(0, len(values["paths"]), NAMES_MAX):
            await self._receive(values["paths"][at : at + NAMES_MAX], serve, at)

    async def _receive(self, paths: Sequence[str], serve: Serve | None, first: int = 0) -> list[str]:
        """Contents of files, one after the other and piece by piece; their digests."""
        await self._write(b"{\n" + b"".join(call("send", path) for path in paths) + b"}\n")
        mark = self._dialect.mark
        found, broken, held = [], "", b""
        for number, path in enumerate(paths, first):
            digest = sha256()
            end = held.find(mark)
            while end < 0 or len(held) < end + len(mark) + 1:
                ready = held[: max(0, len(held) - len(mark) - 1)] if end < 0 else b""
                await self._hand_over(ready, number, digest, serve)
                piece = await self.process.stdout.read(CHUNK_BYTES)
                if not piece:
                    raise Gone
                held = held[len(ready) :] + piece
                end = held.find(mark)
            await self._hand_over(held[:end], number, digest, serve)
            word, held = held[end + len(mark) : end + len(mark) + 1], held[end + len(mark) + 1 :]
            if word != b"\n":
                broken = broken or path
            found.append(digest.hexdigest())
        if broken:
            raise WorldError(f"{broken} is not there any more, or cannot be read", code="source_not_found")
        return found

    async def _hand_over(self, piece: bytes, number: int, digest: Any, serve: Serve | None) -> None:
        if piece:
            assert serve is not None
            digest.update(piece)
            await serve(_Nobody(), {"piece": [0, len(piece)], "beside": piece, "of": number})

    async def arm(self, values: Mapping[str, Any], serve: Serve | None) -> Any:
        slot = slot_name(values["run"])
        said = await self._said(call("ready", slot))
        self._expect(said.text())
        return (await self._said(await arming(self._dialect, slot, values["seconds"], values["undo"]))).text()

    async def extend(self, values: Mapping[str, Any], serve: Serve | None) -> Any:
        said = await self._said(call("extend", slot_name(values["run"]), str(whole(values["seconds"]))))
        return {"state": said.text(), "undone": said.words()}

    async def disarm(self, values: Mapping[str, Any], serve: Serve | None) -> Any:
        return (await self._said(call("disarm", slot_name(values["run"])))).text()

    async def mark(self, values: Mapping[str, Any], serve: Serve | None) -> Any:
        words = (slot_name(values["run"]), slot_name(values["step"]), "1" if values["begun"] else "")
        await self._said(call("note", *words))

    async def probe(self, values: Mapping[str, Any], serve: Serve | None) -> Any:
        """Asked with what is there for that; nothing of it has to be."""
        url, seconds = values["url"], max(1, whole(values["seconds"]))
        if url.lower().startswith("tcp:"):
            url = "telnet:" + url[4:]
        said = await self._said(call("probe", url, str(seconds)))
        ended, body, errors = said.text(), said.next(), said.text().strip()
        if ended == "none":
            message = "health of an address on a host without Python is asked with curl, which it has not either"
            raise WorldError(message, code="unsupported")
        if ended != "0" and not (url.startswith("telnet:") and ended == "28"):
            return {"flaw": f"no connection: {errors or f'curl ended with {ended}'}"}
        if url.startswith("telnet:"):
            return {"there": True}
        text, _, status = body.rpartition(b"\n")
        return {"status": int(status), "body": text[:PROBE_BYTES_MAX].decode("utf-8", "replace")}

    # -- talking

    async def _write(self, script: bytes) -> None:
        try:
            self.process.stdin.write(script)
            await self.process.stdin.drain()
        except WorldError:
            raise Gone from None

    async def _said(self, *script: bytes) -> Sections:
        """Carried out as one group; what it said up to the last mark."""
        mark = self._dialect.mark
        over = secrets.token_hex(8).encode()
        body = b"{\n" + b"".join(script) + b"}\n" if script else b""
        await self._write(body + b"printf %s " + quoted(over) + b"; end\n")
        end = over + mark + b"\n"
        heard = bytearray()
        while not heard.endswith(end):
            piece = await self.process.stdout.read(CHUNK_BYTES)
            if not piece:
                raise Gone
            heard += piece
        return Sections(bytes(heard[: -len(end)]), mark)

    def _expect(self, said: str) -> None:
        if said.startswith("refused "):
            _, code, message = said.split(" ", 2)
            raise WorldError(message, code="permission_denied" if code == "os" else code)

    def _feeding(self, serve: Serve | None) -> Any:
        """How a content that is not in the frame is asked for: as a worker there would."""

        async def feed(number: int, write: Callable[[bytes], Awaitable[None]]) -> str:
            assert serve is not None
            taker = _Taker(write)
            await serve(taker, {"want": number})
            return taker.failure

        return feed


class _Nobody:
    """For who only hears."""

    async def send(self, document: Any) -> None:
        raise AssertionError("nothing was asked")


class _Taker:
    """Stands where a worker would, and takes the pieces that are sent to it."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self.failure = ""

    async def send(self, document: Any) -> None:
        if isinstance(document, dict):
            self.failure = " ".join(document["error"])
        elif document[0]:
            await self._write(document[0])


_ANSWERS: Final = {name: getattr(ShellWorker, name) for name in QUESTIONS}


async def greet(process: Process, lost: Callable[[], Exception]) -> ShellWorker:
    """Send the shell what it is made of, and hear what the host is like. Raises WorldError where that is not enough."""
    mark = secrets.token_hex(16).encode()
    process.stdin.write(b"{\n" + library() + b"K=" + mark + b"\nhello\n}\n")
    try:
        said = (await process.stdout.readuntil(mark + b"\n"))[: -len(mark) - 1]
    except asyncio.IncompleteReadError:
        raise lost() from None
    missing, gnu, base64, uid, gid, home = said.decode("utf-8", "surrogateescape").splitlines()
    if missing:
        raise WorldError(f"it has neither python3 nor {', '.join(missing.split())}", code="unsupported")
    dialect = Dialect(gnu=bool(gnu), base64=bool(base64), uid=int(uid), gid=int(gid), mark=mark)
    return ShellWorker(process, dialect, home, lost)


def _fact(key: str) -> bytes:
    if key == "@facts":
        return b"facts; end\n"
    kind, _, name = key[1:].partition("/")
    return call("number", kind, name)


def _known(key: str, said: Sections) -> Any:
    lines = said.lines()
    if key != "@facts":
        return Account(int(lines[0]) if lines else None)
    uid, gid, groups, umask = lines
    return {
        "uid": int(uid),
        "gid": int(gid),
        "groups": sorted({int(gid), *map(int, groups.split())}),
        "umask": int(umask, 8),
        "exchanges": False,
    }


def _look(above: str, asked: Sequence[tuple[str, int]]) -> bytes:
    deep = [f"./{name}" for name, depth in asked if depth > 0]
    trees = [call("read_tree", f"./{name}", _LISTS[depth]) for name, depth in asked if depth > 1]
    files = call("read_files", str(CONTENT_BYTES_MAX), *deep) if deep else b""
    return call("at", above) + call("glance", *(f"./{name}" for name, _ in asked)) + files + b"".join(trees)


def _framed(document: Any) -> Answer:
    frame = pack(document)
    text, _ = sizes(frame[: HEAD.size])
    return loads(frame[HEAD.size : HEAD.size + text]), frame[HEAD.size + text :]
