"""`config` and `broadcast`: what a service holds is moved to a new document and back, and listeners hear of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import holdfast
from holdfast.app.engine import Holdfast
from holdfast.core.result import Result
from tests.rollouts.services import Service

OLD = {"version": "4", "limit": 10}
FAIL: dict[str, Any] = {"id": "fail", "command": "false"}


def plan(*steps: dict[str, Any], **policy: Any) -> holdfast.Plan:
    stages = [{"name": f"s{number}", "steps": [step]} for number, step in enumerate(steps)]
    return holdfast.parse({"holdfast": 1, "name": "rollout", "policy": policy, "tasks": [{"name": "t", "stages": stages}]})


def config(service: Service, **more: Any) -> dict[str, Any]:
    return {"id": "config", "config": service.url("/config"), "values": {"limit": 20}, "version": "5", **more}


def codes(result: Result) -> list[str]:
    return [error["code"] for error in result.errors]


def test_the_document_is_the_wanted_one_afterwards(serve: Callable[..., Service], hf: Holdfast) -> None:
    service = serve(OLD)
    assert hf.apply(plan(config(service))).ending == "committed"
    assert service.document == {"limit": 20, "version": "5"}
    assert hf.apply(plan(config(service))).ending == "unchanged"


def test_what_was_read_before_is_put_back(serve: Callable[..., Service], hf: Holdfast) -> None:
    service = serve(OLD)
    assert hf.apply(plan(config(service), FAIL)).ending == "rolled_back"
    assert service.document == OLD


def test_a_given_previous_document_is_preferred_to_what_was_read(serve: Callable[..., Service], hf: Holdfast) -> None:
    service = serve({"version": "broken"})
    assert hf.apply(plan(config(service, previous=OLD), FAIL)).ending == "rolled_back"
    assert service.document == OLD


def test_a_committed_run_can_be_rolled_back_later(serve: Callable[..., Service], hf: Holdfast) -> None:
    service = serve(OLD)
    run = hf.apply(plan(config(service))).run
    assert hf.rollback(run).ending == "rolled_back"
    assert service.document == OLD


def test_r05_without_a_previous_document_nobody_pretends_to_go_back(serve: Callable[..., Service], hf: Holdfast) -> None:
    service = serve(None)
    wanted = plan(config(service), FAIL)
    assert list(hf.plan(wanted).irreversible) == ["config", "fail"]
    result = hf.apply(wanted)
    assert result.ending == "stuck"
    assert "no_previous" in result.residue[0]["reason"]
    assert service.document == {"limit": 20, "version": "5"}


def test_what_somebody_else_wrote_meanwhile_stays(serve: Callable[..., Service], hf: Holdfast) -> None:
    service = serve(OLD)
    run = hf.apply(plan(config(service))).run
    service.document = {"version": "9", "by": "somebody else"}
    result = hf.rollback(run)
    assert result.ending == "stuck"
    assert "foreign_change" in result.residue[0]["reason"]
    assert service.document == {"version": "9", "by": "somebody else"}


def test_a_write_without_an_answer_is_looked_into(serve: Callable[..., Service], hf: Holdfast) -> None:
    service = serve(OLD)
    service.mute_writes = True
    assert hf.apply(plan(config(service))).ending == "committed"


def test_a03_a_refused_write_is_an_error_with_the_answer(serve: Callable[..., Service], hf: Holdfast) -> None:
    service = serve(OLD)
    service.refuses.append("5")
    result = hf.apply(plan(config(service)))
    assert (result.ending, codes(result)) == ("rolled_back", ["api_rejected"])
    assert "422" in result.errors[0]["message"]
    assert service.document == OLD


def test_garbage_is_refused_before_anything_is_touched(serve: Callable[..., Service], hf: Holdfast) -> None:
    service = serve(OLD)
    service.garbage = True
    result = hf.apply(plan(config(service)))
    assert (result.ending, codes(result)) == ("refused", ["api_rejected"])


def test_a_service_that_is_down_is_refused_before_anything_is_touched(serve: Callable[..., Service], hf: Holdfast) -> None:
    service = serve(OLD)
    service.close()
    assert codes(hf.apply(plan(config(service)))) == ["unreachable"]


def test_a_secret_header_is_sent_and_never_kept(
    serve: Callable[..., Service], hf: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "hunter2-and-more")
    service = serve(OLD)
    headers = {"X-Token": {"secret": "env:TOKEN"}}
    run = hf.apply(plan(config(service, headers=headers))).run
    assert service.headers[0]["X-Token"] == "hunter2-and-more"
    assert "hunter2-and-more" not in str(list(hf.events(run)))


def test_listeners_are_told_again_once_the_document_is_back(serve: Callable[..., Service], hf: Holdfast) -> None:
    service = serve(OLD)
    broadcast = {"id": "tell", "broadcast": [service.url("/reload")], "message": {"reload": True}}
    assert hf.apply(plan(config(service), broadcast, FAIL)).ending == "rolled_back"
    assert [line for line in service.log if line[:3] != "GET"] == ["PUT 5", "POST /reload", "PUT 4", "POST /reload"]
    assert service.read_version == "4"


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ({"config": "ftp://x/y", "values": {"a": 1}}, "invalid_value"),
        ({"config": "http://me:secret@x/y", "values": {"a": 1}}, "literal_secret"),
        ({"config": "http://x/y", "values": {}}, "invalid_value"),
        ({"config": "http://x/y", "values": {"version": 1}, "version": 2}, "invalid_value"),
        ({"config": "http://x/y", "values": {"a": 1}, "headers": {"Authorization": "Bearer x"}}, "literal_secret"),
        ({"broadcast": []}, "invalid_value"),
        ({"broadcast": "http://x/", "method": "no method"}, "invalid_value"),
    ],
)
def test_what_cannot_be_meant_is_a_problem(step: dict[str, Any], code: str) -> None:
    with pytest.raises(holdfast.PlanError) as caught:
        plan(step)
    assert [problem.code for problem in caught.value.problems] == [code]
