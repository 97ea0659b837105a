"""What really runs: taken from the configuration by activation only, and not always when activation says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar, cast

from holdfast.testing.opnsense import addresses, ways, words
from holdfast.testing.opnsense.behaviours.rules import place, priority
from holdfast.testing.opnsense.clock import Clock
from holdfast.testing.opnsense.fixture import GENERAL, LEGACY_RULES, SETTINGS, settings
from holdfast.testing.opnsense.profile import Profile
from holdfast.testing.opnsense.store import NOTHING, Config, Item, Listing
from holdfast.testing.opnsense.world import ALIAS, DEVICE, GATEWAY, GATEWAY_GROUP, GROUP, INTERFACE, VLAN, World

Answer = TypeVar("Answer")
BAD: Final = "__bad__"
SERVICES: Final = ("unbound", "kea", "dnsmasq", "haproxy")
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "alias": (ALIAS,),
    "ifgroup": (GROUP,),
    "vlan": (VLAN,),
    "assign": (INTERFACE,),
    "gateway": (GATEWAY, GATEWAY_GROUP),
    "route": ("routes.route",),
    "unbound": ("unbound.host", "unbound.alias", settings("unbound")),
    "kea": ("kea.subnet", "kea.reservation", settings("kea")),
    "dnsmasq": ("dnsmasq.host", "dnsmasq.tag", "dnsmasq.range", "dnsmasq.domain", settings("dnsmasq")),
    "haproxy": (
        *(f"haproxy.{name}" for name in ("server", "backend", "frontend", "healthcheck", "acl", "action")),
        settings("haproxy"),
    ),
    "filter": (
        *("firewall.rule", "firewall.source_nat", "firewall.one_to_one", "firewall.npt", "firewall.d_nat"),
        *(LEGACY_RULES, settings("firewall")),
    ),
}
STOPPED_WITHIN_S: Final = 0.25


class Runtime:
    """`backend` is up, down, timeout or error:N; `lies` counts activations that will do nothing and say they did."""

    def __init__(self, config: Config, profile: Profile, clock: Clock) -> None:
        self.profile = profile
        self.clock = clock
        self.backend = "up"
        self.lies = 0
        self.activation_s = 0.0  # how long after its answer an activation takes
        self.pf_failures = 0
        self.haproxy_failures = 0
        self.flapping: set[str] = set()
        self.status = dict.fromkeys(SERVICES, "running")
        self.notices: dict[str, float] = {}
        self.management = "lan"
        self.client_addresses = {"192.168.1.10"}
        self.client_tag = ""  # of the VLAN that the clients are in, where the management interface is one
        self.ports = {443}
        self._restarted: dict[str, float] = {}
        self.loaded: dict[str, Listing] = {}
        self._answers: tuple[object, dict[object, object]] = (None, {})  # to what is asked again and again of what runs
        self.staged: dict[str, Listing] = {}  # what lies ready for HAProxy
        self.reboot(config)

    def reboot(self, config: Config) -> None:
        """Everything that is configured runs."""
        self.status = dict.fromkeys(SERVICES, "running")
        self.loaded = {**self.loaded, DEVICE: config.get(DEVICE, NOTHING)}
        for group in GROUPS:
            self.take(group, config)

    def stage(self, config: Config) -> None:
        self.staged = {path: config.get(path, NOTHING) for path in GROUPS["haproxy"]}

    def take(self, group: str, config: Config) -> None:
        self.loaded = {**self.loaded, **{path: config.get(path, NOTHING) for path in GROUPS[group]}}
        if group == "haproxy":
            self.stage(config)

    def objects(self, group: str) -> dict[str, Item]:
        """What runs of a group, by uuid, but for what the appliance brought along."""
        paths = [path for path in GROUPS[group] if path != LEGACY_RULES and not path.startswith(SETTINGS)]
        return {uuid: item for path in paths for uuid, item in self.loaded[path].items()}

    def pending(self, config: Config) -> list[str]:
        """The groups whose configuration does not run."""
        return [
            group for group, paths in GROUPS.items() if any(config.get(path, NOTHING) != self.loaded[path] for path in paths)
        ]

    # Activation.

    def load_filter(self, config: Config) -> None:
        """A rule set that does not load leaves the one before in place, and a notice."""
        if self.pf_failures or not self.compiles(config):
            self.pf_failures = max(0, self.pf_failures - 1)
            self.notices["firewall"] = self.clock.now
            return
        self.take("filter", config)
        if not self.profile.since("26.7"):
            self.take("alias", config)

    def compiles(self, config: Config) -> bool:
        world = World(config, self.profile)
        known = {*world.interfaces, *world.aliases(ports=False), *world.aliases(ports=True)}
        rules = [rule for rule in config.get("firewall.rule", NOTHING).values() if rule.get("enabled") == "1"]
        return not any(rule.get("tag") == BAD or not _names(rule) <= known for rule in rules)

    def restart(self, service: str, config: Config) -> None:
        """Stop and start. Twice at once can leave Unbound stopped; HAProxy keeps a configuration that is not valid out."""
        last, self._restarted[service] = self._restarted.get(service, 0.0), self.clock.now
        if service == "unbound" and self.clock.now - last <= STOPPED_WITHIN_S:
            self.status[service] = "stopped"
            return
        if service == "haproxy" and self.haproxy_complaints(config, spend=True):
            return
        self.take(service, config)
        self.status[service] = "running" if config[settings(service)][GENERAL]["enabled"] == "1" else "disabled"

    def haproxy_complaints(self, config: Config, *, spend: bool = False) -> list[str]:
        complaints = ["[ALERT] configuration refused"] if self.haproxy_failures else []
        if spend:
            self.haproxy_failures = max(0, self.haproxy_failures - 1)
        for path in GROUPS["haproxy"]:
            for item in config.get(path, NOTHING).values():
                if BAD in item.get("customOptions", "") and item.get("enabled") == "1":
                    complaints.append(f"[ALERT] {path} {item.get('name', '')}: unknown keyword {BAD!r}")
        return complaints

    def service_status(self, service: str) -> str:
        if service in self.flapping and self.status[service] in ("running", "stopped"):
            self.status[service] = "stopped" if self.status[service] == "running" else "running"
        return self.status[service]

    @property
    def reaches_clients(self) -> bool:
        return self._once(
            "way back", lambda: ways.leads_back(self.loaded, self.management, self.client_addresses, self.client_tag)
        )

    # What the packet filter lets through.

    def rule_stats(self) -> dict[str, dict[str, int]]:
        counts = {"evaluations": 0, "packets": 0, "bytes": 0, "states": 0, "pf_rules": 1}
        return {uuid: counts for uuid, rule in self.objects("filter").items() if rule.get("enabled") == "1"}

    def verdict(self, peer: str) -> str:
        """What happens to a new connection of a client to the management address: pass, block or reject."""
        return self._once((peer, frozenset(self.ports)), lambda: self._verdict({peer, *self.client_addresses}))

    def _once(self, question: object, answer: Callable[[], Answer]) -> Answer:
        """Worked out once as long as the same runs: it is asked with every connection and every request."""
        if self._answers[0] is not self.loaded:
            self._answers = (self.loaded, {})
        known = self._answers[1]
        asked = (question, self.management, self.client_tag, frozenset(self.client_addresses))
        if asked not in known:
            known[asked] = answer()
        return cast(Answer, known[asked])

    def _verdict(self, clients: set[str]) -> str:
        world = World(self.loaded, self.profile)
        rules = [*self.loaded["firewall.rule"].values(), *self.loaded[LEGACY_RULES].values()]
        live = [rule for rule in rules if rule.get("enabled") == "1" and priority(rule, world) < 600_000]
        legacy = list(self.loaded[LEGACY_RULES].values())
        verdict = "block"
        for rule in sorted(live, key=lambda rule: (place(rule, world)[0], rule in legacy, place(rule, world)[1])):
            if self._matches(rule, clients):
                verdict = rule["action"]
                if rule.get("quick", "1") == "1":
                    break
        return verdict

    def _matches(self, rule: Item, clients: set[str]) -> bool:
        here = self.loaded[INTERFACE][self.management]
        interfaces = [name for name in rule.get("interface", "").split(",") if name]
        member = not interfaces or self.management in self._members(interfaces)
        return (
            member != (rule.get("interfacenot") == "1")
            and rule.get("direction", "in") != "out"
            and rule.get("ipprotocol", "inet") != "inet6"
            and rule.get("protocol", "any") in ("any", "TCP", "TCP/UDP")
            and self._covers(rule.get("source_net", "any"), clients) != (rule.get("source_not") == "1")
            and not rule.get("source_port")
            and self._covers(rule.get("destination_net", "any"), {here["ipaddr"]}) != (rule.get("destination_not") == "1")
            and self._opens(rule.get("destination_port", ""))
        )

    def _members(self, names: Iterable[str]) -> set[str]:
        groups = {group["ifname"]: group["members"].split(",") for group in self.loaded[GROUP].values()}
        return {member for name in names for member in groups.get(name, [name])}

    def _covers(self, nets: str, hosts: set[str]) -> bool:
        return any(self._holds(net, hosts, 0) for net in nets.split(","))

    def _holds(self, net: str, hosts: set[str], depth: int) -> bool:
        interfaces = self.loaded[INTERFACE]
        if net == "any":
            return True
        if net == "(self)":
            return bool(hosts & {item["ipaddr"] for item in interfaces.values()})
        if net in interfaces:
            return self._holds(interfaces[net]["subnet"], hosts, depth)
        if net.removesuffix("ip") in interfaces:
            return interfaces[net.removesuffix("ip")]["ipaddr"] in hosts
        alias = next((item for item in self.loaded[ALIAS].values() if item["name"] == net), None)
        if alias is not None:
            enabled = alias.get("enabled") == "1" and depth < 10
            return enabled and any(self._holds(entry, hosts, depth + 1) for entry in alias["content"].split("\n") if entry)
        network, wanted = addresses.net(net), [addresses.net(host) for host in hosts]
        return network is not None and any(_inside(host, network) for host in wanted)

    def _opens(self, port: str) -> bool:
        if port in ("", "any"):
            return True
        alias = next((item for item in self.loaded[ALIAS].values() if item["name"] == port), None)
        entries = alias["content"].split("\n") if alias else [port]
        return any(_in_range(number, entry) for number in self.ports for entry in entries)


def _inside(host: addresses.Network | None, network: addresses.Network) -> bool:
    return host is not None and host.version == network.version and host.network_address in network


def _in_range(number: int, entry: str) -> bool:
    low, _, high = entry.replace(":", "-").partition("-")
    first = words.PORTS.get(low, int(low) if low.isdecimal() else 0)
    return first <= number <= (int(high) if high.isdecimal() else first)


def _names(rule: Item) -> set[str]:
    """What a rule names that must exist for the set to load."""
    nets = [name for field in ("source_net", "destination_net") for name in rule.get(field, "").split(",")]
    named = {name.removesuffix("ip") if name.endswith("ip") else name for name in nets}
    interfaces = {name for name in rule.get("interface", "").split(",") if name}
    return interfaces | {name for name in named if name not in ("any", "(self)", "") and addresses.net(name) is None}
