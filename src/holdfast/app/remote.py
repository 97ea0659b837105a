"""The SSH executor for people: what they said about hosts, made into addresses, and carried out.

A face hands over plain words; what comes back are the executor's own results.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from holdfast.app.hosts import Host, Inventory
from holdfast.core.errors import PlanError, Problem
from holdfast.ssh import Address, Command, ExecutorConfig, Result, Script, Sudo, Transfer, Transferred
from holdfast.ssh import open as open_executor
from holdfast.ssh.values import CONFIGURED, Heard, Progress

if TYPE_CHECKING:
    from holdfast.journal.contract import Journal

A = TypeVar("A", Command, Script)

# `HOST:PATH`; with a slash before the colon it is a local path.
_FAR: Final = re.compile(
    r"(?P<host>(?:[^/:@\[\]]+@)?(?:\[[^\]]+\]|[^/:\[\]]+)(?::\d{1,5}(?=:))?):(?P<path>.*)", re.DOTALL
)  # digits between two colons are a port
_WRITTEN: Final = {"user": re.compile(".+@.+", re.DOTALL), "port": re.compile(r".*(\]|[^:\]]):\d+", re.DOTALL)}
_LOOK: Final = "id -un; uname -sr; command -v python3 || echo; command -v sudo || echo"

Tell = Callable[[str], None]


class Reach:
    """How hosts are to be reached, as somebody said it on the command line."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self._said = said
        self._inventory = _inventory(said.get("inventory"))

    # -- what is asked

    def command(self, words: str | Sequence[str]) -> Command:
        return Command(words if isinstance(words, str) else tuple(words), **self._around())

    def script(self, source: str, interpreter: str, args: Sequence[str]) -> Script:
        return Script(source=source, interpreter=interpreter, args=tuple(args), **self._around())

    def transfer(self, source: str, destination: str) -> Transfer:
        """One of the two is on a host."""
        up, down = _FAR.fullmatch(destination), _FAR.fullmatch(source)
        if (up is None) == (down is None):
            raise _wrong("one of SRC and DST is on a host, written HOST:PATH, and the other is here")
        far = up or down
        assert far is not None
        (host,) = self.meant([far["host"]])
        path = far["path"] or "."
        ends: dict[str, Any] = {"source": source, "to": path} if up else {"source": path, "to": destination}
        said: dict[str, Any] = {name: self._said[name] for name in ("owner", "group", "on_conflict")}
        mode = _mode(self._said.get("mode"))
        return Transfer(**ends, **said, mode=mode, download=up is None, host=host.address, sudo=self._sudo(host) or False)

    def _around(self) -> dict[str, Any]:
        """What surrounds a program."""
        timeout = self._said.get("timeout")
        return {
            "env": dict(_pair(each) for each in self._said.get("env", ())),
            "cwd": self._said.get("cwd"),
            "stdin": sys.stdin.buffer.read() if self._said.get("stdin") else None,
            "timeout": CONFIGURED if timeout is None else timeout,
        }

    # -- where

    def meant(self, names: Sequence[str]) -> list[Host]:
        given = {name: self._said[name] for name in ("known_hosts", "accept_new") if self._said.get(name)}
        if self._said.get("key"):
            given["identity"] = (self._said["key"],)
        if self._said.get("password"):
            given["password"] = _secret(self._said["password"])
        found: dict[Address, Host] = {}
        for name in names:
            for host in self._inventory.meant([name]):
                address = replace(host.address, **given, **self._login(name))
                found.setdefault(address, replace(host, address=address))
        return list(found.values())

    def _login(self, name: str) -> dict[str, Any]:
        """The user and port for hosts whose own writing says nothing else."""
        said = {each: self._said[each] for each in ("user", "port") if self._said.get(each)}
        return {each: value for each, value in said.items() if not _WRITTEN[each].fullmatch(name)}

    def _sudo(self, host: Host) -> Sudo | None:
        user, password = self._said.get("sudo"), self._said.get("sudo_password")
        found = Sudo(user=user) if user else host.sudo
        if found is None or not password:
            return found
        return replace(found, password=_secret(password))

    # -- doing it

    def everywhere(self, asked: A, meant: Sequence[Host], parallel: int, heard: Heard | None, tell: Tell) -> list[Result]:
        """On every host, so many at once; the results in the order of the hosts."""
        each = [replace(asked, host=host.address, sudo=self._sudo(host) or False) for host in meant]
        # Each host is used once: a connection is closed as soon as nobody uses it.
        config = ExecutorConfig(idle_s=0.0, connecting_max=parallel)
        with open_executor(config, accepted=tell, **_watched()) as ssh:
            return ssh.run_all(each, parallel=parallel, heard=heard)

    def carry(self, asked: Transfer, progress: Progress, tell: Tell) -> Transferred:
        config = ExecutorConfig(transfer_timeout_s=self._said.get("timeout"))
        with open_executor(config, accepted=tell, **_watched()) as ssh:
            return ssh.transfer(asked, progress)

    def check(self, names: Sequence[str], parallel: int, tell: Tell) -> list[dict[str, Any]]:
        """Who we are there, and what is there."""
        asked = replace(self.command(_LOOK), timeout=self._said.get("timeout") or 30.0)
        return [_seen(result) for result in self.everywhere(asked, self.meant(names), parallel, None, tell)]


def _watched() -> dict[str, Any]:
    """A tracer and a meter, where the variables of OpenTelemetry ask for them."""
    if not any(name.startswith("OTEL_") for name in os.environ):
        return {}
    from holdfast.runtime.telemetry import from_environment

    return dict(zip(("tracer", "meter"), from_environment(os.environ), strict=True))


def record_accepted(journal: Journal, said: Sequence[str], *, by: str, at: float) -> None:
    """That a host's key was believed because somebody asked for that is worth remembering for good."""
    from holdfast.core.events import Event

    journal.append(None, [Event("host.accepted", {"said": each, "by": by}) for each in said], at=at)


def _seen(result: Result) -> dict[str, Any]:
    user, system, python, sudo = [*result.stdout.splitlines(), "", "", "", ""][-8:][:4] if result.stdout else [""] * 4
    return {
        "host": result.host,
        "ok": result.success,
        "user": user or None,
        "system": system or None,
        "python": python or None,
        "sudo": sudo or None,
        "duration_s": result.duration_s,
        "error": result.error.plain() if result.error else None,
    }


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise _wrong(f"`{text}` is not a variable: write NAME=VALUE")
    return name, value


def _inventory(path: str | None) -> Inventory:
    if not path:
        return Inventory()
    from holdfast.app.inventory import read  # with it comes what plans are made of

    return read(path)


def _secret(text: str) -> str:
    if not text.startswith(("env:", "file:")):
        raise _wrong("a password is never written down: say `env:NAME` or `file:PATH`", code="literal_secret")
    from holdfast.drivers.secrets import Secrets
    from holdfast.kinds.contract import Secret

    return Secrets().value(Secret(secret=text))


def _mode(text: str | None) -> int | None:
    if text is None:
        return None
    if re.fullmatch("[0-7]{3,4}", text) is None:
        raise _wrong(f"`{text}` is not a mode: write it as in 0644")
    return int(text, 8)


def _wrong(message: str, *, code: str = "invalid_value") -> PlanError:
    return PlanError([Problem(code=code, message=message, hint="`holdfast ssh --help` shows what it understands")])
