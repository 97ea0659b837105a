"""Health checks and waits of a host: asked from there, so that `127.0.0.1` is the host itself."""

from __future__ import annotations

from holdfast.core.errors import WorldError
from holdfast.drivers.probe.answers import HEALTHY, WELL, Answer
from holdfast.drivers.probe.local import ATTEMPT_TIMEOUT_S, Probes, Unanswered
from holdfast.drivers.remote.host import Host
from holdfast.drivers.remote.hosts import Hosts
from holdfast.drivers.remote.near import Lost
from holdfast.drivers.secrets import Secrets
from holdfast.kinds.health import Expect, is_address
from holdfast.kinds.running import Words, argv_of


class RemoteProbes(Probes):
    def __init__(self, host: Host, hosts: Hosts, secrets: Secrets) -> None:
        super().__init__(secrets=secrets)
        self._host = host
        self._hosts = hosts

    async def close(self) -> None:
        await self._hosts.leave(self._host)

    async def _ask(self, probe: Words, expect: Expect) -> Answer | None:
        try:
            if is_address(probe):
                return await self._ask_worker(str(probe))
            return await self._ask_program(argv_of(probe))
        except Lost as lost:
            raise Unanswered(lost.error.message) from None
        except WorldError as error:
            raise Unanswered(error.message) from None

    async def _ask_worker(self, url: str) -> Answer | None:
        said, _ = await self._host.ask("probe", url=url, seconds=ATTEMPT_TIMEOUT_S)
        if "flaw" in said:
            raise Unanswered(str(said["flaw"]))
        return None if "there" in said else Answer(int(said["status"]), str(said["body"]), HEALTHY)

    async def _ask_program(self, argv: tuple[str, ...]) -> Answer:
        from holdfast.ssh.values import Command

        asked = Command(argv, host=self._host.way.address, timeout=ATTEMPT_TIMEOUT_S)
        result = await self._hosts.connections.executor().run_command(asked)
        if result.exit_code is None:
            raise Unanswered(result.error.message if result.error else "it did not end")
        return Answer(result.exit_code, self._secrets.scrub(result.stdout), WELL)
