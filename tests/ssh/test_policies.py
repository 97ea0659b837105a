"""The pure parts: when to try again, when to leave a host alone, what a configuration and an address may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import ssh
from holdfast.core.errors import PlanError, WorldError
from holdfast.ssh import Address, Command, ExecutorConfig, RetryStrategy, Script, Transfer
from holdfast.ssh.breaker import Breaker, Circuit
from holdfast.ssh.dialogue import Notes
from holdfast.ssh.lines import LINE_BYTES_MAX, Lines
from holdfast.ssh.retry import Trouble, trouble


@given(st.integers(1, 100), st.floats(0, 1))
def test_a_pause_grows_up_to_its_cap_and_is_never_negative(attempt: int, chance: float) -> None:
    strategy = RetryStrategy(delay_s=0.5, backoff=2, max_delay_s=15, jitter=0.5)
    assert 0 <= strategy.pause_s(attempt, chance) <= 15
    assert strategy.pause_s(attempt, chance) <= strategy.pause_s(attempt + 1, 0)


@pytest.mark.parametrize(
    ("code", "sent", "what"),
    [
        ("unreachable", False, Trouble.TEMPORARY),
        ("unreachable", True, Trouble.DOUBTFUL),
        ("timeout", False, Trouble.TEMPORARY),
        ("in_doubt", False, Trouble.DOUBTFUL),
        ("auth_failed", False, Trouble.PERMANENT),
        ("host_key_mismatch", False, Trouble.PERMANENT),
        ("circuit_open", False, Trouble.PERMANENT),
        ("checksum_mismatch", False, Trouble.TEMPORARY),
    ],
)
def test_what_an_error_means_for_trying_again(code: str, sent: bool, what: Trouble) -> None:
    assert trouble(code, sent=sent) is what


def test_what_is_doubtful_is_never_simply_done_again() -> None:
    assert not any(RetryStrategy(attempts=9).again(attempt, Trouble.DOUBTFUL) for attempt in range(1, 10))


def test_a_breaker_opens_after_failures_in_a_row_and_lets_one_attempt_pass_after_a_while() -> None:
    breaker = Breaker(failures_max=2, cooling_s=30)
    breaker = breaker.failed(0).worked().failed(1)
    assert breaker.state is Circuit.CLOSED
    breaker = breaker.failed(2)
    assert breaker.state is Circuit.OPEN
    assert breaker.asked(31.9)[0] is False
    may, half = breaker.asked(32)
    assert (may, half.state) == (True, Circuit.HALF_OPEN)
    assert half.asked(33)[0] is False
    assert half.worked().state is Circuit.CLOSED
    assert half.failed(33).state is Circuit.OPEN


def test_a_configuration_tells_all_its_problems_at_once() -> None:
    with pytest.raises(PlanError) as caught:
        ExecutorConfig(connect_timeout_s=0, sessions_max=0, retry=RetryStrategy(attempts=0, jitter=2))
    said = " ".join(problem.message for problem in caught.value.problems)
    assert all(name in said for name in ("connect_timeout_s", "sessions_max", "retry.attempts", "retry.jitter"))


@pytest.mark.parametrize("wrong", [{"timeout_s": float("nan")}, {"retry": 3}, {"timeout_s": "5s"}])
def test_what_is_no_configuration_is_told_as_a_problem(wrong: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match=next(iter(wrong))):
        ExecutorConfig(**wrong)


def test_paths_are_taken_as_texts_and_modes_as_plans_have_them(tmp_path: Path) -> None:
    brought = Transfer(tmp_path / "a", tmp_path / "b", mode="0640")  # type: ignore[arg-type]
    assert (brought.source, brought.to, brought.mode) == (f"{tmp_path}/a", f"{tmp_path}/b", 0o640)
    assert Script("true", cwd=tmp_path).cwd == str(tmp_path)  # type: ignore[arg-type]
    assert Command(["ls", tmp_path]).run == ("ls", str(tmp_path))  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"run": ["head", 3]}, "not 3"),
        ({"env": {"NAME": 1}}, "`NAME`"),
        ({"timeout": "5s"}, "`timeout`"),
        ({"port": "22"}, "`port`"),
        ({"host": 1}, "`host`"),
    ],
)
def test_what_no_host_could_be_told_is_found_at_birth(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(TypeError, match=told):
        Command(**wrong)


def test_what_is_run_is_a_command() -> None:
    with ssh.open() as executor, pytest.raises(TypeError, match=r"Command\('uptime'"):
        executor.run_command("uptime")  # type: ignore[arg-type]


def test_a_changed_copy_leaves_the_preset_as_it_is() -> None:
    base = ExecutorConfig.production()
    assert (base.with_timeout(5).timeout_s, base.timeout_s) == (5, 900)
    assert ExecutorConfig.development().retry.attempts == 1
    with pytest.raises(PlanError):
        base.with_timeout(-1)


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("web1", "", "web1", 0),
        ("deploy@web1:2201", "deploy", "web1", 2201),
        ("a.b@corp@web1", "a.b@corp", "web1", 0),
        ("[::1]:22", "", "::1", 22),
        ("fe80::1%eth0", "", "fe80::1%eth0", 0),
    ],
)
def test_an_address_is_read(text: str, user: str, host: str, port: int) -> None:
    found = Address.parse(text)
    assert (found.user, found.host, found.port) == (user, host, port)
    assert Address.parse(found.place) == found


@pytest.mark.parametrize("text", ["", "-oProxyCommand=x", "a b", "x;y", "u@", "-u@h", "h:99999", "h\n", "h:x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(WorldError):
        Address.parse(text)


def test_a_password_of_an_address_is_neither_shown_nor_compared() -> None:
    address = Address(host="h", password="canary")
    assert "canary" not in repr(address)
    assert address == Address(host="h")


@given(st.lists(st.sampled_from([b"hf-1 group 7\n", b"text\n", b"hf-", b"\n", b"hf-1 go\n"]), max_size=8), st.integers(1, 7))
def test_our_own_lines_are_taken_out_of_a_stream_however_it_is_cut(parts: list[bytes], size: int) -> None:
    whole = b"".join(parts)
    told: list[str] = []
    notes = Notes("hf-1", lambda word, value: told.append(word))
    heard = b"".join(notes.feed(whole[at : at + size]) for at in range(0, len(whole), size)) + notes.rest()
    assert told == [word for part in whole.split(b"hf-1")[1:] for word in [part.split(b"\n")[0].decode().strip().split(" ")[0]]]
    assert b"hf-1" not in heard


def test_a_line_that_never_ends_is_handed_on_in_pieces() -> None:
    told: list[str] = []
    lines = Lines(told.append)
    for _ in range(5):
        lines.feed(b"x" * LINE_BYTES_MAX)
    lines.feed(b"\r\nlast")
    lines.end()
    assert "".join(told[:-1]) == "x" * 5 * LINE_BYTES_MAX
    assert told[-1] == "last"
