"""Every way an appliance can fail its client, at every moment; then what is left is compared with what was promised.

    python -m holdfast.testing.crash_opnsense [--small]

Three matrices: every fault at every sort of operation and at its undo; every fault at every request of a plan of six
operations; the process killed at every boundary between journal, request and answer. A trial is good when the appliance is
old or new as the run's ending says, nothing is there twice, nothing is left over, and nothing else was written.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any, Final, NamedTuple

from holdfast.app.engine import Holdfast
from holdfast.app.home import Home
from holdfast.app.parts import Parts
from holdfast.app.wiring import TARGETS, Target, Wiring
from holdfast.core.plan import Plan
from holdfast.core.result import Result
from holdfast.drivers.http.door import Answer, Door
from holdfast.drivers.opnsense.client import LIMITS, Limits
from holdfast.drivers.opnsense.making import appliance_at
from holdfast.journal.contract import Journal
from holdfast.journal.sqlite import SqliteJournal
from holdfast.kinds.opnsense.resources import TYPES
from holdfast.planfile import parse
from holdfast.testing.crash import Boundary, counted_journal, in_child
from holdfast.testing.opnsense import SCENARIOS, Simulator
from holdfast.testing.opnsense.faults import ACTIVATIONS
from holdfast.testing.opnsense.simulator import FOREIGNER

Fields = Mapping[str, str]
World = Mapping[tuple[str, str], Fields]  # by path and uuid

IMPATIENT: Final = Limits(read_s=1.0, write_s=1.0, activation_s=1.0, new_connection_s=1.0)
ANYWHERE: Final[Mapping[str, Any]] = {"path": "", "method": "", "reused": False, "times": 1}
GOOD: Final = ("committed", "unchanged")
BACK: Final = ("rolled_back", "refused", None)
UNSEEN: Final = ("kea", "dnsmasq")  # what these run cannot be read: a lie about it stays one


# -- what is tried


class Operation(NamedTuple):
    """One sort of change, and the request that makes it, forward and back."""

    steps: tuple[Mapping[str, Any], ...]
    there: str
    back: str


def _rule(name: str, port: int, **values: Any) -> dict[str, Any]:
    return {
        "opnsense.firewall.rule": name,
        "values": {"interface": "lan", "protocol": "TCP", "destination_port": port, **values},
    }


def _alias(name: str, *content: str) -> dict[str, Any]:
    return {"opnsense.firewall.alias": name, "values": {"type": "host", "content": list(content)}}


def _absent(kind: str, name: str) -> dict[str, Any]:
    return {f"opnsense.{kind}": name, "state": "absent"}


def _activated(kind: str, name: str, at: str, **values: Any) -> Operation:
    """One object, and the call that makes it effective."""
    return Operation(({f"opnsense.{kind}": name, "values": values},), f"{at}reconfigure", f"{at}reconfigure")


_SET: Final = r"^/api/firewall/filter/set_?rule"
_DEL: Final = r"^/api/firewall/filter/del_?rule"
_FIRST: Final = _alias("first", "10.0.0.2")
_UPDATE: Final = _rule("kept", 2222)
OPERATIONS: Final[Mapping[str, Operation]] = {
    "create": Operation((_FIRST, _rule("made", 8080)), _SET, _DEL),
    "update": Operation((_FIRST, _UPDATE), _SET, _SET),
    "delete": Operation((_FIRST, _absent("firewall.rule", "gone")), _DEL, _SET),
    "move": Operation((_FIRST, {"opnsense.firewall.rule": "kept", "values": {"sequence": 900}}), _SET, _SET),
    "activate": Operation((_FIRST, _UPDATE), ACTIVATIONS, ACTIVATIONS),
    "activate a VLAN": _activated("interfaces.vlan", "igc3/30", "/vlan_settings/", descr="guests"),
    "activate a route": _activated("routes.route", "10.9.0.0/16", "/routes/routes/", gateway="WAN_GW"),
    "activate a name": _activated("unbound.host", "www.example.org", "/unbound/service/", server="10.0.0.8"),
    "activate a site": _activated("haproxy.frontend", "web", "/haproxy/service/", bind="10.0.0.1:80"),
    "activate a subnet": _activated("kea.subnet", "10.9.0.0/24", "/kea/service/"),
}
SINGLE: Final = [name for name in OPERATIONS if name.startswith("activate a")]
SIX: Final = (
    _alias("web", "10.0.0.8"),
    _FIRST,
    _rule("made", 8080, source_net="web", sequence=500),
    _rule("kept", 2222, sequence=900),
    _absent("firewall.rule", "gone"),
    {"opnsense.unbound.host": "www.example.org", "values": {"server": "10.0.0.8"}},
)
_LAN: Final = {"interface": "lan", "protocol": "TCP"}
FOUND: Final = (  # on the appliance, before any plan
    ("firewall.alias", {"enabled": "1", "name": "first", "type": "host", "content": "10.0.0.1"}),
    ("firewall.rule", {**_LAN, "description": "kept", "destination_port": "22", "sequence": "101"}),
    ("firewall.rule", {**_LAN, "description": "gone", "destination_port": "80", "sequence": "201"}),
    ("firewall.rule", {**_LAN, "description": "alien", "destination_port": "53", "sequence": "301"}),
)


# -- where it is tried


class Bench:
    """A simulated appliance and a state directory, both as new for every trial."""

    def __init__(self, base: str, profile: str) -> None:
        self.base = base
        self.simulator = Simulator(profile)
        self._profile = self.simulator.profile.name
        self._found: World = {}

    @contextmanager
    def running(self) -> Iterator[Bench]:
        with self.simulator:
            yield self

    @property
    def state(self) -> str:
        return f"{self.base}/state"

    def renew(self) -> None:
        shutil.rmtree(self.state, ignore_errors=True)
        self.simulator.reset()
        for path, fields in FOUND:
            self.simulator.foreign("set", path, fields=fields)
        self.simulator.activate()
        self.simulator.requests.clear()
        self.simulator.touched.clear()
        self.simulator.store.prune(1)
        self._found = self.world()

    @property
    def upgraded(self) -> bool:
        return self.simulator.profile.name != self._profile

    @property
    def found(self) -> World:
        return self._found

    def plan(self, steps: Sequence[Mapping[str, Any]]) -> Plan:
        secret = {"secret": f"file:{self.base}/secret"}
        edge = {"opnsense": self.simulator.url, "key": {"secret": f"file:{self.base}/key"}, "secret": secret}
        return parse({"holdfast": 1, "name": "tried", "targets": {"edge": edge}, "on": "edge", "steps": list(steps)})

    def keep_secrets(self) -> None:
        for name, value in (("key", self.simulator.key), ("secret", self.simulator.secret)):
            with open(f"{self.base}/{name}", "w", encoding="utf-8") as file:
                file.write(value)

    def world(self) -> World:
        config = self.simulator.store.config
        return {(path, uuid): dict(item) for path, listing in config.items() for uuid, item in listing.items()}

    def mend(self) -> None:
        """The trouble is over: no more faults, the key works again, the services run."""
        appliance = self.simulator
        appliance.disarm()
        for user in appliance.users.values():
            if user.key == appliance.key:
                appliance.users[user.key] = replace(user, disabled=False, read_only=False)
        appliance.running.flapping.clear()
        appliance.running.lies = appliance.running.pf_failures = appliance.running.haproxy_failures = 0
        appliance.running.backend = "up"

    def engine(self, boundary: Boundary | None = None) -> Holdfast:
        """An engine that waits for nothing long, and with a boundary dies when it crosses it."""
        if boundary is None:
            return restless(self.state, limits=IMPATIENT)
        return restless(self.state, limits=IMPATIENT, door=_counted_door(boundary), keep=partial(counted_journal, boundary))

    def foreign(self) -> dict[tuple[str, str], Fields | None]:
        """What somebody else made of objects meanwhile: by object its fields, or None where it was deleted."""
        revisions = list(reversed(self.simulator.revisions))
        found: dict[tuple[str, str], Fields | None] = {}
        for before, after in pairwise(revisions):
            if after.author.user != FOREIGNER:
                continue
            for path in {*before.config, *after.config}:
                old, new = before.config.get(path, {}), after.config.get(path, {})
                for uuid in {*old, *new}:
                    if old.get(uuid) != new.get(uuid):
                        found[path, uuid] = _edited(old.get(uuid, {}), new[uuid]) if uuid in new else None
        return found


def _edited(old: Fields, new: Fields) -> Fields:
    return {name: value for name, value in new.items() if old.get(name) != value}


def restless(
    state: str,
    *,
    limits: Limits = LIMITS,
    door: type[Door] = Door,
    keep: Callable[[str], Journal] = SqliteJournal.open,
) -> Holdfast:
    """An engine that does not pause between its tries at an appliance."""
    home = Home(state)
    home.make()

    def appliance(wiring: Wiring, target: Target, on_loop: bool) -> Any:
        made = partial(appliance_at, target.declared, wiring.secrets, limits=limits, sleep=_at_once, door=door)
        return wiring.remembered(str(target.declared), made)

    makers = {**TARGETS["opnsense"], "opnsense": appliance, "files": appliance}
    return Holdfast(Parts(home, keep(home.journal), Wiring(home, targets={**TARGETS, "opnsense": makers})))


async def _at_once(seconds: float) -> None:
    """No waiting between tries."""


def _counted_door(boundary: Boundary) -> type[Door]:
    """A door with a boundary before every request and after every answer."""

    class Counted(Door):
        async def ask(self, *args: Any, **options: Any) -> Answer:
            boundary.cross()
            answer = await super().ask(*args, **options)
            boundary.cross()
            return answer

    return Counted


# -- how it is judged


class End(NamedTuple):
    """How a run ended, and the objects that it says it left behind."""

    ending: str | None
    residue: frozenset[str] = frozenset()

    @classmethod
    def of(cls, result: Result) -> End:
        return cls(result.ending, frozenset(entry["resource"].partition(":")[2] for entry in result.residue))


@dataclass
class Tally:
    trials: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    writes_outside: int = 0
    bad: list[str] = field(default_factory=list)

    def judge(self, bench: Bench, expected: World, end: End, label: str) -> None:
        self.trials += 1
        self.endings[str(end.ending)] += 1
        unseen = UNSEEN if label.startswith("ok_without_activating") else ()
        complaints = list(complaints_of(bench, expected, end, unseen))
        if complaints:
            self.bad.append(f"{label}: {end.ending}: {'; '.join(complaints[:4])}")


def complaints_of(bench: Bench, new: World, end: End, unseen: Sequence[str] = ()) -> Iterator[str]:
    """Old or new as the ending says, but for what somebody else did meanwhile; and what is configured runs."""
    now, foreign = bench.world(), bench.foreign()
    if end.ending not in GOOD + BACK and not (end.ending == "stuck" and foreign):
        yield "it ended so"
    wanted = new if end.ending in GOOD else bench.found
    for place in sorted({*now, *wanted}):
        if place in foreign:
            yield from _trampled(place, now.get(place), foreign[place])
        elif foreign and _key(place, now.get(place) or wanted[place]) in end.residue:
            continue  # it could not go, because what somebody else holds on to refers to it
        elif not _same(now.get(place), wanted.get(place), upgraded=bench.upgraded):
            yield f"{place[0]} {place[1][:8]} is {_told(now.get(place), wanted.get(place))}"
    yield from _twice(now)
    pending = [group for group in bench.simulator.pending if group not in unseen]
    if pending and not foreign:
        yield f"not active: {', '.join(pending)}"
    yield from _outside(bench, {uuid for (_, uuid), fields in new.items() if bench.found.get((_, uuid)) != fields}, new)


def _key(place: tuple[str, str], fields: Fields) -> str:
    return f"{place[0]}/{TYPES[place[0]].key_of(fields)}" if place[0] in TYPES else ""


def _same(now: Fields | None, wanted: Fields | None, *, upgraded: bool) -> bool:
    """A field that a newer version brings along is no difference."""
    if not upgraded or now is None or wanted is None:
        return now == wanted
    return all(now[name] == wanted[name] for name in now.keys() & wanted.keys())


def _told(now: Fields | None, wanted: Fields | None) -> str:
    if now is None or wanted is None:
        return "missing" if now is None else "left over"
    names = [name for name in sorted({*now, *wanted}) if now.get(name) != wanted.get(name)]
    return f"different: {', '.join(f'{name} {now.get(name)!r} instead of {wanted.get(name)!r}' for name in names[:3])}"


def _trampled(place: tuple[str, str], now: Fields | None, theirs: Fields | None) -> Iterator[str]:
    if theirs is None or now is None:
        return
    lost = [name for name, value in theirs.items() if now.get(name) != value]
    if lost:
        yield f"{place[0]} {place[1][:8]}: somebody's {lost[0]} was overwritten"


def _twice(now: World) -> Iterator[str]:
    names = Counter(
        (path, TYPES[path].key_of(fields)) for (path, _), fields in now.items() if path in TYPES and TYPES[path].key_of(fields)
    )
    yield from (f"{path} `{name}` is there {count} times" for (path, name), count in names.items() if count > 1)


def _outside(bench: Bench, planned: set[str], new: World) -> Iterator[str]:
    """Writes to anything but what the plan names."""
    planned |= {uuid for path, uuid in bench.found if (path, uuid) not in new}
    for call in bench.simulator.requests:
        if call.writes and not any(uuid in call.uri for uuid in planned):
            yield f"a write outside of the plan: {call.uri}"


# -- the matrices


def new_world(bench: Bench, steps: Sequence[Mapping[str, Any]]) -> World:
    bench.renew()
    with bench.engine() as engine:
        result = engine.apply(bench.plan(steps))
    if result.ending != "committed":
        raise RuntimeError(f"undisturbed it ended {result.ending}: {result.errors}")
    return bench.world()


def to_the_end(bench: Bench, engine: Holdfast, result: Result) -> End:
    """When the trouble is over, what could not be finished is finished."""
    bench.mend()
    engine.recover()
    row = engine.journal.run(result.run)
    if row is not None and row.ending == "stuck":
        return End.of(engine.rollback(result.run))
    return End(row.ending if row else None)


def faults_at_operations(bench: Bench, tally: Tally, faults: Sequence[str], names: Sequence[str]) -> None:
    """Every fault at every sort of operation, and at the undo of each."""
    for name in names:
        operation = OPERATIONS[name]
        new = new_world(bench, operation.steps)
        for fault in faults:
            bench.renew()
            with bench.engine() as engine:
                _arm(bench, fault, operation.there)
                end = to_the_end(bench, engine, engine.apply(bench.plan(operation.steps)))
            tally.judge(bench, new, end, f"{fault} at {name}")
            bench.renew()
            with bench.engine() as engine:
                result = engine.apply(bench.plan(operation.steps))
                _arm(bench, fault, operation.back)
                engine.rollback(result.run)
                end = to_the_end(bench, engine, result)
            tally.judge(bench, new, end, f"{fault} at the undo of {name}")


def _arm(bench: Bench, fault: str, path: str) -> None:
    match: dict[str, Any] = {} if SCENARIOS[fault].match.reused else {"path": path, "nth": 1}
    bench.simulator.arm(fault, **match)


def faults_at_requests(bench: Bench, tally: Tally, faults: Sequence[str], stride: int) -> None:
    """Every fault at each request of a plan of six operations."""
    new = new_world(bench, SIX)
    requests = len(bench.simulator.requests)
    for number, fault in enumerate(faults):
        for nth in range(1 + number % stride, requests + 1, stride):
            bench.renew()
            with bench.engine() as engine:
                bench.simulator.arm(fault, **{**ANYWHERE, "nth": nth})
                end = to_the_end(bench, engine, engine.apply(bench.plan(SIX)))
            tally.judge(bench, new, end, f"{fault} at request {nth}/{requests}")


def kills(bench: Bench, tally: Tally, stride: int, *, resume: bool) -> None:
    """The process is gone between any two of: a record, a request, an answer. Then it is recovered."""
    new = new_world(bench, SIX)
    bench.renew()
    points = _applied(bench, None)
    tally.judge(bench, new, End("committed"), "undisturbed")
    for point in range(1, points + 1, stride):
        bench.renew()
        _applied(bench, point)
        with bench.engine() as engine:
            engine.recover(resume=resume)
            rows = engine.journal.runs(limit=1)
        tally.judge(bench, new, End(rows[0].ending if rows else None), f"killed at {point}/{points}, resume={resume}")


def _applied(bench: Bench, kill_at: int | None) -> int:
    def work() -> int:
        boundary = Boundary(kill_at)
        with bench.engine(boundary) as engine:
            engine.apply(bench.plan(SIX))
        return boundary.count

    return in_child(work)


def run(base: str, profile: str, *, small: bool) -> Tally:
    tally = Tally()
    faults = [name for name in SCENARIOS if not small or not _waits(name)]
    bench = Bench(base, profile)
    bench.keep_secrets()
    with bench.running():
        if small:
            faults_at_operations(bench, tally, faults[::8], [name for name in OPERATIONS if name not in SINGLE])
            faults_at_operations(bench, tally, ["ok_without_activating"], SINGLE)
        else:
            faults_at_operations(bench, tally, faults, list(OPERATIONS))
        faults_at_requests(bench, tally, faults, 41 if small else 1)
        for resume in (False, True):
            kills(bench, tally, 17 if small else 1, resume=resume)
    return tally


def _waits(fault: str) -> bool:
    """Faults that keep a client waiting until it gives up."""
    return "timeout" in fault or "slow" in fault


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(prog="crash opnsense", description=__doc__)
    parser.add_argument("--profile", default="26.1", help="version of the simulated appliance (26.1)")
    parser.add_argument("--small", action="store_true", help="a budget for continuous integration")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="holdfast-crash-") as base:
        tally = run(base, options.profile, small=options.small)
    for line in tally.bad[:60]:
        sys.stdout.write(f"BAD  {line}\n")
    endings = ", ".join(f"{count} {ending}" for ending, count in tally.endings.most_common())
    sys.stdout.write(f"{tally.trials} trials: {endings}; {len(tally.bad)} bad\n")
    return 1 if tally.bad else 0


if __name__ == "__main__":
    sys.exit(main())
