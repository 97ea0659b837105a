"""A simulated appliance over real HTTP, a real engine, and plans in few words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast import Holdfast, Plan
from holdfast.testing.crash_opnsense import restless
from holdfast.testing.opnsense import Simulator
from holdfast.testing.opnsense.recorded import Recorded

PlanOf = Callable[..., Plan]


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator(profile="26.1", seed=1) as simulator:
        yield simulator


@pytest.fixture
def hf(tmp_path: Path) -> Iterator[Holdfast]:
    """Pauses between two looks at an appliance pass at once: its clock moves with every request, not with ours."""
    with restless(str(tmp_path / "state")) as engine:
        yield engine


@pytest.fixture
def plan_of(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> PlanOf:
    return plans_for(sim, monkeypatch)


def plans_for(sim: Simulator, monkeypatch: pytest.MonkeyPatch, **target: Any) -> PlanOf:
    """Plans for the target `edge`, which is this simulator."""
    monkeypatch.setenv("EDGE_KEY", sim.key)
    monkeypatch.setenv("EDGE_SECRET", sim.secret)
    edge = {"opnsense": sim.url, "key": {"secret": "env:EDGE_KEY"}, "secret": {"secret": "env:EDGE_SECRET"}, **target}

    def make(*steps: dict[str, Any], name: str = "edge", also: dict[str, Any] | None = None, **more: Any) -> Plan:
        targets = {"edge": edge, **(also or {})}
        what = {} if "stages" in more else {"steps": list(steps)}
        document = {"holdfast": 1, "name": name, "targets": targets, "on": "edge", **what, **more}
        return holdfast.parse(document)

    return make


def alias(name: str, *content: str, **more: Any) -> dict[str, Any]:
    return {"opnsense.firewall.alias": name, "values": {"type": "host", "content": list(content)}, **more}


def rule(description: str, port: int, **more: Any) -> dict[str, Any]:
    values = {"interface": "lan", "protocol": "TCP", "destination_port": port, **more.pop("values", {})}
    return {"opnsense.firewall.rule": description, "values": values, **more}


def absent(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {f"opnsense.{kind}": name, "state": "absent", **more}


def named(sim: Simulator, path: str, field: str = "name") -> dict[str, str]:
    """By name, the uuids of what is configured."""
    return {values[field]: uuid for uuid, values in sim.objects(path).items()}


def ports(sim: Simulator) -> dict[str, str]:
    """By description, the destination ports of the rules."""
    return {values["description"]: values["destination_port"] for values in sim.objects("firewall.rule").values()}


def writes(sim: Simulator) -> list[str]:
    """The writes so far, without activation."""
    return [call.uri for call in sim.requests if call.writes and any(f"/{verb}_" in call.uri for verb in ("set", "add", "del"))]


def calls(sim: Simulator, words: str) -> int:
    """Requests to an address, without those that only asked whether the key may activate."""
    return sum(words in call.uri and not _probes(call) for call in sim.requests)


def _probes(call: Recorded) -> bool:
    return call.action in ("apply", "reconfigure") and not call.activates
