"""`holdfast.rollouts`: configurations of tenants in, typed results out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import holdfast
from holdfast.app.engine import Holdfast
from holdfast.app.looking.tenants import lines
from holdfast.rollouts import NetworkEndpoint, Rollouts, TenantDeployConfig, validate
from tests.rollouts.services import Service

Serve = Callable[..., Service]
GOOD = NetworkEndpoint(key="a", source_ip="10.0.0.1", target_ip="10.0.0.2")


def tenant(name: Any, *endpoints: NetworkEndpoint, version: str = "5", **more: Any) -> TenantDeployConfig:
    return TenantDeployConfig(
        tenant_id=name, deploy_unit_id=1, deploy_unit_version=version, network_endpoints=endpoints, plan_id="p1", **more
    )


def at(service: Service) -> NetworkEndpoint:
    return replace(GOOD, value=f"http://{service.host}")


def rollouts(hf: Holdfast) -> Rollouts:
    return Rollouts(hf, interval=0.005, attempts=2)


def errors(*configs: TenantDeployConfig) -> list[tuple[int, str]]:
    return [(finding.index, finding.field) for finding in validate(configs) if not finding.warning]


def test_p01_without_configurations_nothing_is_journaled(hf: Holdfast) -> None:
    with pytest.raises(holdfast.PlanError):
        rollouts(hf).create([])
    assert hf.journal.last_seq() == 0


def test_configurations_may_be_mappings_and_what_they_lack_is_told(serve: Serve, hf: Holdfast) -> None:
    endpoint = {"key": "a", "source_ip": "10.0.0.1", "target_ip": "10.0.0.2", "value": f"http://{serve({'version': '4'}).host}"}
    said = {
        "tenant_id": "acme",
        "deploy_unit_id": 1,
        "deploy_unit_version": "5",
        "plan_id": "p1",
        "network_endpoints": [endpoint],
    }
    facade = rollouts(hf)
    refused = facade.create([{**said, "tenant_id": None, "network_endpoints": None}])
    assert [getattr(finding, "field", None) for finding in refused.failure_info] == ["tenant_id", "network_endpoints"]
    assert facade.create(iter([said])).status == "committed"
    assert [facade.query(name)[0].status for name in ("p1", "p1/acme")] == ["completed", "completed"]


def test_it_needs_an_engine_without_an_event_loop(hf: Holdfast) -> None:
    with pytest.raises(TypeError, match=r"holdfast\.open"):
        Rollouts("state")  # type: ignore[arg-type]


def test_p02_one_invalid_configuration_refuses_all_with_its_errors(hf: Holdfast) -> None:
    result = rollouts(hf).create([tenant("good", GOOD), tenant("bad")])
    assert (result.status, result.task_ids, result.validated_count) == ("refused", (), 1)
    assert [getattr(finding, "tenant_id", None) for finding in result.failure_info] == ["bad"]
    assert hf.journal.last_seq() == 0


def test_p03_both_configurations_of_one_tenant_are_named() -> None:
    assert errors(tenant("a", GOOD), tenant("a", GOOD)) == [(1, "tenant_id")]
    assert "0 and 1" in next(finding.message for finding in validate([tenant("a", GOOD)] * 2) if not finding.warning)


@pytest.mark.parametrize(("name", "fine"), [(None, False), ("x" * 65, False), ("a/b", False), ("", False), ("Ab_9-", True)])
def test_p04_a_tenant_has_a_plain_name(name: Any, fine: bool) -> None:
    assert (errors(tenant(name, GOOD)) == []) is fine


def test_p05_endpoints_are_there_with_addresses_source_and_target() -> None:
    assert errors(tenant("a")) == [(0, "network_endpoints")]
    assert errors(tenant("a", replace(GOOD, target_ip="10.0.0.256"))) == [(0, "target_ip")]
    assert errors(tenant("a", replace(GOOD, source_ip=None))) == [(0, "source_ip")]
    assert errors(tenant("a", GOOD)) == []


def test_p06_all_errors_are_collected_unless_the_first_is_enough() -> None:
    bad = [tenant("a/b"), tenant("c d")]
    assert len(validate(bad)) == 4
    assert len(validate(bad, fail_fast=True)) == 1


def test_p07_unknown_names_are_not_found(hf: Holdfast) -> None:
    facade = rollouts(hf)
    for verb in (facade.pause, facade.resume, facade.rollback, facade.retry, facade.cancel, facade.query):
        for way in ("plan", "task", "tenant"):
            with pytest.raises(holdfast.Refused) as caught:
                verb(**{way: "nobody"})  # type: ignore[operator]
            assert caught.value.code == "not_found"


def test_p08_a_plan_is_rolled_out_once(serve: Serve, hf: Holdfast) -> None:
    service = serve({"version": "4"})
    facade = rollouts(hf)
    assert facade.create([tenant("acme", at(service))]).status == "committed"
    assert facade.create([tenant("acme", at(service), version="6")]).status == "refused"
    assert service.read_version == "5"


def test_x01_and_r01_a_tenant_is_rolled_out_queried_and_rolled_back(serve: Serve, hf: Holdfast) -> None:
    service = serve({"version": "4"})
    facade = rollouts(hf)
    created = facade.create([tenant("acme", at(service))])
    assert created.task_ids == ["p1/acme"]
    (status,) = facade.query(tenant="acme")
    assert (status.status, status.completed_stages, status.total_stages) == ("completed", 3, 3)
    assert not facade.has_checkpoint(task="p1/acme")
    assert hf.journal.locks() == []
    back = facade.rollback(tenant="acme")
    assert (back.target_type, back.target_id, back.success, back.final_status) == ("TASK", "p1/acme", True, "rolled_back")
    assert service.document == {"version": "4"}
    assert [line.last_known_good for line in lines(hf.journal)] == ["4"]


def test_x06_what_is_complete_cannot_be_retried(serve: Serve, hf: Holdfast) -> None:
    facade = rollouts(hf)
    facade.create([tenant("acme", at(serve({"version": "4"})))])
    before = hf.journal.last_seq()
    result = facade.retry(tenant="acme")
    assert not result.success
    assert result.failure_info is not None
    assert result.failure_info["code"] == "wrong_state"
    assert hf.journal.last_seq() == before


def test_k05_one_failing_tenant_is_rolled_back_and_the_others_stay(serve: Serve, hf: Holdfast) -> None:
    well, ill = serve({"version": "4"}), serve({"version": "4"})
    ill.health = lambda: {"version": "4"}  # type: ignore[method-assign]
    facade = rollouts(hf)
    assert facade.create([tenant("well", at(well)), tenant("ill", at(ill))]).status == "partial"
    assert [status.status for status in facade.query(plan="p1")] == ["completed", "rolled_back"]
    assert (well.read_version, ill.read_version) == ("5", "4")
    again = facade.retry(tenant="ill")
    assert (again.success, again.final_status) == (False, "rolled_back")  # it came back, but it is not in


def test_r05_without_a_previous_configuration_a_rollback_is_refused(serve: Serve, hf: Holdfast) -> None:
    service = serve(None)
    facade = rollouts(hf)
    facade.create([tenant("acme", at(service))])
    result = facade.rollback(tenant="acme")
    assert (result.success, result.final_status) == (False, "completed")
    assert result.failure_info is not None
    assert result.failure_info["code"] == "no_previous"


def test_the_given_previous_configuration_is_what_a_rollback_puts_back(serve: Serve, hf: Holdfast) -> None:
    service = serve({"version": "broken"})
    source = tenant("acme", at(service), version="3")
    facade = rollouts(hf)
    facade.create([tenant("acme", at(service), source_tenant_deploy_config=source)])
    assert facade.rollback(plan="p1").success
    assert service.document == source.document


def test_x19_the_times_of_a_task_are_its_own(serve: Serve, hf: Holdfast) -> None:
    facade = rollouts(hf)
    facade.create([tenant(name, at(serve({"version": "4"}))) for name in ("first", "second")], tasks_at_once=1)
    first, second = facade.query(plan="p1")
    assert first.started_at is not None and first.ended_at is not None and second.started_at is not None
    assert first.started_at <= first.ended_at <= second.started_at
    (row,) = hf.journal.runs(limit=1)
    assert row.ended_at is not None and second.ended_at is not None and second.ended_at <= row.ended_at


def test_x12_x13_k06_k07_a_plan_is_paused_resumed_and_cancelled_while_it_runs(serve: Serve, hf: Holdfast) -> None:
    """From within the process that runs it, as another process would ask."""
    service = serve({"version": "4"})
    facade, said = rollouts(hf), []

    def ask(run: Any, events: Any) -> None:
        types = {event.type for event in events}
        if "run.started" in types:
            said.append(facade.pause(plan="p1").success)
        if "run.paused" in types:
            (status,) = facade.query(plan="p1")
            said.append((status.paused, status.ended_at, facade.has_checkpoint(plan="p1")))
            said.append(facade.resume(plan="p1").success)

    hf.parts.watchers.append(ask)
    assert facade.create([tenant("acme", at(service))]).status == "committed"
    assert said == [True, (True, None, True), True]
    assert service.log.count("PUT 5") == 1


def test_what_a_roll_out_is_called_in_results_is_how_it_is_found(serve: Serve, hf: Holdfast) -> None:
    facade = rollouts(hf)
    created = facade.create([replace(tenant("acme", at(serve({"version": "4"}))), plan_id="spring_26")])
    assert (created.status, created.plan_id, created.task_ids) == ("committed", "spring_26", ["spring_26/acme"])
    for named in ({"plan_id": created.plan_id}, {"task_id": created.task_ids[0]}, {"tenant_id": "acme"}):
        (status,) = facade.query(**named)
        assert (status.task_id, status.status) == ("spring_26/acme", "completed")
