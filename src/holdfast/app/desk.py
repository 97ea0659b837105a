"""Where somebody works with the engine: its parts, what can be asked of runs, and the sessions in which work is done."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, Unpack

from holdfast.app import asking
from holdfast.app.apply import Session
from holdfast.app.looking import runs
from holdfast.app.looking.reading import Reading
from holdfast.app.opening import Injected, looking_parts, open_parts
from holdfast.app.parts import Parts
from holdfast.core.plan import Plan
from holdfast.journal import queue
from holdfast.journal.contract import RunRow

if TYPE_CHECKING:
    from holdfast.app.looking.following import Following


class Desk(Reading):
    """What needs no event loop, and what both fronts share: reading, and asking."""

    def __init__(self, parts: Parts) -> None:
        if not isinstance(parts, Parts):
            name, given = type(self).__name__, type(parts).__name__
            raise TypeError(f"`{name}` is made of `Parts`, not of a {given}; `{name}.open(state)` opens a state directory")
        super().__init__(parts.journal, parts.clock, parts.home)
        self.parts = parts
        self.sessions: list[Session] = []  # those that work is done in now, the oldest first

    @classmethod
    def open(cls, state: str | os.PathLike[str] | None = None, **injected: Unpack[Injected]) -> Self:
        """Over a state directory, by default that of the command line.

        Everything else can be handed in: `store` (a journal), `drivers` (makers by family), `clock`, `ids`, `logger`,
        `tracer`, `metrics`; `environment` and `roots` are what variables and local paths are confined to.
        """
        return cls(open_parts(state, **injected))

    @classmethod
    def looking(
        cls,
        state: str | os.PathLike[str] | None = None,
        *,
        remembering: bool = False,
        environment: Mapping[str, str] | None = None,
        roots: Sequence[str] = (),
    ) -> Self:
        """Nothing is kept, and no state directory is made. `remembering`: it can be compared with what was recorded."""
        return cls(looking_parts(state, remembering=remembering, environment=environment, roots=roots))

    def interrupt(self, by: str = "signal", *, verb: str = "cancel", **data: Any) -> bool:
        """Ask every run of this desk to stop and roll back, or to `pause`; false when nothing runs."""
        for session in self.sessions:
            session.asked.append((verb, {"by": by, **data}))
        return bool(self.sessions)

    def ask(self, run: str, verb: str, **data: Any) -> RunRow | None:
        """Ask something of a run whose process lives; it hears of it at its next pause for breath.

        None when no process drives the run: then it is to be done here. A command the run cannot take is refused.
        """
        row = self.askable(run, verb, **data)
        if not self._is_driven(row):
            return None
        self.journal.ask(row.id, verb, data, at=self.parts.clock.now())
        return row

    def askable(self, run: str, verb: str, **data: Any) -> RunRow:
        """The run, where this can be asked of it as it stands; refused otherwise. Nothing is asked yet."""
        from holdfast.app.looking.folding import read

        row = self.run_row(run)
        if asking.is_orphan(row) and not self._is_driven(row):
            asking.refuse_orphan(row, verb, data)
        else:
            asking.refuse(read(self.journal, row), verb, data)
        return row

    def _is_driven(self, row: RunRow) -> bool:
        return row.ending is None and row.owner is not None and self.parts.owner.is_alive(row.owner)

    def following(self, run: str, since: int) -> Following:
        from holdfast.app.looking.following import Following

        return Following(self.journal, self.run_row(run).id, since=since, clock=self.clock, alive=self.parts.owner.is_alive)

    def plan_of(self, row: RunRow) -> Plan:
        from holdfast.app.keeping.recorded import plan_of

        return plan_of(self.parts, row)

    def dead_runs(self) -> list[RunRow]:
        """Runs without an ending whose owner does not live any more."""
        rows = self.journal.runs(open_only=True, limit=10_000)
        alive = self.parts.owner.is_alive
        return [row for row in rows if row.state not in runs.RESTING and (row.owner is None or not alive(row.owner))]

    def unanswered_runs(self) -> list[RunRow]:
        """Runs that ended `stuck` because nobody answered: they can be finished once somebody does."""
        from holdfast.app.looking.folding import read

        stuck = self.journal.runs(ending="stuck")
        return [row for row in stuck if any(map(_is_unanswered, read(self.journal, row).residue.values()))]

    def free_locks(self) -> None:
        """A process that died between the end of its run and its last word left the locks of that run behind."""
        for lock in self.journal.locks():
            row = self.journal.run(lock.run)
            if row is not None and row.ending is not None and not self.parts.owner.is_alive(lock.owner):
                self.journal.unlock(lock.run, at=self.clock.now())
        queue.clear(self.journal, self.parts.owner.is_alive)

    def due(self, all_runs: bool) -> list[RunRow]:
        """Runs that hold what undoing them would need, and are not among the newest any more."""
        if not all_runs:
            return runs.fallen_out(self.journal, self.parts.runs_held_max)
        from holdfast.app.keeping import retention

        return list(retention.all_due(self.parts))

    def whole(self, plan: Plan) -> Plan:
        """The plan with what its policy adds: the removal of what it left out."""
        if not isinstance(plan, Plan):
            raise TypeError(f"a plan is what `holdfast.load` or `holdfast.parse` gives, not a {type(plan).__name__}")
        if not plan.policy.prune:
            return plan
        from holdfast.app.keeping.prune import pruned

        return pruned(self.journal, plan)

    def checkpoint_delete(self, name: str) -> None:
        from holdfast.app.keeping import checkpoints

        checkpoints.delete(self.parts, name)

    def close(self) -> None:
        self.parts.close()


def _is_unanswered(residue: Mapping[str, Any]) -> bool:
    return str(residue["reason"]).partition(":")[0] in ("unreachable", "timeout")
