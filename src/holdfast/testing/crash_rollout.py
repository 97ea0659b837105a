"""The crash matrix of roll-outs: three tenants, three stages each, killed with SIGKILL around every record and every effect.

`python -m holdfast.testing.crash_rollout` forks a process per trial, lets it die before or after its n-th append or
effect, and has another process finish the run: once by going back, once by going on. The services live all the while.
Exit code 1 when a service, the journal or the ending is not what it must be.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from holdfast.app.engine import Holdfast
from holdfast.app.home import Home
from holdfast.app.parts import Parts
from holdfast.app.wiring import TARGETS, Target, Wiring
from holdfast.core.plan import Plan
from holdfast.drivers.contract import Batch, Driver, Outcome
from holdfast.drivers.wrappers import Wrapper
from holdfast.journal.contract import Persisted
from holdfast.journal.sqlite import SqliteJournal
from holdfast.planfile import parse
from holdfast.testing.crash import Boundary, in_child, quick_place
from holdfast.testing.tenant_service import Remembered, serve

TENANTS: Final = 3
STAGES: Final = ("config", "broadcast", "health")
OLD: Final = "1"
NEW: Final = "2"


# -- boundaries


class Marked(Boundary):
    """Boundaries with names, left in a file so that they outlive the process."""

    def __init__(self, trace: Path, kill_at: int | None = None) -> None:
        super().__init__(kill_at)
        self._trace = trace.open("a")

    def at(self, place: str) -> None:
        self._trace.write(place + "\n")
        self._trace.flush()
        self.cross()


class Crossing(Wrapper):
    """A driver with a boundary before and after every batch."""

    def __init__(self, inner: Driver, boundary: Marked, family: str) -> None:
        super().__init__(inner)
        self._boundary = boundary
        self._family = family

    async def apply(self, batch: Batch) -> Sequence[Outcome]:
        self._boundary.at(f"before {self._family}")
        outcomes = await self.inner.apply(batch)
        self._boundary.at(f"after {self._family}")
        return outcomes


def crossing_journal(boundary: Marked, directory: str) -> SqliteJournal:
    class Crossed(SqliteJournal):
        def append(self, run: str | None, events: Any, **options: Any) -> Persisted:
            types = " ".join(dict.fromkeys(event.type for event in events))
            boundary.at(f"before {types}")
            receipt = super().append(run, events, **options)
            boundary.at(f"after {types}")
            return receipt

    journal: SqliteJournal = Crossed.open(directory)
    return journal


def engine_on(state: str, boundary: Marked) -> Holdfast:
    home = Home(state)
    home.make()

    def crossed(family: str) -> Any:
        make = TARGETS["local"][family]

        def made(wiring: Wiring, target: Target, on_loop: bool) -> Driver:
            return Crossing(make(wiring, target, on_loop), boundary, family)

        return made

    targets = {**TARGETS, "local": {**TARGETS["local"], "service": crossed("service"), "probe": crossed("probe")}}
    return Holdfast(Parts(home, crossing_journal(boundary, home.journal), Wiring(home, targets=targets)))


# -- the site


class Site:
    """Three services and a state directory; all but the services themselves is made anew for each trial."""

    def __init__(self, base: str) -> None:
        self.base = Path(base)
        self.services = [Remembered(self.base / f"service{number}") for number in range(TENANTS)]
        self._servers = [_serving(service.folder) for service in self.services]
        self.hosts = [f"127.0.0.1:{server.server_port}" for server in self._servers]

    @property
    def state(self) -> str:
        return str(self.base / "state")

    @property
    def trace(self) -> Path:
        return self.base / "trace"

    def renew(self, *, ill: bool) -> None:
        shutil.rmtree(self.state, ignore_errors=True)
        self.trace.unlink(missing_ok=True)
        for service in self.services:
            service.put("document", {"version": OLD})
            service.put("read", OLD)
            service.put("deaf", ill and service is self.services[1])
            service.drop("log")

    def versions(self) -> list[tuple[Any, Any]]:
        return [((service.get("document") or {}).get("version"), service.get("read")) for service in self.services]

    def plan(self) -> Plan:
        steps: dict[str, Mapping[str, Any]] = {
            "config": {"id": "c", "config": "http://${each.host}/config", "values": {}, "version": NEW},
            "broadcast": {"id": "b", "broadcast": "http://${each.host}/reload"},
            "health": {
                "id": "h",
                "health": "http://${each.host}/health",
                "version_of": "c",
                "attempts": 2,
                "interval": "5ms",
            },
        }
        task = {
            "name": "deploy",
            "locks": ["tenant:${each.tenant}"],
            "each": [{"tenant": f"t{number}", "host": host} for number, host in enumerate(self.hosts)],
            "stages": [{"name": name, "steps": [step]} for name, step in steps.items()],
        }
        return parse({"holdfast": 1, "name": "roll", "policy": {"scope": "task"}, "tasks": [task]})

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


def _serving(folder: Path) -> ThreadingHTTPServer:
    server = serve(str(folder))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return server


# -- trials


def applying(site: Site, kill_at: int | None) -> int:
    def work() -> int:
        boundary = Marked(site.trace, kill_at)
        with engine_on(site.state, boundary) as engine:
            engine.apply(site.plan())
        return boundary.count

    return in_child(work)


def finishing(site: Site, *, resume: bool) -> None:
    def work() -> int:
        with engine_on(site.state, Marked(site.base / "ignored")) as engine:
            engine.recover(resume=resume)
        return 0

    in_child(work)


def rolling_back(site: Site) -> None:
    def work() -> int:
        with engine_on(site.state, Marked(site.base / "ignored")) as engine:
            engine.rollback("last")
        return 0

    in_child(work)


@dataclass
class Tally:
    trials: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    killed_at: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)

    def judge(self, site: Site, label: str, *, ill: bool) -> None:
        self.trials += 1
        self.bad += [f"{label}: {wrong}" for wrong in _wrongs(site, ill, self.endings)]


def _wrongs(site: Site, ill: bool, endings: Counter[str]) -> Iterator[str]:
    """What is not as it must be once the run has come to its end; what is in is taken back as well."""
    with closing(SqliteJournal.open(Home(site.state).journal)) as journal:
        rows = journal.runs(limit=1)
        if not rows:
            yield from [] if site.versions() == [(OLD, OLD)] * TENANTS else ["no run, but something was changed"]
            return
        yield from _numbers(journal, rows[0].id)
        if journal.locks():
            yield "a lock is left"
    ending = str(rows[0].ending)
    endings[ending] += 1
    expected = _expected(ending, ill)
    if expected is None:
        yield f"it ended {ending}"
    elif site.versions() != expected:
        yield f"it ended {ending}, and the services hold {site.versions()}"
    elif ending in ("committed", "partial"):
        rolling_back(site)
        if site.versions() != [(OLD, OLD)] * TENANTS:
            yield f"it was taken back by hand, and the services hold {site.versions()}"


def _expected(ending: str, ill: bool) -> list[tuple[str, str]] | None:
    if ending == "rolled_back":
        return [(OLD, OLD)] * TENANTS
    if ending == "committed" and not ill:
        return [(NEW, NEW)] * TENANTS
    if ending == "partial" and ill:
        return [(OLD, OLD) if number == 1 else (NEW, NEW) for number in range(TENANTS)]
    return None


def _numbers(journal: SqliteJournal, run: str) -> Iterator[str]:
    """Gapless, and no stage that came to its end is begun again."""
    following, tasks, finished = 1, dict[int, int](), set[tuple[int | None, int | None]]()
    for record in journal.records(run):
        if record.plan_seq != following:
            yield f"event {record.plan_seq} comes where {following} should"
        following = record.plan_seq + record.count
        for task, number in record.task_seqs.items():
            if number != tasks.get(task, 0) + 1:
                yield f"event {number} of task {task} comes after {tasks.get(task, 0)}"
            tasks[task] = number - 1 + sum(event.count for event in record.events if event.task == task)
        for event in record.events:
            if event.type == "stage.completed":
                finished.add((event.task, event.stage))
            elif event.type == "stage.started" and (event.task, event.stage) in finished:
                yield f"stage {event.stage} of task {event.task} was done twice"


def run_matrix(site: Site, tally: Tally, *, stride: int) -> None:
    for ill in (False, True):
        site.renew(ill=ill)
        boundaries = applying(site, None)
        tally.judge(site, f"ill={ill} undisturbed", ill=ill)
        for point in range(1, boundaries + 1, stride):
            for resume in (False, True):
                site.renew(ill=ill)
                applying(site, point)
                place = site.trace.read_text().splitlines()[-1]
                tally.killed_at[place] += 1
                finishing(site, resume=resume)
                tally.judge(site, f"ill={ill} killed {place} ({point}/{boundaries}), resume={resume}", ill=ill)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="crash rollout", description=__doc__)
    parser.add_argument("--stride", type=int, default=1, help="try every n-th boundary only")
    parser.add_argument("--small", action="store_true", help="a budget for continuous integration")
    options = parser.parse_args(arguments)
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="holdfast-crash-", dir=quick_place()) as base:
        site = Site(base)
        try:
            run_matrix(site, tally, stride=max(options.stride, 11 if options.small else 1))
        finally:
            site.close()
    for line in tally.bad[:20]:
        sys.stdout.write(f"BAD  {line}\n")
    types = {name for place in tally.killed_at for name in place.split()[1:]}
    ended = ", ".join(f"{count} {ending}" for ending, count in sorted(tally.endings.items()))
    sys.stdout.write(f"{tally.trials} trials around {len(types)} sorts of records and effects: {ended}; {len(tally.bad)} bad\n")
    return 1 if tally.bad else 0


if __name__ == "__main__":
    sys.exit(main())
