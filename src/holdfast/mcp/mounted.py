"""The protocol over HTTP, as an application to be mounted behind something that lets in only who may come in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from holdfast.mcp.agent import Agent
from holdfast.mcp.server import Context, server_for

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]


@asynccontextmanager
async def mounted(agent_of: Callable[[Scope], Agent], *, body_bytes_max: int = 16 * 1024 * 1024) -> AsyncIterator[Application]:
    """`agent_of` says, by the scope of a request that was let in, which agent asks.

    No session is kept: each request stands for itself, so nothing piles up and a restart loses nothing.
    """
    server = server_for(lambda context: agent_of(_scope_of(context)))
    manager = StreamableHTTPSessionManager(server, stateless=True, max_request_body_size=body_bytes_max)
    async with manager.run():
        yield manager.handle_request


def _scope_of(context: Context) -> Scope:
    """Over HTTP every call carries its request."""
    assert context.request is not None
    scope: Scope = context.request.scope
    return scope
