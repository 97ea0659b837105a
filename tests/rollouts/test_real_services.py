"""Roll-outs to services that are processes of their own, and are really killed, slowed and restarted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast.app.engine import Holdfast
from holdfast.app.looking.tenants import lines
from holdfast.testing.tenant_service import TenantService

Start = Callable[..., TenantService]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[TenantService] = []

    def make(version: str | None = "1") -> TenantService:
        started.append(TenantService(tmp_path / f"service{len(started)}", version))
        return started[-1]

    yield make
    for service in started:
        service.kill()


def document(*services: TenantService, version: str = "2", retry: int = 1, **policy: Any) -> dict[str, Any]:
    """Three stages for each tenant: its configuration, the word to its readers, and their answer."""
    write = {"id": "c", "config": "http://${each.host}/config", "values": {}, "version": version}
    stages = {
        "config": [{**write, "retry": {"attempts": retry, "delay": "200ms"}}],
        "broadcast": [{"broadcast": "http://${each.host}/reload", "id": "b"}],
        "health": [{"id": "h", "health": "http://${each.host}/health", "version_of": "c", "attempts": 20, "interval": "50ms"}],
    }
    task = {
        "name": "deploy",
        "locks": ["tenant:${each.tenant}"],
        "each": [{"tenant": f"t{number}", "host": service.host} for number, service in enumerate(services)],
        "stages": [{"name": name, "steps": steps} for name, steps in stages.items()],
    }
    return {"holdfast": 1, "name": "many", "policy": {"scope": "task", **policy}, "tasks": [task]}


def deploy(*services: TenantService, **more: Any) -> holdfast.Plan:
    return holdfast.parse(document(*services, **more))


def until(so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


def puts(service: TenantService) -> list[str]:
    return [line for line in service.log if line.startswith("PUT")]


def test_a_service_that_is_down_is_refused_before_anything_is_touched(start: Start, hf: Holdfast) -> None:
    up, down = start(), start()
    down.kill()
    result = hf.apply(deploy(up, down))
    assert (result.ending, result.errors[0]["code"]) == ("refused", "unreachable")
    assert (up.version, up.log) == ("1", [])


def test_a_service_that_is_killed_in_the_middle_and_restarted_is_waited_for(start: Start, hf: Holdfast) -> None:
    service = start()

    def strike(run: Any, events: Any) -> None:
        if any(event.type == "stage.completed" and event.stage == 1 for event in events):
            service.kill()
            service.start()

    hf.parts.watchers.append(strike)
    assert hf.apply(deploy(service)).ending == "committed"
    assert (service.version, puts(service)) == ("2", ["PUT 2"])


def test_r02_a_service_that_stays_down_leaves_its_task_behind_and_the_others_in(start: Start, hf: Holdfast) -> None:
    well, ill = start(), start()

    def strike(run: Any, events: Any) -> None:
        if any(event.type == "stage.completed" and (event.task, event.stage) == (1, 0) for event in events):
            ill.kill()

    hf.parts.watchers.append(strike)
    result = hf.apply(deploy(well, ill))
    assert (result.ending, [task["state"] for task in result.tasks]) == ("stuck", ["completed", "rollback_failed"])
    assert {residue["step"] for residue in result.residue} >= {"c@t1"}
    assert (well.version, ill.version) == ("2", "2")
    ill.start()
    again = hf.rollback(result.run)
    assert (again.ending, again.residue) == ("rolled_back", [])
    assert (well.version, ill.version) == ("1", "1")


def test_a_slow_service_is_waited_for(start: Start, hf: Holdfast) -> None:
    service = start()
    service.put("slow", 0.3)
    assert hf.apply(deploy(service)).ending == "committed"


def test_readers_that_never_hear_get_their_old_configuration_back(start: Start, hf: Holdfast) -> None:
    deaf = start()
    deaf.put("deaf", True)
    result = hf.apply(deploy(deaf))
    assert (result.ending, deaf.version, puts(deaf)) == ("rolled_back", "1", ["PUT 2", "PUT 1"])
    assert [(line.version, line.last_known_good) for line in lines(hf.journal)] == [("1", "1")]


APPLY = "import holdfast, sys\nwith holdfast.open(sys.argv[2]) as hf: hf.apply(holdfast.load(sys.argv[1]))"


@pytest.mark.parametrize("resume", [True, False])
def test_z01_a_roll_out_that_was_killed_in_its_second_stage_goes_on_or_goes_back(
    start: Start, tmp_path: Path, resume: bool
) -> None:
    import json

    service = start()
    (tmp_path / "plan.json").write_text(json.dumps(document(service)))
    service.put("mute", "/reload")
    command = [sys.executable, "-c", APPLY, str(tmp_path / "plan.json"), str(tmp_path / "state")]
    with subprocess.Popen(command, env=os.environ) as process:
        until(lambda: "POST /reload" in service.log)
        process.send_signal(signal.SIGKILL)
    service.drop("mute")
    with holdfast.open(str(tmp_path / "state")) as hf:
        (row,) = hf.runs()
        assert (row["state"], row["ending"]) == ("interrupted", None)
        (result,) = hf.recover(resume=resume)
        events = [(event["type"], event.get("stage")) for event in hf.event_documents(result.run)]
        numbers = [event["plan_seq"] for event in hf.event_documents(result.run)]
        assert hf.journal.locks() == []
    assert result.ending == ("committed" if resume else "rolled_back")
    assert service.version == ("2" if resume else "1")
    assert puts(service) == (["PUT 2"] if resume else ["PUT 2", "PUT 1"])
    assert events.count(("stage.started", "config")) == 1
    assert numbers == list(range(1, len(numbers) + 1))  # E05: they go on where the dead process stopped
