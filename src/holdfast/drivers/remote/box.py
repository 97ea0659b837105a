"""The dead man's switch of an appliance: a copy of its whole configuration is put back there, and everything reloaded.

The last resort when its own interface answers nobody any more. What others changed meanwhile goes as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from holdfast.core.errors import WorldError
from holdfast.drivers.contract import Move
from holdfast.drivers.files.stash import slot_name
from holdfast.drivers.remote.guard import Guards
from holdfast.drivers.remote.host import Host
from holdfast.drivers.remote.hosts import Hosts
from holdfast.drivers.remote.near import Lost
from holdfast.drivers.secrets import Secrets

COPY_S: Final = 30.0
FIRES_WITHIN_S: Final = 5.0
LOOK_S: Final = 0.5
_COPY: Final = 'umask 077 && cp -p "$1" "$2.new" && mv "$2.new" "$2"'
_RESTORE: Final = 'copy=$1 conf=$2; shift 2; cp -p "$copy" "$conf.new" && mv "$conf.new" "$conf" && rm -f "$copy"; "$@"'


class Restoring(NamedTuple):
    """The file that holds the configuration, and the command that makes it run."""

    config: str
    reload: tuple[str, ...]


class BoxSwitch(Guards):
    def __init__(self, host: Host, hosts: Hosts, secrets: Secrets, restoring: Restoring) -> None:
        super().__init__(host, secrets)
        self._hosts = hosts
        self._restoring = restoring

    async def arm(self, run: str, within: float, moves: Sequence[Move]) -> None:
        """What was configured before the run is copied first; `moves` are contained in it."""
        config, reload = self._restoring
        copy = f"{config}.holdfast-{slot_name(run)}"
        await self._run(("sh", "-c", _COPY, "sh", config, copy))
        words = ["sh", "-c", _RESTORE, "sh", copy, config, *reload]
        await self.begin(run, within, [{"id": self._step(run), "argv": words, "env": {}, "cwd": None}])
        await self._mark(run, begun=True)

    async def disarm(self, run: str) -> None:
        await super().disarm(run)
        await self._run(("rm", "-f", f"{self._restoring.config}.holdfast-{slot_name(run)}"))

    def is_armed(self, run: str) -> bool:
        return run in self._host.armed

    async def fire(self, run: str) -> None:
        """At once, and wait until the box has taken the run back."""
        await self.word(run, 0.0)
        for _ in range(int(FIRES_WITHIN_S / LOOK_S)):
            await asyncio.sleep(LOOK_S)
            await self.word(run, FIRES_WITHIN_S)
            if not self.is_armed(run):
                return
            await self.word(run, 0.0)

    async def close(self) -> None:
        self.hush()
        await self._hosts.leave(self._host)

    def _step(self, run: str) -> str:
        return f"{run}/restore"

    async def _mark(self, run: str, *, begun: bool) -> None:
        """Without this the switch takes it that there is nothing to put back."""
        try:
            await self._host.ask("mark", run=self._host.label(run), step=self._step(run), begun=begun)
        except Lost as lost:
            raise lost.error from lost

    async def _run(self, words: tuple[str, ...]) -> None:
        from holdfast.ssh.values import Command, Sudo

        way = self._host.way
        sudo = Sudo(user="root", password=way.sudo_password) if way.sudo else False
        result = await self._hosts.connections.executor().run_command(
            Command(host=way.address, run=words, sudo=sudo, timeout=COPY_S)
        )
        if result.error is not None:
            raise WorldError(f"{self._host.name}: {result.error.message}", code=result.error.code, hint=result.error.hint)
        if result.exit_code != 0:
            hint = "name the file by `config` of the appliance, and an SSH user who may write it"
            raise WorldError(
                f"{self._host.name}: {self._restoring.config} cannot be copied", code="permission_denied", hint=hint
            )
