"""Tenants: what each runs, and what it last ran well."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast.app.engine import Holdfast
from holdfast.app.looking.tenants import Tenants, lines
from holdfast.cli import main
from tests.rollouts.services import Service

Serve = Callable[..., Service]


def deploy(*services: Service, version: str, **policy: Any) -> holdfast.Plan:
    task = {
        "name": "deploy",
        "each": [{"tenant": f"t{number}", "host": service.host} for number, service in enumerate(services)],
        "stages": [
            {"name": "c", "steps": [{"id": "c", "config": "http://${each.host}/config", "values": {}, "version": version}]},
            {"name": "b", "steps": [{"broadcast": "http://${each.host}/reload"}]},
            {
                "name": "h",
                "steps": [{"health": "http://${each.host}/health", "version_of": "c", "attempts": 2, "interval": "5ms"}],
            },
        ],
    }
    return holdfast.parse({"holdfast": 1, "name": "many", "policy": {"scope": "task", **policy}, "tasks": [task]})


def versions(hf: Holdfast) -> list[tuple[str, Any, Any]]:
    return [(line.tenant, line.version, line.last_known_good) for line in lines(hf.journal)]


def test_what_is_in_is_the_last_known_good(serve: Serve, hf: Holdfast) -> None:
    one, other = serve({"version": "1"}), serve({"version": "1"})
    assert hf.apply(deploy(one, other, version="2")).ending == "committed"
    assert versions(hf) == [("t0", "2", "2"), ("t1", "2", "2")]


def test_r03_the_version_that_was_put_back_and_confirmed_is_the_last_known_good(serve: Serve, hf: Holdfast) -> None:
    one, other = serve({"version": "1"}), serve({"version": "1"})
    other.health = lambda: {"version": "1"}  # type: ignore[method-assign]
    assert hf.apply(deploy(one, other, version="2")).ending == "partial"
    assert versions(hf) == [("t0", "2", "2"), ("t1", "1", "1")]


def test_r03_without_a_confirmation_the_last_known_good_stays(serve: Serve, hf: Holdfast) -> None:
    service = serve({"version": "1"})
    run = hf.apply(deploy(service, version="2")).run
    service.deaf = True
    assert hf.rollback(run).ending == "stuck"
    assert versions(hf) == [("t0", "1", "2")]


def test_what_could_not_be_put_back_says_nothing_of_what_came_after_it(serve: Serve, hf: Holdfast) -> None:
    service = serve({"version": "1"})
    older = hf.apply(deploy(service, version="2")).run
    hf.apply(deploy(service, version="3"))
    assert hf.rollback(older).ending == "stuck"
    assert versions(hf) == [("t0", "3", "3")]


def test_compaction_loses_nothing(serve: Serve, hf: Holdfast) -> None:
    service = serve({"version": "1"})
    hf.apply(deploy(service, version="2"))
    hf.apply(deploy(service, version="3"))
    hf.compact(keep_runs=0)
    assert versions(hf) == [("t0", "3", "3")]


def test_who_asks_again_and_again_is_told_what_one_who_reads_anew_is_told(serve: Serve, hf: Holdfast) -> None:
    one, other = serve({"version": "1"}), serve({"version": "1"})
    kept = Tenants(hf.journal)

    def agrees() -> list[tuple[str, Any, Any]]:
        assert kept.lines() == lines(hf.journal)
        return versions(hf)

    assert agrees() == []
    hf.apply(deploy(one, other, version="2"))
    assert agrees() == [("t0", "2", "2"), ("t1", "2", "2")]
    run = hf.apply(deploy(one, version="3")).run
    assert agrees() == [("t0", "3", "3"), ("t1", "2", "2")]
    hf.rollback(run)
    assert agrees() == [("t0", "2", "2"), ("t1", "2", "2")]
    hf.compact(keep_runs=0)
    hf.apply(deploy(one, version="4"))
    assert agrees() == [("t0", "4", "4"), ("t1", "2", "2")]


def test_the_command_shows_what_each_tenant_runs(
    serve: Serve, hf: Holdfast, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = serve({"version": "1"})
    hf.apply(deploy(service, version="2"))
    state = str(tmp_path / "state")
    assert main(["--state", state, "--json", "tenants"]) == 0
    (line,) = json.loads(capsys.readouterr().out)["tenants"]
    assert (line["tenant"], line["version"], line["last_known_good"]) == ("t0", "2", "2")
    assert line["resource"] == f"local:config:{service.url('/config')}"
    assert main(["--state", state, "tenants"]) == 0
    assert "t0" in capsys.readouterr().out
