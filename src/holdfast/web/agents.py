"""AI agents over HTTP: the same door as everybody's, and behind it the face for agents, which asks nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from holdfast.app.limits import Limits
from holdfast.app.tokens import Caller
from holdfast.app.workshop import Workshop
from holdfast.mcp.agent import UNLIMITED, Agent, Mandate
from holdfast.mcp.mounted import Application, mounted
from holdfast.web.door import BODY_BYTES_MAX, SAFETY, refuse
from holdfast.web.gate import Gate, check_role
from holdfast.web.refusals import Denied

PATH = "/mcp"
CALLER = "holdfast.caller"  # in the scope of a request that was let in


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What agents may do at most, whatever their tokens say. By themselves they may look."""

    allow_apply: bool = False
    require_approval: bool = False
    local_programs: bool = False
    roots: tuple[str, ...] = ()
    limits: Limits = UNLIMITED

    def mandate(self, caller: Caller) -> Mandate:
        return Mandate.of(
            source=f"mcp:{caller.name}",
            may_plan=caller.may("operator"),  # a preview looks at whatever a plan names, with the rights of this server
            allow_apply=self.allow_apply and caller.may("operator"),
            require_approval=self.require_approval,
            local_programs=self.local_programs,
            roots=self.roots,
            limits=self.limits,
        )


class Agents:
    """One agent for each caller: what it began, and how much it has changed, is remembered while the server lives."""

    def __init__(self, state: str, allowed: Allowed, workshop: Workshop) -> None:
        self._state = state
        self._allowed = allowed
        self._workshop = workshop
        self._agents: dict[Caller, Agent] = {}

    def of(self, caller: Caller) -> Agent:
        if caller not in self._agents:
            self._agents[caller] = Agent(self._state, self._allowed.mandate(caller), self._workshop)
        return self._agents[caller]


@asynccontextmanager
async def door_of(gate: Gate, agents: Agents) -> AsyncIterator[AgentDoor]:
    async with mounted(lambda scope: agents.of(scope[CALLER]), body_bytes_max=BODY_BYTES_MAX) as inner:
        yield AgentDoor(gate, inner)


class AgentDoor:
    def __init__(self, gate: Gate, inner: Application) -> None:
        self._gate = gate
        self._inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        try:
            self._gate.check_host(request.headers)
            self._gate.check_origin(request.headers)
            caller, _ = self._gate.enter(request.method, request.headers, request.cookies)
            check_role(caller, "viewer", confined=False)
        except Denied as denied:
            await refuse(send, denied)
            return
        await self._inner({**scope, CALLER: caller}, receive, _safely(send))


def _safely(send: Any) -> Callable[[Any], Awaitable[None]]:
    async def told(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *SAFETY]}
        await send(message)

    return told
