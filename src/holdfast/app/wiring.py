"""Which driver serves which family of which target. Concrete drivers are named here and nowhere else.

Every type of target is one row in `TARGETS`: what its declaration needs, and a maker for each family it serves.
Modules of drivers are imported when a plan first needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from holdfast.app.extras import brought
from holdfast.app.home import Home
from holdfast.app.references import references_of
from holdfast.core.plan import Plan, Step
from holdfast.drivers.contract import Driver
from holdfast.runtime.fleet import DriverFleet, Make

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from holdfast.core.events import Event
    from holdfast.drivers.remote.host import Host
    from holdfast.drivers.remote.hosts import Hosts
    from holdfast.drivers.secrets import Secrets

Thing = TypeVar("Thing")
Maker = Callable[["Wiring", "Target", bool], Driver]
Targets = Mapping[str, Mapping[str, Maker]]
Makers = Mapping[str, Callable[["Target"], Driver]]  # by family


class Target(NamedTuple):
    """A target by its name, and what the plan says of it."""

    name: str
    declared: Mapping[str, Any]
    others: Mapping[str, Mapping[str, Any]] = {}  # every target that the plan declares


class Wiring:
    """Makes the fleet of a plan. What lives in memory lives as long as this object.

    `drivers` are makers by family, for every target; other packages register theirs as entry points `holdfast.drivers`.
    """

    def __init__(
        self, home: Home, *, roots: Sequence[str] = (), targets: Targets | None = None, drivers: Makers | None = None
    ) -> None:
        self.home = home
        self.roots = tuple(roots)
        self.targets = TARGETS if targets is None else targets
        self.drivers = drivers or {}
        self._memory: dict[str, Any] = {}

    def fleet(self, plan: Plan, *, on_loop: bool) -> DriverFleet:
        for reference in references_of(plan):  # before the first program runs, whichever step resolves it
            self.secrets.reserve(reference)
        makers: dict[tuple[str, str], Make] = {}
        others = {**registered({step.operation.family for step in plan.steps} - FAMILIES), **self.drivers}
        for target in {"local", *(step.target for step in plan.steps), *plan.targets}:
            kind = _type_of(plan, target)
            of_target = Target(target, plan.targets.get(target, {}), plan.targets)
            for family, make in self.targets[kind].items():
                makers[target, family] = _bound(make, self, of_target, on_loop)
            for family, brings in others.items():
                makers[target, family] = partial(brings, of_target)
        fleet = DriverFleet(makers)
        if any(_lands(step) for step in plan.steps):
            makers["local", "files"] = _bringing(makers["local", "files"], fleet, self.home)
        return fleet

    def remembered(self, name: str, make: Callable[[], Thing]) -> Thing:
        """One of its kind for as long as this wiring lives."""
        if name not in self._memory:
            self._memory[name] = make()
        found: Thing = self._memory[name]
        return found

    def telling(self, plan: Plan, tell: Callable[[Event], None]) -> AbstractContextManager[None]:
        """Meanwhile this one hears of what the drivers of the plan try in vain, and again."""
        from contextlib import nullcontext

        reached = {name: declared for name, declared in plan.targets.items() if "ssh" in declared}
        return self.hosts.telling(reached, tell) if reached else nullcontext()

    @property
    def secrets(self) -> Secrets:
        """Everything that resolves a secret shares one memory of them, so that none is shown by another's output."""
        from holdfast.drivers.secrets import Secrets

        return self.remembered("secrets", Secrets)

    @property
    def hosts(self) -> Hosts:
        """Hosts over SSH, whose drivers share their connections."""
        from holdfast.drivers.remote.hosts import Hosts

        return self.remembered("hosts", Hosts)


def _bringing(inner: Make, fleet: DriverFleet, home: Home) -> Make:
    """Local files, and the way by which contents of hosts come to them."""

    def make() -> Driver:
        from holdfast.drivers.remote.bringing import Bringing

        return Bringing(inner(), lambda target: fleet.driver(target, "files"), home.work)

    return make


def _bound(make: Maker, wiring: Wiring, target: Target, on_loop: bool) -> Make:
    def made() -> Driver:
        with brought():
            return make(wiring, target, on_loop)

    return made


def registered(families: set[str]) -> Makers:
    """What other packages bring for families that nobody here serves."""
    if not families:
        return {}
    from importlib.metadata import entry_points

    return {point.name: point.load() for point in entry_points(group="holdfast.drivers") if point.name in families}


def _type_of(plan: Plan, target: str) -> str:
    if target in ("local", "memory"):
        return target
    declaration = plan.targets[target]
    return next(kind for kind in TARGETS if kind in declaration)


def _lands(step: Step) -> bool:
    """Does it change another target than the one it was written for?"""
    return bool(getattr(step.operation, "lands", ""))


def needs_loop(plan: Plan) -> bool:
    """Does anything in this plan wait: a process, a probe, a host? Local files and memory do not."""
    return any(
        step.operation.family != "files" or _lands(step) or step.target not in ("local", "memory") for step in plan.steps
    )


def _local_files(wiring: Wiring, target: Target, on_loop: bool) -> Driver:
    from holdfast.drivers.files.local import Local

    kept = (wiring.home.objects,) if wiring.roots else ()  # what a restore reads, wherever plans are confined to
    driver = Local(wiring.home.stash, roots=(*wiring.roots, *kept), secrets=wiring.secrets)
    if not on_loop:
        return driver
    from holdfast.drivers.threaded import Threaded
    from holdfast.runtime.crew import run_to_end

    return Threaded(driver, run_to_end)


def _memory_files(wiring: Wiring, target: Target, on_loop: bool) -> Driver:
    from holdfast.drivers.files.memory import Memory

    return wiring.remembered("files", Memory)


def _local_processes(wiring: Wiring, target: Target, on_loop: bool) -> Driver:
    from holdfast.drivers.process.local import LocalProcesses

    return LocalProcesses(work=wiring.home.work, secrets=wiring.secrets)


def _memory_processes(wiring: Wiring, target: Target, on_loop: bool) -> Driver:
    from holdfast.drivers.process.memory import MemoryProcesses

    return wiring.remembered("process", MemoryProcesses)


def _probes(wiring: Wiring, target: Target, on_loop: bool) -> Driver:
    from holdfast.drivers.probe.local import Probes

    return Probes(secrets=wiring.secrets)


def _memory_probes(wiring: Wiring, target: Target, on_loop: bool) -> Driver:
    from holdfast.drivers.probe.memory import MemoryProbes

    return MemoryProbes()


def _services(wiring: Wiring, target: Target, on_loop: bool) -> Driver:
    from holdfast.drivers.service.local import Services

    return Services(secrets=wiring.secrets)


def _memory_services(wiring: Wiring, target: Target, on_loop: bool) -> Driver:
    from holdfast.drivers.service.memory import MemoryServices

    return wiring.remembered("service", MemoryServices)


def _host(wiring: Wiring, target: Target) -> Host:
    from holdfast.drivers.remote.way import way_of

    return wiring.hosts.enter(target.name, target.declared, partial(way_of, target.declared, wiring.secrets))


def _remote_files(wiring: Wiring, target: Target, on_loop: bool) -> Driver:
    from holdfast.drivers.remote.files import RemoteFiles

    return RemoteFiles(_host(wiring, target), wiring.hosts, wiring.secrets)


def _remote_processes(wiring: Wiring, target: Target, on_loop: bool) -> Driver:
    from holdfast.drivers.remote.processes import RemoteProcesses

    return RemoteProcesses(_host(wiring, target), wiring.hosts, wiring.secrets)


def _remote_probes(wiring: Wiring, target: Target, on_loop: bool) -> Driver:
    from holdfast.drivers.remote.probes import RemoteProbes

    return RemoteProbes(_host(wiring, target), wiring.hosts, wiring.secrets)


def _rest(wiring: Wiring, target: Target, on_loop: bool) -> Driver:
    from holdfast.drivers.http.driver import RestResources

    return RestResources(secrets=wiring.secrets)


def _appliance(wiring: Wiring, target: Target, on_loop: bool) -> Driver:
    from holdfast.drivers.opnsense.making import appliance_at

    inner = wiring.remembered(f"opnsense:{target.declared}", lambda: appliance_at(target.declared, wiring.secrets))
    if "switch" not in target.declared:
        return inner
    from holdfast.drivers.opnsense.guarded import GuardedAppliance
    from holdfast.drivers.remote.box import BoxSwitch, Restoring

    box = target.declared["switch"]
    restoring = Restoring(target.declared.get("config", CONFIG), tuple(target.declared.get("reload", RELOAD)))
    host = _host(wiring, Target(box, target.others[box]))
    return GuardedAppliance(inner, BoxSwitch(host, wiring.hosts, wiring.secrets, restoring))


CONFIG: Final = "/conf/config.xml"  # where an OPNsense appliance keeps its configuration
RELOAD: Final = ("/usr/local/etc/rc.reload_all",)  # and what makes all of it run

TARGETS: Final[Targets] = {
    "local": {"files": _local_files, "process": _local_processes, "probe": _probes, "service": _services, "http": _rest},
    "memory": {
        "files": _memory_files,
        "process": _memory_processes,
        "probe": _memory_probes,
        "service": _memory_services,
        "http": _rest,
    },
    "ssh": {"files": _remote_files, "process": _remote_processes, "probe": _remote_probes, "http": _rest},
    # To a fleet the keys of objects look like paths, so what looks at files is the appliance as well.
    "opnsense": {"opnsense": _appliance, "files": _appliance, "probe": _probes, "http": _rest},
}
FAMILIES: Final = frozenset(family for makers in TARGETS.values() for family in makers)
