"""What is large is sent packed to who can read that, and is the same for who cannot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.conftest import House

PATHS = ("/openapi.json", "/", "/metrics")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("house"))
    yield house
    house.stop()


@pytest.mark.parametrize("path", PATHS)
def test_who_can_read_it_gets_it_packed_and_everybody_gets_the_same(house: House, path: str) -> None:
    house.ended(house.begin(house.file()))
    house.metrics("executor_executions_total")
    with house.client() as client:
        plain = client.get(path, headers={"accept-encoding": "identity"})
        packed = client.get(path, headers={"accept-encoding": "br, gzip;q=0.8"})
        head = client.head(path, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "accept-encoding")
    if path != "/metrics":  # which is another one each time
        assert packed.content == plain.content
        assert head.headers["content-length"] == packed.headers["content-length"]
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])


@pytest.mark.parametrize("said", ["gzip;q=0", "identity", "br"])
def test_who_does_not_want_it_packed_does_not_get_it_so(house: House, said: str) -> None:
    with house.client() as client:
        assert "content-encoding" not in client.get("/openapi.json", headers={"accept-encoding": said}).headers


def test_what_a_browser_keeps_is_asked_for_by_the_form_in_which_it_came(house: House) -> None:
    with house.client() as client:
        tags = {said: client.get("/", headers={"accept-encoding": said}).headers["etag"] for said in ("gzip", "identity")}
        assert tags["gzip"] != tags["identity"]
        for said, tag in tags.items():
            again = client.get("/", headers={"accept-encoding": said, "if-none-match": tag})
            assert (again.status_code, again.content) == (304, b"")


def test_what_is_small_and_what_never_ends_is_not_packed(house: House) -> None:
    run = house.begin(house.file())
    house.ended(run)
    with house.client() as client:
        client.headers["accept-encoding"] = "gzip"
        assert "content-encoding" not in client.get("/healthz").headers
        told = client.get(f"/api/v1/runs/{run}/events", headers={"accept": "text/event-stream"})
    assert "content-encoding" not in told.headers
    assert "event: run.committed" in told.text
