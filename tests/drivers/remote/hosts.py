"""Builders: plans for hosts that are one real sshd under several names."""

from __future__ import annotations

import json
from typing import Any

import holdfast
from holdfast.testing.sshd import Sshd


def way_in(server: Sshd, **more: Any) -> dict[str, Any]:
    """How a plan declares a server as a target."""
    found = {"ssh": f"{server.user}@127.0.0.1:{server.port}", "key": str(server.key)}
    return {**found, "known_hosts": str(server.known_hosts), "config": "none", **more}


def plan_on(server: Sshd, steps: list[Any], *, hosts: tuple[str, ...] = ("h1",), way: Any = None, **policy: Any) -> Any:
    """A plan whose steps are made on every host; in them `HOST` is the name of the host."""
    targets = {host: way_in(server, **(way or {})) for host in hosts}
    tasks = [{"name": f"on-{host}", "on": host, "steps": _named(steps, host)} for host in hosts]
    document = {"holdfast": 1, "name": "remote", "targets": targets, "policy": policy, "tasks": tasks}
    return holdfast.parse(json.dumps(document), format="json")


def _named(steps: Any, host: str) -> Any:
    return json.loads(json.dumps(steps).replace("HOST", host))
