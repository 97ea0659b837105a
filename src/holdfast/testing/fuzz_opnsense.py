"""Values of fields at random: what is accepted before a run is accepted by the simulated appliance, and the reverse.

    python -m holdfast.testing.fuzz_opnsense [--examples N] [--seed N]

Two independent tables of fields and rules, Holdfast's and the simulator's, are held against one another; neither is right
because the other says so, but a difference is a mistake of one of them.
"""

from __future__ import annotations

import random
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from holdfast.core.change import Look, Resource
from holdfast.core.predict import Unfit, Unseen, View, World
from holdfast.drivers.http.door import Answer, Door
from holdfast.drivers.http.trust import Trust
from holdfast.drivers.opnsense.client import Client
from holdfast.drivers.opnsense.driver import ApplianceDriver
from holdfast.drivers.opnsense.veil import Veil
from holdfast.drivers.secrets import Secrets
from holdfast.kinds.opnsense.field import Field
from holdfast.kinds.opnsense.item import Item
from holdfast.kinds.opnsense.objects import ApiObject
from holdfast.kinds.opnsense.resources import SECRETS
from holdfast.kinds.opnsense.values import nested
from holdfast.kinds.registry import kind_of
from holdfast.runtime.crew import run_to_end
from holdfast.testing.opnsense import PROFILES, Simulator
from holdfast.testing.opnsense.wire import Request

EDGE: Final = "edge"
ALIASES: Final = {"servers": ("host", "10.9.9.9"), "nets": ("network", "10.9.0.0/16"), "ports": ("port", "8080")}

# By kind: a name and values that both accept, on every version. `@TYPE` stands for the uuid of an object that is there.
SOUND: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "firewall.alias": ("hosts", {"type": "host", "content": ["10.1.0.1"]}),
    "firewall.rule": ("Allow it", {"interface": "lan", "protocol": "TCP"}),
    "firewall.category": ("Guests", {"color": "00ff00"}),
    "interfaces.vlan": ("igc3/20", {}),
    "routes.route": ("10.9.0.0/16", {"gateway": "WAN_GW"}),
    "routing.gateway": ("GUEST_GW", {"interface": "lan", "gateway": "192.168.1.254"}),
    "unbound.host": ("web.example.org", {"server": "10.1.0.1"}),
    "kea.subnet": ("192.168.1.0/24", {"pools": ["192.168.1.100-192.168.1.110"]}),
    "kea.reservation": ("00:11:22:33:44:55", {"subnet": "@kea.subnet", "ip_address": "10.77.0.7"}),
    "dnsmasq.host": ("web.example.org", {"ip": ["10.1.0.1"]}),
    "haproxy.server": ("web1", {"address": "10.1.0.1", "port": "80"}),
    "haproxy.backend": ("web", {"linkedServers": "@haproxy.server"}),
    "haproxy.frontend": ("public", {"bind": ["10.0.0.1:80"]}),
    "nat.source": ("out", {"interface": "wan", "source_net": "lan", "target": "wanip"}),
    "nat.one_to_one": ("dmz", {"external": "203.0.113.9/32", "source_net": "10.0.10.9/32"}),
}
UNKNOWABLE: Final = ("an interface with a fixed address needs a fixed gateway",)  # nothing tells how an interface gets its own
SINCE: Final = {"dnsmasq.host": "25.7"}
WORDS: Final = (
    *("", "0", "1", "2", "-1", "00", "01", "+5", "1.5", "1,5", "65535", "65536", "true", "a b", "a\tb", "a\nb", "é"),
    *("80", "8000-8010", "8010-8000", "8000:8010", "8010:8000", "8000-8000", "http", "HTTP", "ssh", "nosuch", "any", "ANY"),
    *("lan", "wan", "opt9", "lanip", "(self)", "lo0", "any,lan", "lan,wan"),
    *("servers", "ports", "nets", "nobody", "servers,nets"),
    *("10.0.0.1", "10.0.0.0/8", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.1,10.0.0.2", "10.0.0.1-10.0.0.9", "10.0.0.9-10.0.0.1"),
    *("::1", "2001:db8::/32", "2001:DB8::1", "fe80::1%igc0", "10.0.0", "300.0.0.1", "!10.0.0.1", "010.0.0.1", "1.2.3.4/0"),
    *("host", "host.example.org", "host.example.org.", "-bad.example", "under_score", "*", "*.example.org", "a..b", "x" * 64),
    *("00:11:22:33:44:55", "00-11-22-33-44-55", "0011.2233.4455", "00:11:22:33:44", "00:11:22:33:44:5g", "aa:bb:cc", "01:02"),
    *("TCP", "tcp", "UDP", "TCP/UDP", "ICMP", "IPV6-ICMP", "ESP", "syn,ack", "echoreq,echorep", "0x10", "af11", "cs9", "ef"),
    *("WAN_GW", "Null4", "Null6", "NoGW", "igc1", "igc9", "10s", "10x", "30m", "50k"),
    *("DE", "de", "EU", "4294967296", "x" * 256),
    *("00000000-0000-4000-8000-000000000000", "@firewall.alias", "@kea.subnet", "@haproxy.server", "@firewall.category"),
)  # fmt: skip


class Case(NamedTuple):
    profile: str
    type: str
    values: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.type} on {self.profile}: {dict(self.values)}"


class InMemory(Door):
    """Straight into the simulator, without a socket between."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(Trust(), auth=(simulator.key, simulator.secret))
        self._simulator = simulator

    async def ask(self, method: str, url: str, *, json_body: Any = None, **options: Any) -> Answer:
        return asked(self._simulator, method, url.removeprefix("http://sim"), json_body)


def asked(simulator: Simulator, method: str, uri: str, body: Any) -> Answer:
    import base64

    login = base64.b64encode(f"{simulator.key}:{simulator.secret}".encode()).decode()
    headers = {"authorization": f"Basic {login}"} | ({} if body is None else {"content-type": "application/json"})
    content = b"" if body is None else msgspec.json.encode(body)
    response = simulator.handle(Request(method, uri, headers, content, "192.168.1.10", 1))
    simulator.requests.clear()
    return Answer(response.status, response.body)


class Desk:
    """One simulated appliance of one version, with a few objects to refer to, and what was seen of it."""

    def __init__(self, profile: str) -> None:
        self.simulator = Simulator(profile)
        self.profile = profile
        for name, (kind, content) in ALIASES.items():
            self.simulator.foreign("set", "firewall.alias", fields={"name": name, "type": kind, "content": content})
        self.simulator.foreign("set", "kea.subnet", fields={"subnet": "10.77.0.0/24", "subnet_id": "7"})
        self.simulator.foreign("set", "haproxy.server", fields={"name": "first", "address": "10.0.0.1"})
        self.simulator.foreign("set", "firewall.category", fields={"name": "First"})
        self.uuids = {name: list(self.simulator.objects(name))[-1] for name in self._referred}
        self._config = self.simulator.store.config
        self._seen: dict[Resource, Any] = {}
        client = Client("http://sim", InMemory(self.simulator), Veil(Secrets({})))
        self._driver = ApplianceDriver(client)

    _referred = ("firewall.alias", "kea.subnet", "haproxy.server", "firewall.category")

    def meant(self, value: Any) -> Any:
        return self.uuids[value[1:]] if isinstance(value, str) and value[1:] in self.uuids and value[0] == "@" else value

    def operation(self, case: Case) -> ApiObject:
        name, sound = SOUND[case.type]
        made = kind_of(f"opnsense.{case.type}")
        assert made is not None and issubclass(made, ApiObject)
        return made(name=name, values={field: self.meant(value) for field, value in {**sound, **case.values}.items()})

    def ours(self, case: Case) -> tuple[str, Mapping[str, str]]:
        """What is wrong with it by our rules, and what would be sent."""
        operation = self.operation(case)
        flaws = [flaw.message for flaw in operation.flaws()]
        if flaws:
            return "; ".join(flaws), {}
        while True:
            try:
                change = operation.changes(View(World(self._seen), "step", EDGE))[-1]
                assert isinstance(change.after, Item)
                return "", change.after.values or {}
            except Unfit as unfit:
                return unfit.problem.message, {}
            except Unseen as unseen:
                key = unseen.resource.key
                states = run_to_end(self._driver.inspect([Look(key)]))
                self._seen[unseen.resource] = (unseen.depth, states[key])

    def theirs(self, case: Case, sent: Mapping[str, str]) -> str:
        """What the appliance says to it."""
        operation = self.operation(case)
        values = dict(sent) or {
            **operation.named,
            **{name: _raw(operation.fields[name], value) for name, value in operation.values.items()},
        }
        uri = f"/api/{operation.type.action('set', self.profile)}/00000000-0000-4000-8000-00000000abcd"
        answer = asked(self.simulator, "POST", uri, {operation.type.wrapper: nested(values)})
        self.simulator.store.config = self.simulator.store.previous = self._config
        document = answer.document
        return "" if isinstance(document, dict) and document.get("result") == "saved" else answer.text

    def difference(self, case: Case) -> str:
        """Empty where both say the same."""
        wrong, sent = self.ours(case)
        refused = self.theirs(case, sent)
        if bool(wrong) == bool(refused) or any(word in refused for word in UNKNOWABLE):
            return ""
        return f"{case}: we say {wrong or 'fine'!r}, it says {refused or 'fine'!r}"


def _raw(field: Field, value: Any) -> str:
    return field.separator.join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def fields_of(case_type: str, profile: str) -> list[Field]:
    made = kind_of(f"opnsense.{case_type}")
    assert made is not None and issubclass(made, ApiObject)
    return [field for name, field in made.type.known(profile).items() if name not in made.type.key and name not in SECRETS]


def candidates(field: Field) -> tuple[str, ...]:
    """Values for a field: those it lists, those at its bounds, and words that fit other fields."""
    bounds = [number for bound in (field.low, field.high) if bound is not None for number in (bound - 1, bound, bound + 1)]
    return (*field.choices, *map(str, bounds), *WORDS)


def every(profile: str) -> Iterator[Case]:
    """Each field with each of its candidates."""
    for name in SOUND:
        if profile >= SINCE.get(name, ""):
            for field in fields_of(name, profile):
                yield from (Case(profile, name, {field.name: value}) for value in candidates(field))


def drawn(profile: str, chance: random.Random) -> Case:
    """Up to four fields at once."""
    name = chance.choice([name for name in SOUND if profile >= SINCE.get(name, "")])
    fields = fields_of(name, profile)
    chosen = chance.sample(fields, min(len(fields), chance.randint(1, 4)))
    return Case(profile, name, {field.name: chance.choice(candidates(field)) for field in chosen})


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(prog="fuzz opnsense", description=__doc__)
    parser.add_argument("--examples", type=int, default=20_000, help="combinations of fields per version (20000)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    tried, found = 0, []
    for profile in PROFILES:
        desk, chance = Desk(profile), random.Random(options.seed)
        for case in (*every(profile), *(drawn(profile, chance) for _ in range(options.examples))):
            tried += 1
            if difference := desk.difference(case):
                found.append(difference)
    for line in found[:100]:
        sys.stdout.write(f"BAD  {line}\n")
    sys.stdout.write(f"{tried} values: {len(found)} differences\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
