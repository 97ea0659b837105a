"""What nonsense gets: a typed error, and the server goes on."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from holdfast.web.door import BODY_BYTES_MAX
from tests.web.conftest import House, events_in

HOSTILE = {
    "a script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "a terminal": "\x1b]0;owned\x07\x1b[2J\x9b31m",
    "right to left": "\u202egnp.exe\u2066\u200f",
    "a template": "${vars.x} {{7*7}} %s %n",
    "lines": "a\r\nSet-Cookie: x=1\r\n\r\nevent: run.committed\ndata: {}\n\n",
    "a megabyte": "x" * 1_000_000,
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("bad"))
    yield house
    house.stop()


def refused(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text[:300]
    error: dict[str, Any] = answer.json()["error"]
    assert error["code"] == code, error
    assert error["message"] and error["hint"]
    return error


@pytest.mark.parametrize(
    "body", [b"{", b"", b"[]", b"null", b'"plan"', b"\xff\xfe", b'{"plan": {}, "plan": {}', b"[" * 100_000, b"nan"]
)
def test_a_body_that_is_no_json_object_is_invalid(shared: House, body: bytes) -> None:
    with shared.client() as client:
        answer = client.post("/api/v1/runs", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] in ("syntax", "invalid_value", "unknown_key", "missing_key")


@pytest.mark.parametrize("type_", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"])
def test_only_json_is_understood(shared: House, type_: str) -> None:
    with shared.client() as client:
        answer = client.post("/api/v1/runs", content=b'{"plan": {}}', headers={"content-type": type_})
        refused(answer, 415, "unsupported")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"plan": {}, "sudo": True}, "unknown_key"),
        ({"plan": []}, "invalid_value"),
        ({"plan": None}, "invalid_value"),
        ({"text": 5}, "invalid_value"),
        ({"text": "x", "format": "ini"}, "invalid_value"),
        ({}, "invalid_value"),
        ({"plan": {}, "text": "x"}, "invalid_value"),
        ({"id": "x"}, "invalid_value"),
        ({"id": "x", "digest": "y", "plan": {}}, "invalid_value"),
        ({"text": "x", "parallel": 0}, "invalid_value"),
        ({"text": "x", "parallel": 1.5}, "invalid_value"),
        ({"text": "x", "confirm_within": -1}, "invalid_value"),
        ({"text": "x", "on_failure": "panic"}, "invalid_value"),
    ],
)
def test_fields_of_the_wrong_name_or_type_are_problems(shared: House, body: dict[str, Any], code: str) -> None:
    with shared.client() as client:
        error = refused(client.post("/api/v1/runs", json=body), 422, code)
    assert error["problems"][0]["message"]


def test_a_plan_that_is_none_answers_all_its_problems_at_once(shared: House) -> None:
    text = "holdfast: 1\nname: web\nsteps:\n- file: relative.txt\n  content: x\n- lnik: /b\n  mode: 9\n"
    with shared.client() as client:
        for path in ("/api/v1/plans", "/api/v1/runs"):
            answer = client.post(path, json={"text": text})
            assert answer.status_code == 422
            problems = answer.json()["error"]["problems"]
            assert {problem["where"].rpartition(":")[0] for problem in problems} >= {"plan:4", "plan:6"}


def test_an_unknown_query_is_a_problem(shared: House) -> None:
    with shared.client() as client:
        refused(client.get("/api/v1/runs", params={"colour": "red"}), 422, "unknown_key")
        refused(client.get("/api/v1/runs", params={"limit": "many"}), 422, "invalid_value")
        refused(client.get("/api/v1/runs", params={"limit": "0"}), 422, "invalid_value")
        refused(client.get("/api/v1/runs", params={"ending": "happy"}), 422, "invalid_value")
        refused(client.get("/api/v1/events", params={"since": "-1"}), 422, "invalid_value")


@pytest.mark.parametrize("run", ["NOSUCH", "0" * 26, "%00", "a" * 5000, "last%20", "💥"])
def test_an_unknown_run_is_not_found(shared: House, run: str) -> None:
    with shared.client() as client:
        for path in (f"/api/v1/runs/{run}", f"/api/v1/runs/{run}/events"):
            refused(client.get(path), 404, "not_found")
        refused(client.post(f"/api/v1/runs/{run}/cancel"), 404, "not_found")


@pytest.mark.parametrize("name", ["no", "%2e%2e%2fx", "a" * 3000, "<b>"])
def test_an_unknown_checkpoint_is_not_found(shared: House, name: str) -> None:
    with shared.client() as client:
        for method, path in (("GET", ""), ("GET", "/diff"), ("POST", "/restore"), ("DELETE", "")):
            answer = client.request(method, f"/api/v1/checkpoints/{name}{path}")
            refused(answer, 404, "not_found")


def test_what_is_too_large_is_refused_before_it_is_read(shared: House) -> None:
    with socket.create_connection(("127.0.0.1", shared.server.port), timeout=10) as connection:
        head = (
            f"POST /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {shared.server.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {BODY_BYTES_MAX + 1}\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert b" 413 " in connection.recv(200)


def test_a_body_without_a_length_is_cut_where_it_becomes_too_large(shared: House) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"text": "'
        for _ in range(BODY_BYTES_MAX // 1_000_000 + 2):
            yield b"x" * 1_000_000

    with shared.client() as client:
        answer = client.post("/api/v1/runs", content=pieces(), headers={"content-type": "application/json"})
        refused(answer, 413, "too_large")


def test_what_is_no_http_ends_only_its_own_connection(shared: House) -> None:
    for nonsense in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"A" * 100_000):
        with socket.create_connection(("127.0.0.1", shared.server.port), timeout=10) as connection:
            connection.sendall(nonsense)
            connection.shutdown(socket.SHUT_WR)
            with suppress(ConnectionError):
                connection.recv(1000)
    with shared.client() as client:
        assert client.get("/healthz").status_code == 200


def test_what_is_no_http_is_told_so_like_every_other_error(shared: House, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_connection(("127.0.0.1", shared.server.port), timeout=10) as connection:
        connection.sendall(b"GET\r\n\r\n")
        head, _, body = b"".join(iter(lambda: connection.recv(1000), b"")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"]["code"] == "syntax"
    said = [record for record in caplog.records if record.name.startswith("uvicorn")]
    assert said == []  # a log of ours is lines of JSON, and strangers do not fill it


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_words_stay_data(shared: House, what: str) -> None:
    """In names, notes and contents: answered as JSON that says what was sent, in no header and in no frame of a stream."""
    hostile = HOSTILE[what]
    steps = [{"file": f"{shared.root}/hostile", "content": hostile.encode("utf-8", "replace").decode(), "note": hostile[:500]}]
    with shared.client() as client:
        answer = client.post("/api/v1/runs", json={"plan": {"holdfast": 1, "name": hostile, "steps": steps}})
        assert answer.status_code == 422  # no plan may have such a name
        assert answer.headers["content-type"] == "application/json"
        answer = client.post(
            "/api/v1/runs", json={"plan": {"holdfast": 1, "name": "web", "description": hostile, "steps": steps}}
        )
        assert answer.status_code in (202, 422)
        if answer.status_code == 422:
            return
        run = answer.json()["run"]
        shared.ended(run)
        paused = client.post(f"/api/v1/runs/{run}/pause", json={"why": hostile[:900]})
        assert paused.status_code == 409
        stream = client.get(f"/api/v1/runs/{run}/events", headers={"accept": "text/event-stream"})
        told = [event for event in events_in(stream.text) if event["id"]]
        assert [event["event"] for event in told].count("run.committed") <= 1
        assert all(event["data"]["type"] == event["event"] for event in told)
        assert "set-cookie" not in stream.headers


def test_a_client_that_never_reads_harms_nobody(house: House) -> None:
    """Its stream is not written to while it does not read; others get theirs, and the server stops in time."""
    with socket.create_connection(("127.0.0.1", house.server.port), timeout=10) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = (
            "GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\n\r\n"
        )
        deaf.sendall(request.format(house.server.token).encode())
        time.sleep(0.1)
        steps = [{"dir": f"{house.root}/d{number}"} for number in range(3000)]
        house.ended(house.begin(*steps))
        run = house.begin(house.file())
        house.ended(run)
        with house.client() as client:
            stream = client.get(f"/api/v1/runs/{run}/events", headers={"accept": "text/event-stream"})
            assert "run.committed" in stream.text
        before = time.monotonic()
        house.stop()
        assert time.monotonic() - before < 15


def test_a_client_that_leaves_in_the_middle_of_a_body_is_no_mistake_of_ours(
    shared: House, caplog: pytest.LogCaptureFixture
) -> None:
    head = (
        f"POST /api/v1/plans HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {shared.server.token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", shared.server.port), timeout=10) as connection:
        connection.sendall(head.encode() + b'{"text"')
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    with shared.client() as client:
        assert client.get("/healthz").status_code == 200
    assert "request_failed" not in caplog.text


def test_json_that_repeats_a_key_counts_the_last(shared: House) -> None:
    text = json.dumps({"text": "holdfast: 1\nname: web\n"})[:-1] + ', "text": "holdfast: 1"}'
    with shared.client() as client:
        answer = client.post("/api/v1/plans", content=text, headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_a_request_that_is_never_finished_is_cut_off(tmp_path: Path) -> None:
    house = House(tmp_path, head_s=0.3)
    try:
        for begun in (b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "):
            with socket.create_connection(("127.0.0.1", house.server.port), timeout=10) as connection:
                connection.sendall(begun)
                with suppress(ConnectionError):
                    assert connection.recv(1000) == b""
        with house.client() as client:
            assert client.get("/healthz").status_code == 200
    finally:
        house.stop()


def test_a_head_of_a_request_that_is_too_large_is_refused(shared: House) -> None:
    with socket.create_connection(("127.0.0.1", shared.server.port), timeout=10) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 200_000)
        with suppress(ConnectionError):
            assert connection.recv(100).startswith(b"HTTP/1.1 4")


def test_the_environment_of_the_server_is_not_read_into_plans(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_SOMEBODY", "hunter2")
    plan = house.plan(house.file(content="${env.TOKEN_OF_SOMEBODY}"))
    with house.client() as client:
        answer = client.post("/api/v1/plans", json={"plan": plan})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "undefined_variable")
    assert "hunter2" not in answer.text


def test_a_secret_that_is_not_set_is_no_unknown_address(shared: House) -> None:
    secret = {"Authorization": {"secret": "env:NO_SUCH"}}
    with shared.client() as client:
        plan = shared.plan({"http": "http://127.0.0.1:1/x", "body": {}, "headers": secret})
        answer = client.post("/api/v1/plans", json={"plan": plan})
    assert answer.status_code == 200
    assert [(problem["step"], problem["code"]) for problem in answer.json()["problems"]] == [("main/main/1-http", "not_found")]


def test_with_roots_no_program_runs_on_the_server(tmp_path: Path) -> None:
    house = House(tmp_path, roots=(str(tmp_path / "root"),))
    try:
        plan = house.plan({"command": ["touch", f"{house.root}/ran"], "undo": "true"})
        with house.client() as client:
            for path in ("plans", "runs"):
                assert client.post(f"/api/v1/{path}", json={"plan": plan}).json()["error"]["code"] == "outside_root"
        assert list(house.root.iterdir()) == []
    finally:
        house.stop()


def test_an_address_that_is_no_path_is_answered_like_any_other(shared: House) -> None:
    token, port = shared.server.token, shared.server.port
    for headers, status in (("", 401), (f"Authorization: Bearer {token}\r\n", 404)):
        with socket.create_connection(("127.0.0.1", port)) as client:
            line = f"GET http://evil/api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}Connection: close\r\n\r\n"
            client.sendall(line.encode())
            answer = b"".join(iter(lambda: client.recv(65536), b"")).decode()
        assert answer.startswith(f"HTTP/1.1 {status} ")
        assert "x-content-type-options: nosniff" in answer and json.loads(answer.partition("\r\n\r\n")[2])["error"]["code"]
