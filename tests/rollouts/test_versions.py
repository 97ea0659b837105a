"""`health` with `version_of`: the step waits until every listed reader reports what was written, and asks again going back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import holdfast
from holdfast.app.engine import Holdfast
from tests.rollouts.services import Service

OLD = {"version": "4"}
Serve = Callable[..., Service]


def rollout(service: Service, *readers: Service, fail: bool = False, **health: Any) -> holdfast.Plan:
    check = {"health": [reader.url("/health") for reader in readers or (service,)], "version_of": "config"}
    stages = [
        {"name": "config", "steps": [{"id": "config", "config": service.url("/config"), "values": {}, "version": "5"}]},
        {"name": "tell", "steps": [{"id": "tell", "broadcast": [reader.url("/reload") for reader in readers or (service,)]}]},
        {"name": "check", "steps": [{"id": "check", "interval": "10ms", "attempts": 3, **check, **health}]},
    ]
    if fail:
        stages.append({"name": "late", "steps": [{"id": "late", "command": "false"}]})
    return holdfast.parse({"holdfast": 1, "name": "rollout", "tasks": [{"name": "t", "stages": stages}]})


def asked(service: Service) -> int:
    return service.log.count("GET /health")


def follow(document: Service, reader: Service) -> None:
    """The reader reads what the other service holds, whenever it is told."""
    reader.reload = lambda: setattr(reader, "read_version", (document.document or {}).get("version"))  # type: ignore[method-assign]


def test_a01_old_answers_are_asked_again_until_the_new_one_comes(serve: Serve, hf: Holdfast) -> None:
    service = serve(OLD)
    service.lag = 2
    result = hf.apply(rollout(service))
    assert result.ending == "committed"
    assert asked(service) == 3


def test_c02_who_is_healthy_is_not_asked_again(serve: Serve, hf: Holdfast) -> None:
    service = serve(OLD)
    hf.apply(rollout(service))
    assert asked(service) == 1


def test_a02_and_c04_the_stale_reader_is_named_and_all_are_asked_in_every_attempt(serve: Serve, hf: Holdfast) -> None:
    service, fresh, stale = serve(OLD), serve(OLD), serve(OLD)
    follow(service, fresh)
    stale.deaf = True
    result = hf.apply(rollout(service, fresh, stale))
    assert result.ending == "rolled_back"
    message = result.errors[0]["message"]
    assert stale.host in message
    assert fresh.host not in message
    assert '"4"' in message
    assert asked(fresh) == asked(stale) == 3 + 1  # the new version in vain three times, and the old one once


def test_c01_the_step_fails_after_exactly_as_many_attempts_as_it_has(serve: Serve, hf: Holdfast) -> None:
    service = serve({"version": "0"})
    service.deaf = True
    result = hf.apply(rollout(service, attempts=3))
    assert [error["code"] for error in result.errors] == ["unhealthy"]
    assert asked(service) == 3 + 1


def test_c03_an_answer_without_a_version_is_not_healthy(serve: Serve, hf: Holdfast) -> None:
    service = serve(OLD)
    service.health = lambda: {"status": "fine"}  # type: ignore[method-assign]
    result = hf.apply(rollout(service))
    assert "it has no `version`" in result.errors[0]["message"]


def test_a04_the_version_may_stand_anywhere_in_the_answer(serve: Serve, hf: Holdfast) -> None:
    service = serve(OLD)
    assert hf.apply(rollout(service, expect={"json": {"nested.version": "version_of"}})).ending == "committed"


def test_r03_a_rollback_is_done_when_the_version_before_is_confirmed(serve: Serve, hf: Holdfast) -> None:
    service = serve(OLD)
    result = hf.apply(rollout(service, fail=True))
    assert result.ending == "rolled_back"
    assert service.document == OLD
    lines = [line for line in service.log if line != "GET /config"]
    assert lines == ["PUT 5", "POST /reload", "GET /health", "PUT 4", "POST /reload", "GET /health"]


def test_r03_a_rollback_whose_readers_stay_on_the_new_version_has_failed(serve: Serve, hf: Holdfast) -> None:
    service = serve(OLD)
    run = hf.apply(rollout(service)).run
    service.deaf = True
    result = hf.rollback(run)
    assert result.ending == "stuck"
    assert "unhealthy" in result.residue[0]["reason"]
    assert [task["state"] for task in result.plain()["tasks"]] == ["rollback_failed"]
    assert service.document == OLD


def test_r06_a_failed_rollback_goes_on_with_what_is_left(serve: Serve, hf: Holdfast) -> None:
    service = serve(OLD)
    run = hf.apply(rollout(service)).run
    service.deaf = True
    hf.rollback(run)
    service.deaf = False
    service.reload()
    written = service.log.count("PUT 4")
    assert hf.rollback(run).ending == "rolled_back"
    assert service.log.count("PUT 4") == written


def test_r04_a_rollback_covers_the_stages_that_ran_and_no_other(serve: Serve, hf: Holdfast) -> None:
    service, down = serve(OLD), serve(OLD)
    down.close()
    result = hf.apply(rollout(service, down))
    assert service.document == OLD
    assert asked(service) == 0
    events = [event["type"] for event in hf.events(result.run) if event.get("stage") == "check"]
    assert events == []


def test_the_check_of_a_version_is_part_of_each_copy_of_a_repeated_task(serve: Serve, hf: Holdfast) -> None:
    one, other = serve(OLD), serve(OLD)
    task = {
        "name": "deploy",
        "each": [{"tenant": "one", "host": one.host}, {"tenant": "other", "host": other.host}],
        "stages": [
            {"name": "c", "steps": [{"id": "c", "config": "http://${each.host}/config", "values": {}, "version": "5"}]},
            {"name": "b", "steps": [{"broadcast": "http://${each.host}/reload"}]},
            {"name": "h", "steps": [{"health": "http://${each.host}/health", "version_of": "c", "attempts": 1}]},
        ],
    }
    assert hf.apply(holdfast.parse({"holdfast": 1, "name": "many", "tasks": [task]})).ending == "committed"
    assert (one.read_version, other.read_version) == ("5", "5")


def test_a_check_of_no_step_is_a_problem(serve: Serve) -> None:
    with pytest.raises(holdfast.PlanError) as caught:
        rollout(serve(OLD), version_of="confg")
    assert [problem.code for problem in caught.value.problems] == ["unknown_step"]


def test_a_rollout_can_be_rehearsed_and_nobody_is_told(serve: Serve, hf: Holdfast) -> None:
    service = serve(OLD)
    rehearsal = hf.rehearse(rollout(service))
    assert (rehearsal.coverage, list(rehearsal.residue)) == (100.0, [])
    assert set(service.log) == {"GET /config"}
