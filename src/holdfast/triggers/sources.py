"""Looking at sources: for a watcher one value, for a scanner the resources that there are. Writes nothing.

A watcher gets an error as a value, because failing is something it may watch for; a scanner gets an exception, because
nothing may be cleaned up on the word of a source that failed. No source is waited for longer than its timeout.
"""

from __future__ import annotations

import asyncio
import glob
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from holdfast.core.errors import WorldError
from holdfast.drivers.output import plain_text
from holdfast.drivers.plain_http import NotHttp, Response, get
from holdfast.drivers.secrets import Secrets
from holdfast.journal.contract import Journal, LockRow, RunRow
from holdfast.triggers.commands import run_command
from holdfast.triggers.conditions import Finding, Parent, resources_in
from holdfast.triggers.definitions import Source
from holdfast.triggers.patterns import fits
from holdfast.triggers.values import Value, value_of

TEXT_BYTES_MAX: Final = 64 * 1024
LIST_BYTES_MAX: Final = 4 * 1024 * 1024
ENTRIES_MAX: Final = 100_000  # beneath one directory; who has more is of unknown age
RUNS_MAX: Final = 10_000
RECORDS_MAX: Final = 10_000  # that a first look at events goes back
FAILURES: Final = frozenset({"refused", "rolled_back", "partial", "stuck"})


class Sources:
    def __init__(
        self, journal: Journal, secrets: Secrets, *, now: Callable[[], float], is_alive: Callable[[str], bool]
    ) -> None:
        self._journal = journal
        self._secrets = secrets
        self._now = now
        self._is_alive = is_alive

    async def value(self, source: Source, *, since: float) -> Value:
        """What is there now; of events, those after a moment."""
        try:
            async with asyncio.timeout(_patience(source)):
                return await self._value(source, since)
        except TimeoutError:
            return Value(error=f"it did not answer within {source.timeout:g} s")
        except (OSError, ValueError, NotHttp) as error:
            return Value(error=_why(error))
        except WorldError as error:
            return Value(error=error.message)

    async def _value(self, source: Source, since: float) -> Value:
        match source.type:
            case "command":
                return value_of(await self._printed(source, TEXT_BYTES_MAX))
            case "http":
                return value_of(plain_text((await _fetched(source.what)).decode("utf-8", "replace")))
            case "file":
                return await asyncio.to_thread(self._file, source.what)
            case "files":
                return await asyncio.to_thread(self._files, source.what)
            case "runs":
                return self._runs(source.what)
            case "locks":
                held = self._journal.locks()
                oldest = min((lock.since for lock in held), default=None)
                return Value(text=str(len(held)), number=len(held), idle=None if oldest is None else self._now() - oldest)
            case "events":
                return self._events(source.what, since)

    async def _printed(self, source: Source, bytes_max: int) -> str:
        assert source.command is not None
        command = replace(source.command, timeout=source.timeout)
        ran = await run_command(command, self._secrets, output_bytes_max=bytes_max)
        if ran.failure is not None:
            raise WorldError(ran.failure.message, code=ran.failure.code)
        return ran.output

    def _file(self, path: str) -> Value:
        with open(path, "rb") as file:
            changed = os.fstat(file.fileno()).st_mtime
            text = file.read(TEXT_BYTES_MAX).decode("utf-8", "replace")
        found = value_of(plain_text(text))
        return replace(found, idle=max(0.0, self._now() - changed))

    def _files(self, pattern: str) -> Value:
        ages = [age for age in (_age(path, self._now()) for path in glob.iglob(pattern, recursive=True)) if age is not None]
        return Value(text=str(len(ages)), number=len(ages), idle=min(ages, default=None))

    def _runs(self, plan: str) -> Value:
        rows = self._journal.runs(limit=RUNS_MAX, open_only=True)
        unended = [row for row in rows if not plan or row.plan == plan]
        states = [(row.state, row.ended_at or row.started_at) for row in unended]
        newest = self._journal.runs(limit=100, plan=plan or None)
        ended = [row for row in newest if row.ending is not None]
        failures = next((number for number, row in enumerate(ended) if row.ending not in FAILURES), len(ended))
        last = [(row.ending or row.state, row.ended_at) for row in ended[:1]]
        text = ended[0].ending or "" if ended else ""
        return Value(text=text, number=len(unended), states=[*states, *last], failures=failures)

    def _events(self, pattern: str, since: float) -> Value:
        number, last, at = 0, "", None
        after = max(0, self._journal.last_seq() - RECORDS_MAX)
        for record in self._journal.records(after=after):
            for event in record.events:
                if fits(pattern, event.type):
                    at, last = record.at, event.type
                    number += event.count if record.at > since else 0
        return Value(text=last, number=number, idle=None if at is None else self._now() - at)

    # -- resources

    async def resources(self, source: Source) -> list[Finding]:
        try:
            async with asyncio.timeout(_patience(source)):
                return await self._resources(source)
        except TimeoutError:
            raise WorldError(f"the source did not answer within {source.timeout:g} s", code="timeout") from None
        except (OSError, ValueError, NotHttp) as error:
            raise WorldError(f"the source failed: {_why(error)}", code="io_error") from None

    async def _resources(self, source: Source) -> list[Finding]:
        match source.type:
            case "command":
                return listed(await self._printed(source, LIST_BYTES_MAX))
            case "http":
                return list(resources_in(json.loads(await _fetched(source.what))))
            case "files":
                return await asyncio.to_thread(lambda: list(found_files(source.what, self._now())))
            case "locks":
                paused = {row.id for row in self._journal.runs(limit=RUNS_MAX, open_only=True) if row.state == "paused"}
                return [self._lock(lock, paused) for lock in self._journal.locks()]
            case "runs":
                rows = self._journal.runs(limit=RUNS_MAX, plan=source.what or None)
                return [self._run(row) for row in rows]
        raise WorldError(f"`{source.type}` does not list resources", code="unsupported")

    def _lock(self, lock: LockRow, paused: set[str]) -> Finding:
        alive = self._is_alive(lock.owner)
        used = (
            f"its run {lock.run} is being executed"
            if alive
            else f"its run {lock.run} is paused"
            if lock.run in paused
            else None
        )
        return Finding(
            id=f"lock:{lock.id}",
            age=self._now() - lock.since,
            parent=Parent.NONE if used is None else Parent.SOME,
            in_use=used,
            texts=(lock.run, *lock.keys),
            facts={"holder": lock.run, "owner": lock.owner},
        )

    def _run(self, row: RunRow) -> Finding:
        ended_for = None if row.ended_at is None else self._now() - row.ended_at
        return Finding(
            id=f"run:{row.id}",
            age=self._now() - row.started_at,
            state=row.ending or row.state,
            ended_for=ended_for,
            in_use=None if row.ending is not None else "it has not ended",
            texts=(row.plan, row.source, row.ending or row.state),
            facts={"plan": row.plan, "source": row.source},
        )


def _patience(source: Source) -> float | None:
    """A command has its own limit, after which it is ended."""
    return None if source.command is not None else source.timeout


def listed(text: str) -> list[Finding]:
    """A JSON array, or one id per line."""
    if text.lstrip()[:1] in ("[", "{"):
        return list(resources_in(json.loads(text)))
    return [Finding(id=line.strip()) for line in text.splitlines() if line.strip()]


def found_files(pattern: str, now: float) -> Iterator[Finding]:
    for path in sorted(glob.iglob(pattern, recursive=True)):
        yield Finding(id=f"file:{path}", age=_age(path, now), texts=(path,), facts={"path": path})


def _age(path: str, now: float) -> float | None:
    """Of a directory, the age of the youngest thing in it: nothing is stale in which somebody still works."""
    try:
        found = os.lstat(path)
        newest = found.st_mtime
        if stat.S_ISDIR(found.st_mode):
            newest = _newest(path, newest)
    except OSError:  # gone meanwhile, or not for us to see: then nobody knows
        return None
    return now - newest


def _newest(path: str, newest: float) -> float:
    todo, seen = [path], 0
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                seen += 1
                if seen > ENTRIES_MAX:
                    raise OSError(f"there are more than {ENTRIES_MAX} entries")
                newest = max(newest, entry.stat(follow_symlinks=False).st_mtime)
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
    return newest


async def _fetched(url: str) -> bytes:
    response: Response = await get(url, enough=lambda status: False)
    if not 200 <= response.status < 300:
        raise ValueError(f"it answered with status {response.status}")
    return response.body


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
