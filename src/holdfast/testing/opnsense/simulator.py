"""The simulator as tests and people hold it: started, looked into, given faults, stopped."""

from __future__ import annotations

import random
import ssl
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.testing.opnsense.actions import Actions
from holdfast.testing.opnsense.api import Api
from holdfast.testing.opnsense.call import Call
from holdfast.testing.opnsense.clock import Clock
from holdfast.testing.opnsense.fixture import fixture
from holdfast.testing.opnsense.profile import Profile
from holdfast.testing.opnsense.routes import routes
from holdfast.testing.opnsense.runtime import Runtime
from holdfast.testing.opnsense.server import Server
from holdfast.testing.opnsense.store import Item, Listing, Revision, Store
from holdfast.testing.opnsense.users import ADMIN, FIXTURE, User
from holdfast.testing.opnsense.wire import Request, Response


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it was answered."""

    number: int
    method: str
    uri: str
    body: bytes
    status: int
    answer: bytes

    @property
    def writes(self) -> bool:
        return self.method == "POST" and not any(word in self.uri for word in ("/search", "/get"))


class Simulator:
    """One appliance, in its own threads, so that it serves blocking and asynchronous clients alike."""

    def __init__(
        self,
        profile: str = "26.1",
        seed: int = 1,
        latency_s: float = 0.0,
        *,
        tls: ssl.SSLContext | None = None,
        users: Sequence[User] = FIXTURE,
        race_delay_s: float = 0.0,
    ) -> None:
        self.profile = Profile.named(profile)
        self.latency_s = latency_s
        self.clock = Clock()
        self._random = random.Random(seed)
        self.store = Store(fixture(self.new_uuid), self.clock)
        self.users = {user.key: user for user in users}
        self.requests: list[Recorded] = []
        self.race_delay_s = race_delay_s
        self.running = Runtime(self.store.config, self.profile, self.clock)
        self.actions = Actions(self.running)
        self.api = self._api()
        self.tls = tls
        self.server = Server(self.handle, tls=tls, admits=self.admits)
        self.key, self.secret = ADMIN.key, ADMIN.secret

    def start(self, port: int = 0) -> str:
        self.running.ports.add(self.server.start(port=port))
        return self.url

    def stop(self) -> None:
        self.server.stop()

    def __enter__(self) -> Simulator:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.server.port}"

    def _api(self) -> Api:
        table = routes(self.profile, self.new_uuid, self.actions)
        return Api(self.profile, table, self.store, self.users, self.race_delay_s)

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    # Looking inside.

    def objects(self, path: str) -> Listing:
        """What is configured under a name such as `firewall.alias`, by uuid."""
        return self.store.config.get(path, {})

    def runtime(self, group: str) -> dict[str, Item]:
        """What runs of an activation group such as `filter`, by uuid."""
        return self.running.objects(group)

    @property
    def pending(self) -> list[str]:
        """The activation groups whose configuration does not run."""
        return self.running.pending(self.store.config)

    def admits(self, peer: str) -> bool:
        """Whether the rules that run let a new connection of this client in."""
        return self.running.verdict(peer) == "pass"

    @property
    def revisions(self) -> list[Revision]:
        return self.store.revisions

    # Answering.

    def handle(self, request: Request) -> Response:
        self.clock.tick()
        if self.latency_s:
            time.sleep(self.latency_s)
        response = self.api.answer(request, self.phase)
        recorded = Recorded(len(self.requests) + 1, request.method, request.uri, request.body, response.status, response.body)
        self.requests.append(recorded)
        return response

    def phase(self, name: str, call: Call | None) -> None:
        """Where faults come in."""
