"""Health checks against real servers, in virtual time. Ids such as C01 name the behaviours they were agreed under."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.drivers.contract import Ending
from holdfast.drivers.secrets import Secrets
from holdfast.kinds.health import Expect
from tests.drivers.probe.conftest import Server, VirtualTime, answer, free_port, health, probe


def run(scenario):
    return asyncio.run(asyncio.wait_for(scenario, 20))


def against(*responses: bytes, time: VirtualTime | None = None, path: str = "", **arguments):
    """The outcome of checking a server that answers so, and the server."""

    async def scenario():
        async with Server(*responses).serving() as server:
            limits = {name: arguments.pop(name) for name in ("attempt_timeout_s", "secrets", "timeout") if name in arguments}
            return await probe(health(server.url + path, **arguments), time, **limits), server

    return run(scenario())


def test_C01_an_old_version_for_ever_fails_after_exactly_the_attempts():
    time = VirtualTime()
    expect = Expect(json={"version": "7"})
    outcome, server = against(answer('{"version": "0"}'), time=time, attempts=3, expect=expect)
    assert (outcome.ending, outcome.failure.code) == (Ending.FAILED, "unhealthy")
    assert len(server.requests) == 3
    assert 'it answered status 200, `{"version": "0"}`; `version` is "0", not "7"' in outcome.failure.message


def test_C01_there_is_no_pause_after_the_last_attempt():
    time = VirtualTime()
    against(answer("", 503), time=time, attempts=3, interval=7.0)
    assert time.slept == [7.0, 7.0]


def test_C02_once_healthy_nothing_more_is_asked():
    outcome, server = against(answer("", 503), answer("", 503), answer("ok"), attempts=10)
    assert (outcome.ending, outcome.output) == (Ending.DONE, "healthy at attempt 3")
    assert len(server.requests) == 3


def test_C03_a_missing_key_is_not_healthy():
    outcome, _ = against(answer('{"status": "UP"}'), attempts=1, expect=Expect(json={"version": "1"}))
    assert "it has no `version`" in outcome.failure.message


def test_C04_all_endpoints_are_asked_again_in_every_attempt_and_one_is_enough_to_fail():
    async def scenario():
        async with Server(answer("ok")).serving() as well, Server(answer("down", 500)).serving() as ill:
            outcome = await probe(health([ill.url, well.url], attempts=3))
            return outcome, len(well.requests), len(ill.requests), ill.url, well.url

    outcome, well, ill, ill_url, well_url = run(scenario())
    assert (outcome.ending, well, ill) == (Ending.FAILED, 3, 3)
    assert ill_url in outcome.failure.message and well_url not in outcome.failure.message


def test_C04_everything_must_be_well_in_one_attempt():
    async def scenario():
        async with (
            Server(answer("ok"), answer("", 500)).serving() as first,
            Server(answer("", 500), answer("ok")).serving() as second,
        ):
            return await probe(health([first.url, second.url], attempts=2))

    assert run(scenario()).failure.code == "unhealthy"


def test_C05_a_refused_connection_is_a_failed_attempt_and_not_the_end():
    async def scenario():
        time, server, port = VirtualTime(), Server(answer("ok")), free_port()
        serving = server.serving(port)
        time.on_sleep.append(serving.__aenter__)
        outcome = await probe(health(f"http://127.0.0.1:{port}/"), time)
        await serving.__aexit__(None, None, None)
        return outcome, time.slept

    outcome, slept = run(scenario())
    assert (outcome.output, slept) == ("healthy at attempt 2", [3.0])


@pytest.mark.parametrize(
    ("expect", "well"),
    [
        (Expect(json={"a.b.1.c": 5}), True),
        (Expect(json={"a.b.1.c": 5.0}), True),
        (Expect(json={"a.b.1.c": "5"}), False),
        (Expect(json={"a.b.0": True}), True),
        (Expect(json={"a.b.0": 1}), False),
        (Expect(json={"a.missing.c": 5}), False),
        (Expect(json={"a.b.7": 5}), False),
        (Expect(json={"a.none": None}), True),
        (Expect(json={"a.b": [True, {"c": 5}]}), True),
        (Expect(body='"c": 5'), True),
        (Expect(body='"c": 6'), False),
        (Expect(body='/"c": [0-9]+/'), True),
        (Expect(body='/"c": [6-9]+$/'), False),
    ],
)
def test_A04_nested_paths_and_patterns_find_their_value_or_fail(expect, well):
    outcome, _ = against(answer('{"a": {"b": [true, {"c": 5}], "none": null}}'), attempts=1, expect=expect)
    assert (outcome.ending is Ending.DONE) is well


@pytest.mark.parametrize(
    ("status", "expect", "well"),
    [
        (200, Expect(), True),
        (204, Expect(), True),
        (301, Expect(), False),
        (404, Expect(), False),
        (500, Expect(), False),
        (418, Expect(status=418), True),
        (200, Expect(status=(201, 202)), False),
        (202, Expect(status=(201, 202)), True),
    ],
)
def test_the_status_must_be_a_success_or_the_one_expected(status, expect, well):
    outcome, _ = against(answer("", status), attempts=1, expect=expect)
    assert (outcome.ending is Ending.DONE) is well


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "breaks off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "badly chunked"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000, "breaks off, or is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300, "too many headers"),
    ],
)
def test_nonsense_is_a_failed_attempt(response, words):
    outcome, server = against(response, attempts=2)
    assert outcome.failure.code == "unhealthy"
    assert words in outcome.failure.message
    assert len(server.requests) == 2


def test_a_server_that_says_nothing_is_given_up_after_the_time_for_an_attempt():
    outcome, server = against(b"", attempts=2, attempt_timeout_s=0.4)
    assert "no answer within 0.4 s" in outcome.failure.message
    assert len(server.requests) == 2


def test_the_step_has_a_time_limit_of_its_own():
    outcome, _ = against(b"", attempts=100, timeout=0.1)
    assert (outcome.ending, outcome.failure.code) == (Ending.FAILED, "timeout")


def test_chunks_and_interim_answers_are_understood():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nab\n\r\n4\r\ncdef\r\n0\r\n\r\n"
    outcome, _ = against(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + chunked, attempts=1, expect=Expect(body="ab\ncdef"))
    assert outcome.ending is Ending.DONE


def test_an_answer_without_a_length_ends_with_the_connection():
    outcome, _ = against(b"HTTP/1.0 200 OK\r\n\r\nall of it", attempts=1, expect=Expect(body="/^all of it$/"))
    assert outcome.ending is Ending.DONE


def test_a_redirect_on_the_same_host_is_followed():
    outcome, server = against(answer("", 302, Location="/other?x=1"), answer("ok"), attempts=1)
    assert outcome.ending is Ending.DONE
    assert server.requests[1].startswith(b"GET /other?x=1 HTTP/1.1\r\n")


def test_a_redirect_to_another_host_is_not_followed():
    async def scenario():
        async with Server(answer("ok")).serving() as other:
            away = f"http://127.0.0.2:{other.port}/"
            async with Server(answer("", 302, Location=away)).serving() as server:
                return await probe(health(server.url, attempts=1)), other.requests

    outcome, requests = run(scenario())
    assert "status 302" in outcome.failure.message
    assert requests == []


def test_a_redirect_that_is_expected_is_not_followed():
    outcome, server = against(answer("", 302, Location="/other"), attempts=1, expect=Expect(status=302))
    assert (outcome.ending, len(server.requests)) == (Ending.DONE, 1)


def test_going_round_in_circles_is_not_healthy():
    outcome, server = against(answer("", 302, Location="/health"), attempts=1)
    assert outcome.failure.code == "unhealthy"
    assert len(server.requests) == 5


def test_the_last_answer_is_shown_bounded_and_without_what_harms_a_terminal():
    outcome, _ = against(answer("\033[31mlong\033[0m " + "x" * 5000, 500), attempts=1)
    assert "`long xxx" in outcome.failure.message
    assert len(outcome.failure.message) < 600 and "\033" not in outcome.failure.message


def test_secrets_are_taken_out_of_the_last_answer_also_where_it_is_cut():
    secrets = Secrets({})
    secrets.remember("s3cr3t-" * 10)
    body = '{"token": "' + "y" * 250 + "s3cr3t-" * 10 + '"}'
    outcome, _ = against(answer(body), attempts=1, secrets=secrets, expect=Expect(json={"token": 1}))
    assert "s3cr3t" not in outcome.failure.message


def test_a_port_that_takes_connections_is_well():
    async def scenario():
        async with Server(answer()).serving() as server:
            return await probe(health(f"tcp://127.0.0.1:{server.port}", attempts=1))

    assert run(scenario()).ending is Ending.DONE


def test_a_port_where_nobody_listens_is_not_well():
    outcome = run(probe(health(f"tcp://127.0.0.1:{free_port()}", attempts=2)))
    assert outcome.failure.message.endswith("no connection: Connection refused")


def test_a_host_without_a_name_is_a_failed_attempt():
    outcome = run(probe(health("http://nobody.invalid/", attempts=1)))
    assert (outcome.failure.code, "no connection" in outcome.failure.message) == ("unhealthy", True)


@pytest.mark.parametrize(
    ("asked", "expect", "well"),
    [
        ("true", Expect(), True),
        ("false", Expect(), False),
        (["sh", "-c", "exit 3"], Expect(status=3), True),
        ("echo ready now", Expect(body="ready"), True),
        ('echo {"up":true}', Expect(json={"up": True}), False),
        ("echo '{\"up\":true}'", Expect(json={"up": True}), True),
        (["no-such-program"], Expect(), False),
        (["true", ("test", "1", "=", "1")], Expect(), True),
        (["test 1 = 1", "test 1 = 2"], Expect(), False),
    ],
)
def test_a_command_is_well_when_it_says_so(asked, expect, well):
    outcome = run(probe(health(asked, attempts=1, expect=expect)))
    assert (outcome.ending is Ending.DONE) is well


def test_a_command_that_hangs_is_ended_and_is_a_failed_attempt():
    outcome = run(probe(health("sleep 60", attempts=2), attempt_timeout_s=0.1))
    assert (outcome.failure.code, "no answer within 0.1 s" in outcome.failure.message) == ("unhealthy", True)


def test_a_step_out_of_time_ends_the_command_it_was_asking():
    assert run(probe(health("sleep 60", attempts=2), timeout=0.1)).failure.code == "timeout"
