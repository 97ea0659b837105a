"""Small journals: what a test of the suite needs to say what it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from holdfast.core.errors import HoldfastError
from holdfast.core.events import Event, Outline, StageOutline, TaskOutline
from holdfast.journal.contract import Journal, Record, RunRow
from holdfast.journal.folds import ENDINGS

RING: Final = 50
Again = Callable[[Journal], Journal]


def an_outline(*sizes: int) -> Outline:
    """One task per size, with one stage of so many steps."""
    return Outline(
        tuple(
            TaskOutline(
                f"t{task}", "local", (StageOutline("main", tuple(f"t{task}-{i}" for i in range(size)), ("link",) * size),)
            )
            for task, size in enumerate(sizes)
        )
    )


def created(plan: str = "web", *, sizes: Sequence[int] = (2,), owner: str = "me") -> Event:
    data = {
        "plan": plan,
        "digest": f"sha256:{plan}",
        "source": "manual:alice",
        "outline": an_outline(*sizes),
        "policy": {},
        "owner": owner,
    }
    return Event("run.created", data)


def begin(journal: Journal, run: str, *, plan: str = "web", at: float = 1.0, **more: Any) -> str:
    journal.append(run, [created(plan, **more), Event("run.started")], at=at)
    return run


def end(journal: Journal, run: str, *, ending: str = "committed", settled: bool = True, at: float = 2.0) -> None:
    events = [ENDED[ending], Event("run.settled")] if settled else [ENDED[ending]]
    journal.append(run, events, at=at)


ENDED: Final = {
    "committed": Event("run.committed", {"ending": "committed"}),
    "unchanged": Event("run.committed", {"ending": "unchanged"}),
    "partial": Event("run.committed", {"ending": "partial"}),
    "refused": Event("run.refused", {"problems": [{"code": "locked", "message": "held", "step": None}]}),
    "rolled_back": Event("run.rolled_back", {"error": {"code": "timeout", "message": "too slow"}}),
    "stuck": Event("run.rollback_failed", {"residue": []}),
}


def executed(action: str, number: int, *, duration_ms: float = 100, success: bool = True) -> Event:
    data = {"id": f"{action}-{number}", "action_id": action, "source": "manual", "execution_type": "command"}
    return Event("action.completed", {**data, "success": success, "duration_ms": duration_ms})


def row_of(journal: Journal, run: str) -> RunRow:
    found = journal.run(run)
    assert found is not None
    return found


def state_of(journal: Journal) -> dict[str, Any]:
    """Everything that can be asked of a journal, to compare two of them."""
    rows = journal.runs(limit=1000)
    return {
        "runs": rows,
        "open": journal.runs(open_only=True),
        "by_ending": {ending: journal.runs(ending=ending) for ending in ENDINGS},
        "by_plan": {plan: journal.runs(plan=plan) for plan in {row.plan for row in rows}},
        "found": [journal.run(row.id) for row in rows],
        "executions": journal.executions(limit=1000),
        "in_flight": journal.in_flight(),
        "cleanups": journal.cleanups(limit=1000),
        "stats": journal.stats(),
        "endings": journal.endings(),
        "locks": journal.locks(),
        "last": journal.last_seq(),
    }


def refusal(call: Callable[[], Any]) -> HoldfastError:
    try:
        call()
    except HoldfastError as error:
        return error
    raise AssertionError("it was not refused")


def plain(records: Iterable[Record]) -> list[Any]:
    """Records with their sequences as lists, so that those that were stored compare with those that were given."""
    return [
        (
            record.seq,
            record.count,
            record.run,
            record.plan_seq,
            dict(record.task_seqs),
            record.at,
            [plain_event(e) for e in record.events],
        )
        for record in records
    ]


def plain_event(event: Event) -> Any:
    steps = None if event.steps is None else list(event.steps)
    return (event.type, dict(event.data), event.task, event.stage, steps)


def fill(journal: Journal, prefix: str = "") -> None:
    """A bit of everything."""
    for number, ending in enumerate(
        ["committed", "unchanged", "refused", "rolled_back", "partial", "stuck", "committed", None]
    ):
        run = begin(journal, f"{prefix}R{number}", plan="web" if number % 2 else "db", at=float(number))
        journal.lock(run, "me", [f"local:/srv/{number}", "tenant:acme"], at=number + 0.1)
        steps = Event("step.applied", {"duration_s[]": [0.25, None]}, task=0, stage=0, steps=(0, 1))
        journal.append(run, [Event("task.started", task=0), steps], at=number + 0.2)
        journal.append(None, [executed("nudge", number, duration_ms=number * 10, success=number != 3)], at=number + 0.3)
        if ending is not None:
            end(journal, run, ending=ending, at=number + 0.5)
            journal.unlock(run, at=number + 0.6)
    started = {"id": f"{prefix}x", "action_id": "backup", "source": "cron:nightly", "execution_type": "plan"}
    cleanup = {"scanner_id": "s", "resource_id": "lock:x", "action": "release", "success": True, "error": None}
    journal.append(None, [Event("action.started", started), Event("cleanup.executed", cleanup)], at=9.0)
    journal.ask(f"{prefix}R7", "pause", {}, at=9.0)
    journal.keep_plan("sha256:web", b"web")
    journal.put("checkpoints", f"{prefix}before", b"states")
    journal.unlock(f"{prefix}R7", at=9.5)
