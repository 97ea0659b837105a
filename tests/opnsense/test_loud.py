"""Who believes every certificate is told so: in the plan, in the run, in the journal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast import Holdfast, PlanError
from holdfast.testing.opnsense import Certificate, Simulator
from tests.opnsense.conftest import plans_for, rule


@pytest.fixture
def secure() -> Iterator[Simulator]:
    with Simulator(tls=Certificate.self_signed()) as simulator:
        yield simulator


def test_a_target_whose_certificate_nobody_checks_is_loud(
    hf: Holdfast, secure: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plans_for(secure, monkeypatch, verify=False)(rule("ssh", 22))
    assert "the certificate of `edge` is not verified" in hf.plan(plan).plain()["warnings"][0]
    result = hf.apply(plan)
    assert result.ending == "committed" and "the certificate of `edge`" in result.plain()["warnings"][0]
    assert "is not verified" in str(next(iter(hf.events(result.run)))["data"]["warnings"])


def test_the_command_line_says_so(secure: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K", secure.key)
    monkeypatch.setenv("S", secure.secret)
    edge = {"opnsense": secure.url, "key": {"secret": "env:K"}, "secret": {"secret": "env:S"}, "verify": False}
    document = {"holdfast": 1, "name": "loud", "targets": {"edge": edge}, "on": "edge", "steps": [rule("ssh", 22)]}
    (tmp_path / "plan.json").write_text(json.dumps(document))
    command = [sys.executable, "-m", "holdfast", "--state", str(tmp_path / "state"), "plan", str(tmp_path / "plan.json")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "warning: the certificate of `edge` is not verified" in shown


def resource(appliance: Simulator, **trust: Any) -> dict[str, Any]:
    """Some document of the appliance as a REST resource: it is there, and is to be."""
    url = f"{appliance.url}/api/core/system/status"
    login = {"Authorization": {"secret": "env:LOGIN"}}
    return {"http": url, "body": {"metadata": {}}, "compare": ["metadata"], "headers": login, "on": "local", **trust}


def test_rest_resources_believe_a_ca_a_fingerprint_or_say_that_they_believe_everybody(
    hf: Holdfast, secure: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert secure.tls is not None
    (tmp_path / "ca.pem").write_text(secure.tls.pem)
    monkeypatch.setenv("LOGIN", "Basic nobody")
    plan_of = plans_for(secure, monkeypatch)

    def code(**trust: Any) -> str:
        result = hf.apply(plan_of(resource(secure, **trust)))
        assert result.ending == "refused"
        return str(result.errors[0]["code"]) + (" aloud" if result.warnings else "")

    heard = len(secure.requests)
    assert code(fingerprint="sha256:" + "ab" * 32) == "auth_failed"
    assert code() == "auth_failed"
    assert len(secure.requests) == heard  # nobody was believed, so nothing was said
    assert code(ca=str(tmp_path / "ca.pem")) == "auth_failed"
    assert code(fingerprint=secure.tls.fingerprint) == "auth_failed"
    assert code(verify=False) == "auth_failed aloud"
    assert len(secure.requests) == heard + 3  # these came as far as the login


@pytest.mark.parametrize("trust", [{"ca": "ca.pem"}, {"fingerprint": "sha256:zz"}, {"verify": False, "ca": "/ca.pem"}])
def test_trust_that_makes_no_sense_is_refused(trust: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with Simulator() as sim, pytest.raises(PlanError):
        plans_for(sim, monkeypatch)(resource(sim, **trust))
