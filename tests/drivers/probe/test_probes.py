"""Waits, and what all probes have in common: there is nothing to undo, and whoever is interrupted still answers."""

from __future__ import annotations

import asyncio
import ssl
import subprocess

import pytest

from holdfast.core.change import Effect, Look, Verdict, classify
from holdfast.drivers.contract import Batch, Ending
from holdfast.drivers.probe.local import Probes
from holdfast.drivers.secrets import Secrets
from holdfast.kinds.contract import Duration
from holdfast.kinds.wait import Wait
from tests.drivers.probe.conftest import Server, VirtualTime, answer, health, move, probe


def test_a_wait_takes_its_time_and_no_more():
    time = VirtualTime()
    outcome = asyncio.run(probe(Wait(duration=Duration(90)), time))
    assert (outcome.ending, time.slept) == (Ending.DONE, [90.0])


def test_a_wait_longer_than_its_time_limit_fails():
    driver = Probes(secrets=Secrets({}))
    (outcome,) = asyncio.run(driver.apply(Batch((move(Wait(duration=Duration(90)), timeout=0.05),))))
    assert outcome.failure.code == "timeout"


def test_a_cancelled_probe_still_answers():
    async def scenario():
        task = asyncio.ensure_future(Probes(secrets=Secrets({})).apply(Batch((move(Wait(duration=Duration(90))),))))
        await asyncio.sleep(0.01)
        task.cancel()
        return await task

    (outcome,) = asyncio.run(scenario())
    assert (outcome.ending, outcome.failure.code) == (Ending.FAILED, "cancelled")


@pytest.mark.parametrize("operation", [Wait(duration=Duration(90)), health("http://127.0.0.1:1/")])
def test_there_is_nothing_to_undo(operation):
    (outcome,) = asyncio.run(Probes(secrets=Secrets({})).apply(Batch((move(operation, undo=True),))))
    assert outcome.ending is Ending.UNCHANGED


def test_a_probe_in_doubt_can_be_made_again():
    change = move(Wait(duration=Duration(1))).change
    found = asyncio.run(Probes(secrets=Secrets({})).inspect([Look(change.key)]))
    assert found == {change.key: Effect(False)}
    assert classify(change, found[change.key]) is Verdict.NOT_APPLIED


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, *subject]
    subprocess.run(made, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)

    async def scenario():
        server = Server(answer("ok"))
        listening = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
        port = listening.sockets[0].getsockname()[1]
        try:
            return await probe(health(f"https://127.0.0.1:{port}/", attempts=1)), server.requests
        finally:
            listening.close()

    outcome, requests = asyncio.run(scenario())
    assert "its certificate is not trusted" in outcome.failure.message
    assert requests == []
