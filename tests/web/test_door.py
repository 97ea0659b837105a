"""Who is let in: every route of the table with every sort of caller. Nothing is open that the table does not open."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest

from holdfast.app.serving.tokens import ROLES
from holdfast.web.routes import ROUTES, Route
from tests.web.conftest import House


class Keys(NamedTuple):
    """What callers show; made once for all routes."""

    by_role: dict[str, str]
    by_role_elsewhere: dict[str, str]  # for the tenant globex
    expired: str
    revoked: str
    cookie: str


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One server for tests that leave nothing behind, with a run of a tenant called acme."""
    house = House(tmp_path_factory.mktemp("door"))
    with house.client() as client:
        task = {"name": "roll", "each": [{"tenant_id": "acme"}], "steps": [{"file": f"{house.root}/acme", "content": "x"}]}
        plan = {"holdfast": 1, "name": "tenants", "tasks": [task]}
        house.ended(client.post("/api/v1/runs", json={"plan": plan}).json()["run"])
    yield house
    house.stop()


@pytest.fixture(scope="module")
def keys(shared: House) -> Keys:
    revoked, secret = shared.tokens.create("admin")
    shared.tokens.revoke(revoked.id)
    with shared.client("") as browser:
        browser.get(shared.server.login_url())
        cookie = browser.cookies[shared.cookie]
    return Keys(
        {role: shared.token(role) for role in ROLES},
        {role: shared.token(role, "globex") for role in ROLES},
        shared.tokens.create("admin", expires_in_s=-1.0)[1],
        secret,
        cookie,
    )


class Visitor(NamedTuple):
    """Somebody who knocks, and what a route must say to them before it looks at what they want."""

    headers: dict[str, str]
    let_in: bool
    status: int = 0


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def visitors(house: House, keys: Keys, route: Route) -> dict[str, Visitor]:
    owner, opens = bearer(house.server.token), route.role is None
    cookie = {"cookie": f"{house.cookie}={keys.cookie}"}
    found = {
        "nobody": Visitor({}, opens, 401),
        "a wrong token": Visitor(bearer("hft_" + "0" * 64), opens, 401),
        "half a token": Visitor(bearer(house.server.token[:30]), opens, 401),
        "another scheme": Visitor({"authorization": f"Basic {house.server.token}"}, opens, 401),
        "an expired token": Visitor(bearer(keys.expired), opens, 401),
        "a revoked token": Visitor(bearer(keys.revoked), opens, 401),
        "a cookie of nobody": Visitor({"cookie": f"{house.cookie}=00", "origin": house.server.url}, opens, 401),
        "a cookie without an origin": Visitor(cookie, opens, 403),
        "a cookie and another origin": Visitor({**cookie, "origin": "http://evil.example"}, False, 403),
        "a cookie and our origin": Visitor({**cookie, "origin": house.server.url}, route.method == "GET", 403),
        "the owner, without an origin": Visitor(owner, True),
        "the owner, from our origin": Visitor({**owner, "origin": house.server.url}, True),
        "the owner, for another host": Visitor({**owner, "host": "evil.example"}, False, 421),
        "the owner, from another origin": Visitor({**owner, "origin": "http://evil.example"}, False, 403),
        "the owner, from another port": Visitor({**owner, "origin": "http://127.0.0.1:1"}, False, 403),
        "the owner, from nowhere": Visitor({**owner, "origin": "null"}, False, 403),
        "the owner, from no address": Visitor({**owner, "origin": "http://[::1"}, False, 403),
    }
    for role in ROLES:
        enough = opens or ROLES.index(role) >= ROLES.index(route.role or "")
        found[f"a {role}"] = Visitor(bearer(keys.by_role[role]), enough, 403)
        found[f"a {role} of another tenant"] = Visitor(bearer(keys.by_role_elsewhere[role]), enough and route.confined, 403)
    return found


def ask(client: httpx2.Client, route: Route, headers: dict[str, str]) -> httpx2.Response:
    """With nothing that could be done: a run, a plan, a checkpoint that does not exist, a body that means nothing."""
    path = re.sub(r"\{\w+\}", "NOSUCH", route.path)
    body = {"json": {"nonsense": True}} if route.body is not None else {}
    return client.request(route.method, path, headers=headers, **body)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_lets_in_whom_the_table_names_and_nobody_else(shared: House, keys: Keys, route: Route) -> None:
    asked = visitors(shared, keys, route)
    with shared.client("") as client:
        answers = {name: ask(client, route, visitor.headers) for name, visitor in asked.items()}
    for name, visitor in asked.items():
        answer = answers[name]
        if visitor.let_in:
            assert answer.status_code not in (401, 403, 421), f"{name}: {answer.status_code} {answer.text}"
        else:
            assert answer.status_code == visitor.status, f"{name}: {answer.status_code} {answer.text}"
            error = answer.json()["error"]
            assert error["code"] and error["message"] and error["hint"], name


def test_whoever_is_confined_to_tenants_sees_their_runs_only(shared: House) -> None:
    with shared.client(shared.token("admin", "acme")) as theirs, shared.client(shared.token("admin", "globex")) as others:
        run = theirs.get("/api/v1/runs").json()["runs"][0]["run"]
        assert theirs.get(f"/api/v1/runs/{run}").status_code == 200
        assert theirs.get(f"/api/v1/runs/{run}/events").json()["events"]
        assert others.get("/api/v1/runs").json()["runs"] == []
        for path in (f"/api/v1/runs/{run}", f"/api/v1/runs/{run}/events", f"/api/v1/runs/{run}/changes"):
            assert others.get(path).status_code == 403
        assert others.post(f"/api/v1/runs/{run}/rollback").status_code == 403
        assert run not in others.get("/api/v1/runs/last").text
        assert others.get("/api/v1/events", params={"limit": 1000}).json()["events"] == []


def test_whoever_is_confined_to_tenants_begins_no_run_of_others(shared: House) -> None:
    body = {"plan": shared.plan(shared.file())}
    with shared.client(shared.token("operator", "acme")) as client:
        assert client.post("/api/v1/runs", json=body).status_code == 403
        assert client.post("/api/v1/plans", json=body).status_code == 403
    assert not (shared.root / "a.txt").exists()


def test_whoever_is_confined_to_tenants_does_not_learn_what_the_plans_of_others_are_called(shared: House) -> None:
    with shared.client() as owner, shared.client(shared.token("viewer", "acme")) as viewer:
        kept = owner.post("/api/v1/plans", json={"plan": shared.plan(shared.file(), name="globex-moves")}).json()["id"]
        refused = viewer.get(f"/api/v1/plans/{kept}")
    assert (refused.status_code, "globex" in refused.text) == (403, False)


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v1/runs/", "/nothing", "/api", "/..%2f..%2fetc/passwd", "/assets/../server.py"]
)
def test_what_is_in_no_table_is_not_there_and_nobody_learns_it_without_a_token(shared: House, path: str) -> None:
    with shared.client("") as nobody, shared.client() as owner:
        assert nobody.get(path).status_code == 401
        answer = owner.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_method_that_a_route_does_not_have_is_refused_with_those_it_has(shared: House) -> None:
    with shared.client("") as nobody, shared.client() as owner:
        assert nobody.delete("/api/v1/runs").status_code == 401
        answer = owner.delete("/api/v1/runs")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    assert answer.json()["error"]["code"] == "unsupported"


def test_a_request_without_any_host_is_refused(shared: House) -> None:
    with socket.create_connection(("127.0.0.1", shared.server.port), timeout=5) as connection:
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b" 421 " in connection.recv(100)


# -- browsers


def test_the_link_that_is_printed_opens_one_session_once(shared: House) -> None:
    link = shared.server.login_url()
    with shared.client("") as browser:
        first = browser.get(link)
        kept = first.headers["set-cookie"]
        assert (first.status_code, first.headers["location"]) == (303, "/")
        assert "HttpOnly" in kept and "SameSite=Strict" in kept
    with shared.client("") as other:
        again = other.get(link)
        assert (again.status_code, again.json()["error"]["code"]) == (401, "auth_failed")
        assert "set-cookie" not in again.headers


def test_a_session_reads_from_a_page_of_ours_and_writes_with_its_second_token(shared: House) -> None:
    with shared.client("") as browser:
        browser.get(shared.server.login_url())
        ours = {"origin": shared.server.url}
        assert browser.get("/api/v1/runs").status_code == 403  # no origin, and a cookie comes by itself
        assert browser.get("/api/v1/runs", headers={"sec-fetch-site": "cross-site"}).status_code == 403
        assert browser.get("/api/v1/runs", headers={"sec-fetch-site": "same-origin"}).status_code == 200
        session = browser.get("/api/v1/session", headers=ours).json()
        assert (session["name"], session["role"]) == ("owner", "admin")
        body = {"plan": shared.plan(shared.file("from-a-page"))}
        assert browser.post("/api/v1/plans", json=body, headers=ours).status_code == 403
        assert browser.post("/api/v1/plans", json=body, headers={**ours, "x-csrf-token": "0" * 64}).status_code == 403
        wrote = {"x-csrf-token": session["csrf"]}
        assert browser.post("/api/v1/plans", json=body, headers=wrote).status_code == 403
        assert browser.post("/api/v1/plans", json=body, headers={**ours, **wrote}).status_code == 200


def test_every_answer_forbids_what_a_page_of_ours_never_does(shared: House) -> None:
    with shared.client() as client:
        for path in ("/", "/healthz", "/api/v1/runs", "/api/v1/nothing", "/login?code=1"):
            headers = client.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"


# -- tokens at rest


def test_the_owners_token_is_private_and_the_others_are_kept_as_digests(house: House) -> None:
    secret = house.token("viewer")
    own = Path(house.server.home.api_token)
    kept = Path(house.server.home.tokens)
    assert own.stat().st_mode & 0o777 == kept.stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(own.read_text().removeprefix("hft_"))) == 32
    assert secret not in kept.read_text()
    assert all(secret not in str(each.plain()) for each in house.tokens.all())


def test_a_token_that_is_made_or_taken_back_elsewhere_counts_at_once(house: House) -> None:
    from holdfast.app.serving.tokens import Tokens
    from holdfast.runtime.clock import SystemClock

    elsewhere = Tokens(house.server.home, SystemClock())
    made, secret = elsewhere.create("viewer")
    with house.client(secret) as client:
        assert client.get("/api/v1/runs").status_code == 200
        elsewhere.revoke(made.id)
        assert client.get("/api/v1/runs").status_code == 401


def test_a_token_file_that_others_could_read_lets_nobody_in_any_more(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """What was shown to the server before does not count: somebody may know it now. The other tokens are as good as before."""
    own, (_, other) = Path(house.server.home.api_token), house.tokens.create("viewer")
    kept = own.with_suffix(".kept")
    with house.client() as owner, house.client(other) as viewer:

        def is_refused() -> bool:
            assert viewer.get("/api/v1/runs").status_code == 200
            answer = owner.get("/api/v1/runs")
            return answer.status_code == 401 and str(own) not in answer.text

        assert not is_refused()
        own.chmod(0o644)
        assert is_refused()
        own.chmod(0o600)
        assert not is_refused()
        own.rename(kept)
        own.mkdir()
        assert is_refused()
        own.rmdir()
        kept.rename(own)
        assert not is_refused()
    assert "tokens_not_trusted" in caplog.text


def test_a_stream_ends_when_its_token_is_taken_back(house: House) -> None:
    made, secret = house.tokens.create("viewer")
    with (
        house.client(secret) as client,
        client.stream("GET", "/api/v1/events", headers={"accept": "text/event-stream"}) as stream,
    ):
        pieces = stream.iter_text()
        assert "still here" in next(pieces)
        house.tokens.revoke(made.id)
        ended = threading.Event()
        reading = threading.Thread(target=lambda: (list(pieces), ended.set()))
        reading.start()
        while not ended.wait(0.2):
            house.begin(house.file())  # something that it must not hear for long
        reading.join()
