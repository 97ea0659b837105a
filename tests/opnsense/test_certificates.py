"""Whom Holdfast speaks to: the certificate of an appliance is verified, by a CA file or by its fingerprint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import Holdfast
from holdfast.testing.opnsense import Certificate, Simulator
from tests.opnsense.conftest import plans_for, rule


@pytest.fixture
def secure() -> Iterator[Simulator]:
    with Simulator(tls=Certificate.self_signed()) as simulator:
        yield simulator


def test_a_certificate_that_nobody_vouches_for_is_refused(
    hf: Holdfast, secure: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = hf.apply(plans_for(secure, monkeypatch)(rule("ssh", 22)))
    assert (result.ending, result.errors[0]["code"]) == ("refused", "host_key_mismatch")
    assert secure.requests == []


def test_a_ca_file_vouches_for_it(hf: Holdfast, secure: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert secure.tls is not None
    (tmp_path / "ca.pem").write_text(secure.tls.pem)
    plan_of = plans_for(secure, monkeypatch, ca=str(tmp_path / "ca.pem"))
    assert hf.apply(plan_of(rule("ssh", 22))).ending == "committed"


def test_the_pinned_certificate_is_believed_and_no_other(
    hf: Holdfast, secure: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert secure.tls is not None
    plan_of = plans_for(secure, monkeypatch, fingerprint=secure.tls.fingerprint)
    assert hf.apply(plan_of(rule("ssh", 22))).ending == "committed"
    heard = len(secure.requests)
    other = plans_for(secure, monkeypatch, fingerprint="sha256:" + "ab" * 32)
    result = hf.apply(other(rule("ssh", 2222)))
    assert (result.ending, result.errors[0]["code"]) == ("refused", "host_key_mismatch")
    assert f"believed: the certificate is {secure.tls.fingerprint}, not" in result.errors[0]["message"]
    assert len(secure.requests) == heard
