"""Resources: runs, plans and checkpoints as documents that can be read by their address, and the schema of plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from holdfast import planfile
from holdfast.core.errors import Refused
from holdfast.mcp.agent import Agent
from holdfast.mcp.untrusted import Sealing

SCHEME: Final = "holdfast://"
JSON: Final = "application/json"


class Shelf(NamedTuple):
    title: str
    description: str
    all: Callable[[Agent], dict[str, Any]]
    one: Callable[[Agent, str], dict[str, Any]]


SHELVES: Final[Mapping[str, Shelf]] = {
    "runs": Shelf("Runs", "What was run, and how it ended", lambda agent: agent.list_runs(100), Agent.show_run),
    "plans": Shelf("Plans", "Plans that were previewed and can be applied", Agent.list_plans, Agent.show_plan),
    "checkpoints": Shelf("Checkpoints", "Recorded states to go back to", Agent.list_checkpoints, Agent.show_checkpoint),
}


def read(agent: Agent, address: str) -> dict[str, Any]:
    """What lies at an address; raises Refused when nothing does."""
    shelf, _, name = address.removeprefix(SCHEME).partition("/")
    if address == f"{SCHEME}schema":
        return planfile.schema()
    if not address.startswith(SCHEME) or shelf not in SHELVES:
        raise Refused(f"nothing is at `{address[:100]}`", code="not_found", hint=f"see {SCHEME}runs")
    found = SHELVES[shelf].one(agent, unquote(name)) if name else SHELVES[shelf].all(agent)
    answer: dict[str, Any] = Sealing().document(found)
    return answer
