"""The dead man's switch of a host without Python: the text of a shell that watches a deadline, and then takes a run back."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from holdfast.core.errors import Bug
from holdfast.drivers.files.stash import slot_name
from holdfast.drivers.files.values import Order
from holdfast.drivers.remote.shell.orders import Question, Script
from holdfast.drivers.remote.shell.words import Dialect, call, library, quoted


async def arming(dialect: Dialect, run: str, seconds: float, undo: Sequence[Order | Mapping[str, Any]]) -> bytes:
    """Calls that arm a switch. Its text goes to it over a pipe, so that no secret in it is ever an argument or a file."""
    number = secrets.token_hex(8)
    end = secrets.token_hex(16).encode()
    text = b"".join(
        (
            b"{\n",
            library(),
            b"K=" + dialect.mark + b"\nhello >/dev/null\n",
            b"take_back() {\nready " + quoted(run) + b"\n" + await _undoing(dialect, undo) + b"}\n",
            call("watch", run, number),
            b"exit\n}\n",
        )
    )
    return b"".join(
        (
            b"if " + call("prepare_switch", run, str(whole(seconds)), number).rstrip() + b"; then\n",
            b"($APART sh >/dev/null 2>&1 <<'" + end + b"' &\n" + text + end + b"\n)\n",  # nobody's child any more
            b"printf armed; end\nfi\n",
        )
    )


async def _undoing(dialect: Dialect, undo: Sequence[Order | Mapping[str, Any]]) -> bytes:
    written: list[bytes] = []

    async def write(group: bytes) -> None:
        written.append(group)

    for of_files, each in groupby(undo, lambda step: isinstance(step, Order)):
        if of_files:
            script = Script(write)
            orders = [step._replace(needs=()) for step in each if isinstance(step, Order)]
            await Question(dialect, script, orders, _bring).say(True)
            await script.send()
        else:
            written += [_command(step) for step in each if not isinstance(step, Order)]
    return b"".join(written)


def _command(step: Mapping[str, Any]) -> bytes:
    """One command in its surroundings; it counts as undone when it says so."""
    around = [b"cd -- " + quoted(step["cwd"])] if step["cwd"] else []
    around += [b"export " + name.encode() + b"=" + quoted(value) for name, value in step["env"].items()]
    words = b" ".join(map(quoted, step["argv"]))
    body = b" && ".join([*around, b"exec $LIMIT " + words])
    begun = call("is_begun", slot_name(step["id"])).rstrip()
    return b"if %s && (%s) </dev/null >/dev/null 2>&1; then %s; fi\n" % (begun, body, call("undid", step["id"]).rstrip())


async def _bring(number: int, write: Callable[[bytes], Awaitable[None]]) -> str:
    raise Bug("what is taken back is on the host already")


def whole(seconds: float) -> int:
    """Deadlines are counted in whole seconds, rounded up: a switch may be late, never early."""
    return int(-(-seconds // 1))
