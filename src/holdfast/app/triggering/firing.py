"""Firing an action: whether it may, doing it, and both in the journal.

Whether it may is asked and answered behind a gate that only one process at a time can pass, so two of them never fire
the same action at once. Who executes holds a lock file, so that an execution whose process died is known to be over.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

from holdfast.app.engine import Engine, Options
from holdfast.app.looking import tracking
from holdfast.core.errors import HoldfastError, PlanError, Refused
from holdfast.core.events import NOTHING, Event
from holdfast.core.plan import Plan
from holdfast.core.result import Result
from holdfast.history import Execution, History, bury
from holdfast.planfile import load
from holdfast.triggers.actions import chosen, filled
from holdfast.triggers.commands import run_command
from holdfast.triggers.definitions import Action, Command, PlanFile, Rules, Triggers

GATE: Final = "gate"
Given = Mapping[str, Any]
Does = Command | PlanFile | Rules


class Rejected(Refused):
    """The action may not be fired now; `remaining_s` tells for how long, where that is known."""

    def __init__(self, message: str, *, hint: str = "", remaining_s: float | None = None) -> None:
        super().__init__(message, code="wrong_state", hint=hint)
        self.remaining_s = remaining_s

    def plain(self) -> dict[str, Any]:
        return {**super().plain(), "remaining_s": None if self.remaining_s is None else round(self.remaining_s, 3)}


@dataclass(frozen=True, slots=True)
class Done:
    """How one execution went."""

    success: bool
    output: str | None = None
    error: str | None = None
    run: str | None = None
    ending: str | None = None


@dataclass(frozen=True, slots=True)
class Fired:
    execution: Execution
    ending: str | None = None  # of the run, where a plan was applied

    def plain(self) -> dict[str, Any]:
        return {**tracking.execution(asdict(self.execution)), "ending": self.ending}


class Firing:
    """The actions of a file, over one engine."""

    def __init__(self, engine: Engine, definitions: Triggers) -> None:
        self._engine = engine
        self._actions = definitions.actions
        self._open: History | None = None

    @property
    def _history(self) -> History:
        if self._open is None:
            parts = self._engine.parts
            self._open = History(parts.journal, clock=parts.clock.now, executors=parts.home.executors)
        return self._open

    def close(self) -> None:
        if self._open is not None:
            self._open.leave()
            self._open = None

    def interrupt_the_dead(self) -> None:
        """Have it written down that what dead processes executed is over."""
        self._history.interrupt_the_dead()

    def find(self, name: str) -> Action:
        found = self._actions.get(name)
        if found is None:
            raise Refused(f"there is no action `{name}`", code="not_found", hint="`holdfast action list` shows them")
        return found

    async def fire(
        self, name: str, *, source: str, variables: Given = NOTHING, facts: Given = NOTHING, because: Sequence[Event] = ()
    ) -> Fired:
        """Execute an action; how it went is in the journal, and returned. Raises `Rejected` when it may not be.

        `variables` were given by whoever fires it, `facts` are what a trigger found. Events that it is fired `because`
        of are journaled with its start, or not at all.
        """
        action = self.find(name)
        variables = {**action.variables, **variables}
        known = {**variables, **facts, "source": source, "action": name}
        with self._rejecting(name, source):
            does = filled(action.does, known) if isinstance(action.does, Command) else action.does
            plan, flaw = _plan_of(does, variables)
            execution = self._begin(action, source, plan, because)
        try:
            done = flaw or await self._do(does, plan, source, variables, facts)
        except HoldfastError as error:
            done = Done(False, error=error.message)
        except asyncio.CancelledError:
            self._complete(action, source, plan, execution, Done(False, error="it was cancelled while it ran"))
            raise
        return Fired(self._complete(action, source, plan, execution, done), done.ending)

    # -- may it?

    @contextmanager
    def _rejecting(self, name: str, source: str) -> Iterator[None]:
        try:
            yield
        except Refused as refusal:
            parts = self._engine.parts
            remaining = refusal.remaining_s if isinstance(refusal, Rejected) else None
            data = {"action_id": name, "source": source, "why": refusal.message, "remaining_s": remaining}
            parts.journal.append(None, [Event("action.rejected", data)], at=parts.clock.now())
            raise

    def _begin(self, action: Action, source: str, plan: Plan | None, because: Sequence[Event]) -> str:
        with self._gate():
            self.interrupt_the_dead()
            refusal = self.refusal(action.name)
            if refusal is not None:
                raise refusal
            name = None if plan is None else plan.name
            return self._history.action_execution_started(action.name, source, action.type, plan=name, because=because)

    def refusal(self, name: str) -> Rejected | None:
        """Why the action may not be fired now; None when it may."""
        row = self._engine.journal.action_row(name)
        if row is None:
            return None
        if self.executes(name):
            return Rejected(f"`{name}` is already executing", hint="wait for its end, or look at `holdfast history`")
        cooldown = self.find(name).cooldown
        ended = row["completed_at"] or row["started_at"]
        remaining = ended + cooldown - self._engine.clock.now()
        if remaining <= 0 or not cooldown:
            return None
        message = f"`{name}` cools down for another {remaining:.1f} s"
        return Rejected(message, hint=f"its `cooldown` is {cooldown:g} s", remaining_s=remaining)

    def executes(self, name: str) -> bool:
        """Is it being executed, by whichever process?"""
        row = self._engine.journal.action_row(name)
        if row is None or row["execution"] is None or row["owner"] is None:
            return False
        grave = bury(self._engine.parts.home.executors, row["owner"])
        if grave is None:
            return True
        grave.end()
        return False

    @contextmanager
    def _gate(self) -> Iterator[None]:
        path = os.path.join(self._engine.parts.home.path, GATE)
        gate = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield
        finally:
            os.close(gate)

    # -- do it

    async def _do(self, does: Does, plan: Plan | None, source: str, variables: Given, facts: Given) -> Done:
        if isinstance(does, Command):
            ran = await run_command(does, self._engine.parts.wiring.secrets)
            return Done(ran.failure is None, ran.output, None if ran.failure is None else ran.failure.message)
        if isinstance(does, Rules):
            return await self._follow(does, source, variables, facts)
        assert plan is not None
        return _done(await self._engine.apply(plan, Options(source=source)))

    async def _follow(self, rules: Rules, source: str, variables: Given, facts: Given) -> Done:
        then = chosen(rules, {**variables, **facts, "source": source}, self._engine.clock.now())
        if then is None:
            return Done(False, error="no rule applies, and there is no `else`")
        fired = await self.fire(then, source=source, variables=variables, facts=facts)
        execution = fired.execution
        return Done(bool(execution.success), f"chose {then}", execution.error, execution.run, fired.ending)

    def _complete(self, action: Action, source: str, plan: Plan | None, execution: str, done: Done) -> Execution:
        return self._history.action_execution_completed(
            action.name,
            done.success,
            done.output or None,
            done.error,
            execution_id=execution,
            source=source,
            execution_type=action.type,
            plan=None if plan is None else plan.name,
            run=done.run,
        )


def _plan_of(does: Does, variables: Given) -> tuple[Plan | None, Done | None]:
    """The plan to be applied, or why it is none."""
    if not isinstance(does, PlanFile):
        return None, None
    try:
        return load(does.path, given=variables), None
    except PlanError as error:
        return None, Done(False, error=str(error))


def _done(result: Result) -> Done:
    success = result.success
    first = next(iter(result.errors), None)
    said = None if first is None or success else first["message"]
    error = None if success else f"the run {result.run} ended {result.ending}" + (f": {said}" if said else "")
    return Done(success, f"run {result.run}: {result.ending}", error, result.run, result.ending)
