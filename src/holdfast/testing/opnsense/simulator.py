"""The appliance as tests and people hold it: started, looked into, given faults, stopped."""

from __future__ import annotations

import itertools
import json
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from holdfast.testing.opnsense import effects, faults
from holdfast.testing.opnsense.actions import Actions
from holdfast.testing.opnsense.api import Api
from holdfast.testing.opnsense.call import Call
from holdfast.testing.opnsense.clock import Clock
from holdfast.testing.opnsense.control import Control
from holdfast.testing.opnsense.fixture import fixture, upgraded
from holdfast.testing.opnsense.profile import Profile
from holdfast.testing.opnsense.recorded import Recorded
from holdfast.testing.opnsense.routes import RESOURCES, routes
from holdfast.testing.opnsense.runtime import GROUPS, Runtime
from holdfast.testing.opnsense.server import Server
from holdfast.testing.opnsense.store import Author, Config, Item, Listing, Revision, Store, replaced
from holdfast.testing.opnsense.tls import Certificate
from holdfast.testing.opnsense.users import ADMIN, FIXTURE, User, credentials
from holdfast.testing.opnsense.wire import Request, Response

FOREIGNER = "somebody"
REBOOT_S = 90.0


class Simulator:
    """One appliance, in threads of its own, so that it serves blocking and asynchronous clients alike."""

    def __init__(
        self,
        profile: str = "26.1",
        seed: int = 1,
        latency_s: float = 0.0,
        *,
        tls: Certificate | None = None,
        users: Sequence[User] = FIXTURE,
        race_delay_s: float = 0.0,
        activation_s: float = 0.0,
        config_file: Path | None = None,
    ) -> None:
        """`activation_s` is how long after its answer an activation takes, by the appliance's own clock; `config_file`
        where its configuration lies for whoever comes in by SSH; `reload` reads it again."""
        self._settings = (profile, seed, tuple(users))
        self.latency_s = latency_s
        self.race_delay_s = race_delay_s
        self.activation_s = activation_s
        self.tls = tls
        self.config_file = config_file
        self.key, self.secret = ADMIN.key, ADMIN.secret
        self.port = self.control_port = 0
        self._servers: list[Server] = []
        self.reset()

    def reset(self) -> None:
        """As it was found: configuration, users, history, clock; no faults, no requests seen."""
        profile, seed, users = self._settings
        self.profile = Profile.named(profile)
        self.clock = Clock()
        self._random = random.Random(seed)
        self.store = Store(fixture(self.new_uuid), self.clock)
        self.store.file = self.config_file
        self.store.write()
        self.users = {user.key: user for user in users}
        self.requests: list[Recorded] = []
        self._numbers = itertools.count(1)
        self.touched: list[tuple[str, str]] = []
        self.faults = faults.Faults()
        self.running = Runtime(self.store.config, self.profile, self.clock)
        self.running.ports.add(self.port)
        self.running.activation_s = self.activation_s
        self._furnish()

    def _furnish(self) -> None:
        table = routes(self.profile, self.new_uuid, Actions(self.running))
        self.api = Api(self.profile, table, self.store, self.users, self.race_delay_s)

    # Running.

    def start(self, port: int = 0, control_port: int = 0, host: str = "127.0.0.1") -> str:
        """Serve, and the control port as well; the URL to come in."""
        tls = self.tls.server if self.tls else None
        server = Server(self.handle, tls=tls, admits=self.admits, reaches=lambda: self.running.reaches_clients)
        control = Server(Control(self).handle, requests_per_connection=1_000_000)
        self.host, self._servers = host, [server, control]
        self.port = server.start(host, port)
        self.control_port = control.start(host, control_port)
        self.running.ports.add(self.port)
        return self.url

    def stop(self) -> None:
        for server in self._servers:
            server.stop()
        self._servers = []

    def __enter__(self) -> Simulator:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    @property
    def control_url(self) -> str:
        return f"http://{self.host}:{self.control_port}"

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def begin_with(self, objects: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """By path such as `firewall.alias`, items that are there and run before anybody comes in."""
        for path, items in objects.items():
            if path not in RESOURCES:
                raise ValueError(f"no items {path!r}: known are {', '.join(sorted(RESOURCES))}")
            known = RESOURCES[path].stored_fields(self.profile)
            for item in items:
                if unknown := sorted(item.keys() - known.keys()):
                    raise ValueError(f"{path} has no field {unknown[0]!r}: known are {', '.join(known)}")
                self.foreign("set", path, fields={name: str(value) for name, value in item.items()})
        self.activate()

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

    @property
    def revisions(self) -> list[Revision]:
        return self.store.revisions

    def admits(self, peer: str) -> bool:
        """Whether the rules that run let a new connection of this client in, and answers find their way back."""
        return self.running.reaches_clients and self.running.verdict(peer) == "pass"

    # Making trouble.

    def arm(self, fault: str, *, do: Mapping[str, Any] | None = None, **match: Any) -> None:
        """A named fault; `path`, `nth`, `times` and the like say at which request, `do` with which values."""
        self.faults.add(faults.named(fault, do=do, **match))

    def disarm(self) -> None:
        self.faults.put([])

    def foreign(self, do: str, path: str = "", uuid: str = "", fields: Mapping[str, str] | None = None) -> None:
        """Another admin sets, deletes or applies; what a client wrote last, where nothing else is named."""
        if do == "apply":
            self.activate()
            return
        if do not in ("set", "del"):
            raise ValueError(f"another admin cannot {do!r}: known are set, del, apply")
        if not path:
            path, uuid = self.touched[-1] if self.touched else ("firewall.category", self.new_uuid())
        uuid = uuid or self.new_uuid()
        with self.store.lock:
            listing = dict(self.objects(path))
            if do == "del":
                listing.pop(uuid, None)
            else:
                fresh = RESOURCES[path].defaults(self.profile) if path in RESOURCES else {}
                listing[uuid] = {**listing.get(uuid, fresh), **(fields or {"description": "changed by somebody else"})}
            self.store.save(replaced(self.store.config, path, listing), Author(FOREIGNER, "192.168.1.20", "", f"/ui/{path}"))

    def activate(self) -> None:
        """Everything that is configured is made to run, as an alarm or another admin may do at any time."""
        for group in GROUPS:
            if group == "filter":
                self.running.load_filter(self.store.config)
            else:
                self.running.take(group, self.store.config)

    def reload(self) -> None:
        """What lies in the file is the configuration, and all of it runs: what an appliance's own script does."""
        if self.config_file is None:
            raise ValueError("this simulator keeps its configuration in no file")
        self.store.save(
            json.loads(self.config_file.read_text()), Author("root", "127.0.0.1", "", "/usr/local/etc/rc.reload_all")
        )
        self.activate()

    def reboot(self) -> None:
        """Down and up again: every connection is cut, and what is configured runs."""
        self.clock.advance(REBOOT_S)
        self.running.reboot(self.store.config)
        for server in self._servers[:1]:
            server.drop_connections()

    def become(self, profile: str) -> None:
        """Be another version, with what is configured taken along."""
        if Profile.named(profile) == self.profile:
            return
        self.profile = self.running.profile = Profile.named(profile)
        self.store.config = self._filled(upgraded(self.store.config, self.profile))
        self.running.reboot(self.store.config)
        self._furnish()

    def _filled(self, config: Config) -> Config:
        """Fields that this version brings have their defaults in items that are older than it."""
        fresh = {path: resource.defaults(self.profile) for path, resource in RESOURCES.items()}
        return {
            path: {uuid: {**fresh.get(path, {}), **item} for uuid, item in listing.items()} for path, listing in config.items()
        }

    # Answering.

    def handle(self, request: Request) -> Response:
        self.clock.tick()
        if self.latency_s:
            time.sleep(self.latency_s)
        meant = self.faults.meant(request)
        response = self.api.answer(request, lambda name, call: self._phase(meant, name, request, call))
        for rule in meant:
            if rule.phase in ("before_response", "mid_response"):
                for effect in rule.do:
                    response = effects.on_its_way(response, effect, midway=rule.phase == "mid_response")
        self._record(request, response)
        return response

    def _phase(self, meant: list[faults.Rule], name: str, request: Request, call: Call | None) -> None:
        if name == "after_save":
            self.touched += changed(self.store.previous, self.store.config)
        for rule in meant:
            if rule.phase == name:
                for effect in rule.do:
                    effects.happens(self, effect, request, call)

    def _record(self, request: Request, response: Response) -> None:
        user = self.users.get(credentials(request)[0])
        sent = 0 if response.delivery.silent else len(response.body[: response.delivery.truncate])
        self.requests.append(
            Recorded(
                number=next(self._numbers),
                at=self.clock.now,
                method=request.method,
                uri=request.uri,
                user=user.name if user else "",
                body=request.body,
                status=response.status,
                answer=response.body,
                bytes_sent=sent,
                ended=response.delivery.end,
            )
        )


def changed(before: Config, after: Config) -> list[tuple[str, str]]:
    """The items that a save changed or made."""
    return [
        (path, uuid)
        for path, listing in after.items()
        if listing is not before.get(path)
        for uuid, item in listing.items()
        if item is not before.get(path, {}).get(uuid)
    ]
