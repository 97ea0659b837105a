"""AI agents over HTTP: the same door as everybody's, and behind it the face for agents, which asks nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from holdfast.app.plans.limits import Limits
from holdfast.app.serving.tokens import Caller
from holdfast.app.serving.workshop import Workshop
from holdfast.mcp.agent import UNLIMITED, Agent, Mandate
from holdfast.web.door import BODY_BYTES_MAX, SAFETY, refuse
from holdfast.web.gate import Gate, check_role
from holdfast.web.refusals import Denied

if TYPE_CHECKING:
    from holdfast.mcp.mounted import Application

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


class AgentDoor:
    """The protocol takes most of a second to load, so it is, with the first agent that comes in."""

    def __init__(self, gate: Gate, agents: Agents) -> None:
        self._gate = gate
        self._agents = agents
        self._inner: asyncio.Future[Application] | None = None
        self._open: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        try:
            self._gate.check_host(request.headers)
            self._gate.check_origin(request.headers)
            caller, _ = self._gate.enter(request.method, request.headers, request.cookies)
            check_role(caller, "viewer", confined=False)
            if request.method != "POST":  # without sessions there is nothing that we would say unasked
                raise Denied(405, "unsupported", f"{request.method} cannot be done here", headers={"Allow": "POST"})
        except Denied as denied:
            await refuse(send, denied)
            return
        inner = await self._opened()
        await inner({**scope, CALLER: caller}, receive, _safely(send))

    async def _opened(self) -> Application:
        if self._inner is None or self._open is None:
            self._inner = asyncio.get_running_loop().create_future()
            self._open = asyncio.create_task(self._stay_open(self._inner))
        await asyncio.wait((self._inner, self._open), return_when=asyncio.FIRST_COMPLETED)
        if self._open.done():
            self._open.result()  # it could not be loaded
        return self._inner.result()

    async def _stay_open(self, inner: asyncio.Future[Application]) -> None:
        mounted = (await asyncio.to_thread(import_module, "holdfast.mcp.mounted")).mounted
        async with mounted(lambda scope: self._agents.of(scope[CALLER]), body_bytes_max=BODY_BYTES_MAX) as application:
            inner.set_result(application)
            await self._closing.wait()

    async def close(self) -> None:
        self._closing.set()
        if self._open is not None:
            await self._open


def _safely(send: Any) -> Callable[[Any], Awaitable[None]]:
    async def told(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *SAFETY]}
        await send(message)

    return told
