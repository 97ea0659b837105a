"""What triggers cost while nothing is due, and what a long history costs whoever asks for its stats."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Iterator
from typing import NamedTuple

from measure import Contender, alternate
from places import Place, holdfast

from holdfast.app.engine import Engine
from holdfast.app.triggering.loop import TriggerLoop
from holdfast.app.triggering.triggers import Triggers
from holdfast.core.events import Event
from holdfast.journal.sqlite import SqliteJournal
from holdfast.triggers.file import parse

ARMED = 10_000
EXECUTIONS = 100_000
IDLE_S = 5.0


class Found(NamedTuple):
    work: str
    measured: str
    target: str
    met: bool


def measure(rounds: int) -> Iterator[Found]:
    with Place() as place:
        share = asyncio.run(_idle(place.fresh("idle")))
        yield Found(f"{ARMED:,} armed triggers, idle", f"{100 * share:.2f} % of a core", "<= 2 %", share <= 0.02)
        state = place.fresh("history")
        rate = _fill(state)
        yield Found(f"replay of {2 * EXECUTIONS:,} records", f"{rate:,.0f} records/s", ">= 200,000", rate >= 200_000)
        empty = place.fresh("empty")
        contenders = [
            Contender("start", lambda: holdfast(empty, "stats")),
            Contender("stats", lambda: holdfast(state, "stats")),
        ]
        found = alternate(contenders, rounds * 2)
        over = 1000 * (found["stats"].seconds - found["start"].seconds)
        yield Found(f"stats over {EXECUTIONS:,} executions", f"{over:.0f} ms over start-up", "<= 100 ms", over <= 100)


async def _idle(state: str) -> float:
    """The share of a core that a loop takes when everything has looked once and nothing is due."""
    with Engine.open(state) as engine:
        loop, stop = TriggerLoop(Triggers(engine, parse(_file(), base=state))), asyncio.Event()
        running = asyncio.create_task(loop.run(stop))
        await asyncio.sleep(0)
        while not loop.is_at_rest:
            await asyncio.sleep(0.1)
        started, spent = time.perf_counter(), _cpu()
        await asyncio.sleep(IDLE_S)
        share = (_cpu() - spent) / (time.perf_counter() - started)
        stop.set()
        await running
        return share


def _file() -> str:
    lines = ["holdfast: 1", "actions: {a: {command: 'true'}}", "cron:"]
    half = ARMED // 2
    lines += [f"  c{n}: {{schedule: '{n % 60} {n % 24} 1 {n % 12 + 1} *', action: a, enabled: true}}" for n in range(half)]
    lines.append("watchers:")
    quarter = ARMED // 4
    lines += [
        f"  w{n}: {{source: locks, condition: {{exceeds: 9}}, interval: 1d, wake_on: [run.stuck]}}" for n in range(quarter)
    ]
    lines.append("scanners:")
    rest = ARMED - half - quarter
    lines += [f"  s{n}: {{source: locks, condition: {{stale: 1h}}, cleanup: release, interval: 1d}}" for n in range(rest)]
    return "\n".join(lines)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _fill(state: str) -> float:
    """A long history, one record for each start and each end; returns how many a second a replay of all takes."""
    os.chmod(state, 0o700)
    journal = SqliteJournal.open(os.path.join(state, "journal"))
    for number in range(EXECUTIONS):
        about = {"id": f"e{number}", "action_id": f"a{number % 20}"}
        started = Event("action.started", {**about, "source": "cron:c", "execution_type": "command"})
        ended = Event("action.completed", {**about, "success": number % 7 > 0, "duration_ms": number % 5000})
        journal.append(None, [started], at=1e9 + number, durable=False)
        journal.append(None, [ended], at=1e9 + number, durable=number == EXECUTIONS - 1)
    started_at = time.perf_counter()
    journal.replay()
    rate = 2 * EXECUTIONS / (time.perf_counter() - started_at)
    journal.close()
    return rate
