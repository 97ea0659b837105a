"""The second port: arm faults, move the clock, be the other admin, look inside. JSON in, JSON out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from holdfast.testing.opnsense.faults import SCENARIOS, Rule
from holdfast.testing.opnsense.recorded import Recorded
from holdfast.testing.opnsense.runtime import GROUPS
from holdfast.testing.opnsense.wire import Request, Response

if TYPE_CHECKING:
    from holdfast.testing.opnsense.simulator import Simulator

Answering = Callable[[Any], Any]


class Control:
    def __init__(self, appliance: Simulator) -> None:
        self.appliance = appliance
        self.table: Mapping[tuple[str, str], Answering] = {
            ("GET", "/state"): self.state,
            ("GET", "/history"): self.history,
            ("GET", "/calls"): self.calls,
            ("GET", "/faults"): lambda _: {"scenarios": list(SCENARIOS), "armed": len(appliance.faults.armed)},
            ("PUT", "/faults"): lambda rules: appliance.faults.put([Rule.read(rule) for rule in rules]),
            ("POST", "/arm"): lambda given: appliance.arm(**given),
            ("POST", "/clock/advance"): lambda given: {"now": appliance.clock.advance(float(given["seconds"]))},
            ("POST", "/foreign"): lambda given: appliance.foreign(**given),
            ("POST", "/reboot"): lambda _: appliance.reboot(),
            ("POST", "/reload"): lambda _: appliance.reload(),
            ("PUT", "/profile"): lambda given: appliance.become(given["profile"]),
            ("POST", "/reset"): lambda _: appliance.reset(),
        }

    def handle(self, request: Request) -> Response:
        answering = self.table.get((request.method, request.path))
        if answering is None:
            known = [f"{method} {path}" for method, path in self.table]
            return Response.json({"error": f"no {request.method} {request.path}", "known": known}, 404)
        try:
            answer = answering(json.loads(request.body or b"{}"))
        except (ValueError, TypeError, KeyError) as problem:
            return Response.json({"error": str(problem)}, 400)
        return Response(200, json.dumps({"ok": True} if answer is None else answer).encode())

    def state(self, _: Any) -> dict[str, Any]:
        appliance = self.appliance
        return {
            "profile": appliance.profile.name,
            "now": appliance.clock.now,
            "config": appliance.store.config,
            "runtime": {group: appliance.runtime(group) for group in GROUPS},
            "pending": appliance.pending,
            "services": appliance.running.status,
            "reachable": appliance.admits("127.0.0.1"),
        }

    def history(self, _: Any) -> list[dict[str, Any]]:
        return [
            {"id": revision.id, "time": revision.time, "description": revision.description, "username": revision.username}
            for revision in self.appliance.revisions
        ]

    def calls(self, _: Any) -> list[dict[str, Any]]:
        names = (*Recorded.__slots__, "writes", "activates")
        return [{name: _plain(getattr(call, name)) for name in names} for call in self.appliance.requests]


def _plain(value: object) -> object:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
