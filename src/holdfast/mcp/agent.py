"""What one agent may do, and how it is done: every tool is a method that takes plain values, blocks and returns a document.

Runs are driven by the workshop, in threads of their own; a method that begins one returns its id. Whatever an agent may
not do is refused here, before anything is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final

from holdfast.app.engine import Holdfast, Options
from holdfast.app.looking.reading import Reading, home_of
from holdfast.app.plans import approvals
from holdfast.app.plans.confine import Bounds
from holdfast.app.plans.kept import KeptPlan, KeptPlans
from holdfast.app.plans.limits import Extent, Limits
from holdfast.app.serving.workshop import Workshop
from holdfast.core.errors import Problem, Refused
from holdfast.core.plan import Plan
from holdfast.journal.contract import RunRow
from holdfast.planfile import Format

UNLIMITED: Final = Limits()
ONLY_LOOKING: Final = Bounds(looking=True)
TAKEN_BACK: Final = frozenset({"rolled_back", "refused", "unchanged"})  # endings of runs that changed nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """What an agent may do. By itself it may look."""

    source: str = "mcp"  # who its runs and plans are by
    may_plan: bool = True  # a preview looks at whatever a plan names
    allow_apply: bool = False
    require_approval: bool = False  # of every plan, not only of those with irreversible steps
    bounds: Bounds = ONLY_LOOKING
    limits: Limits = UNLIMITED

    @classmethod
    def of(
        cls, *, roots: tuple[str, ...] = (), local_programs: bool = False, limits: Limits = UNLIMITED, **may: Any
    ) -> Mandate:
        """Nothing may happen by a preview alone for which an agent would need more than a preview."""
        found = cls(limits=limits, **may)
        looking = found.require_approval or not found.allow_apply
        bounds = Bounds.of(roots, local_programs=local_programs, looking=looking)
        return cls(limits=limits, bounds=bounds, **may)


class Agent:
    def __init__(self, state: str | None, mandate: Mandate, workshop: Workshop) -> None:
        self.state = state
        self.mandate = mandate
        self.bounds = replace(mandate.bounds, private=(home_of(state).path,))
        self.workshop = workshop
        self._changed: dict[str, Extent] = {}  # by run
        self._deciding = Lock()  # two plans at once are not both within a limit that only one of them is within

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        with Reading.of(self.state) as desk:
            yield desk

    @contextmanager
    def looking(self) -> Iterator[Holdfast]:
        with Holdfast.looking(self.state, remembering=True, roots=self.bounds.roots) as desk:
            yield desk

    @contextmanager
    def working(self) -> Iterator[Holdfast]:
        with Holdfast.open(self.state, roots=self.bounds.roots) as desk:
            yield desk

    # -- looking

    def plan_deployment(self, plan: str | Mapping[str, Any], format: Format = "yaml") -> dict[str, Any]:
        found = self.bounds.read(plan, format)
        with self.looking() as desk:
            kept = self._keep(desk, found, by=self.mandate.source)
        return {**kept.plain(), **self._conditions(kept, found)}

    def find_run(self, run: str) -> str:
        with self.reading() as desk:
            return desk.run_row(run).id

    def show_run(self, run: str) -> dict[str, Any]:
        with self.reading() as desk:
            return desk.show(run).plain()

    def list_runs(self, limit: int = 20, ending: str | None = None, plan: str | None = None) -> dict[str, Any]:
        with self.reading() as desk:
            return {"runs": desk.runs(limit=limit, ending=ending, plan=plan)}

    def run_events(self, run: str, since: int = 0, limit: int = 200) -> dict[str, Any]:
        """One more is asked for than is told, to know whether there are more."""
        with self.reading() as desk:
            found = list(desk.event_documents(run, since=since, limit=limit + 1))
        events = found[:limit]
        return {"events": events, "since": events[-1]["seq"] if events else since, "more": len(found) > limit}

    def list_checkpoints(self) -> dict[str, Any]:
        with self.reading() as desk:
            return {"checkpoints": desk.checkpoints()}

    def show_checkpoint(self, name: str) -> dict[str, Any]:
        with self.reading() as desk:
            shown = desk.checkpoint_show(name)
        return {**shown, "states": [{"resource": name, "value": state} for name, state in shown["states"].items()]}

    def show_plan(self, plan: str) -> dict[str, Any]:
        with self.looking() as desk:
            return KeptPlans.of(desk.parts).find(plan).plain()

    def list_plans(self) -> dict[str, Any]:
        with self.looking() as desk:
            kept = KeptPlans.of(desk.parts)
            found = [kept.find(plan) for plan in kept.ids()]
        return {
            "plans": [{"id": plan.id, "plan": plan.preview["plan"], "digest": plan.digest, "by": plan.by} for plan in found]
        }

    def execution_stats(self, action: str | None = None) -> dict[str, Any]:
        with self.reading() as desk:
            return desk.stats(action)

    def drift(self, plan: str | None = None) -> dict[str, Any]:
        with self.looking() as desk:
            return {"drift": desk.drift(plan)}

    # -- changing; each returns the id of a run

    def apply_deployment(self, id: str, digest: str) -> str:
        with self.looking() as desk:
            kept = KeptPlans.of(desk.parts).find(id)
            if kept.by != self.mandate.source:
                raise Refused(
                    f"the plan {id} was not made by this agent", code="not_found", hint="make one with plan_deployment"
                )
            kept = KeptPlans.of(desk.parts).reviewed(id, digest)
        exact = kept.exact
        self.bounds.check(exact.plan)
        return self._begin(kept, exact.plan, lambda options: self.workshop.start(exact, options))

    def restore_checkpoint(self, name: str) -> str:
        from holdfast.app.keeping.checkpoints import plan_back

        with self.looking() as desk:
            back = plan_back(desk.parts, name)
            self.bounds.check(back)
            kept = self._keep(desk, back, by=f"{self.mandate.source}:restore")
        return self._begin(kept, back, lambda options: self.workshop.restore(name, options))

    def create_checkpoint(self, name: str, plan: str | None = None) -> dict[str, Any]:
        with self.working() as desk:
            return desk.checkpoint_create(name, plan).plain()

    def rollback_run(self, run: str) -> str:
        return self._control(run, "rollback")

    def pause_run(self, run: str) -> str:
        return self._control(run, "pause")

    def resume_run(self, run: str) -> str:
        return self._control(run, "resume")

    def cancel_run(self, run: str) -> str:
        return self._control(run, "cancel")

    # -- what stands before a change

    def _keep(self, desk: Holdfast, plan: Plan, *, by: str) -> KeptPlan:
        desk.parts.home.make()
        return KeptPlans.of(desk.parts).keep(desk.plan(plan), by=by)

    def _needs_approval(self, kept: KeptPlan) -> bool:
        return self.mandate.require_approval or bool(kept.preview["irreversible"])

    def _conditions(self, kept: KeptPlan, plan: Plan) -> dict[str, Any]:
        """What an agent is to know before it tries."""
        needed = self._needs_approval(kept)
        over = self.mandate.limits.problems(plan, self._changed_so_far())
        return {
            "needs_approval": needed,
            "approve_with": f"holdfast approve {kept.digest}" if needed else None,
            "beyond_limits": [problem.plain() for problem in over],
        }

    def _begin(self, kept: KeptPlan, plan: Plan, start: Callable[[Options], str]) -> str:
        """The limits first: a person's yes is not used up by what may not be done."""
        self._must_be_allowed()
        with self._deciding:
            _refuse(self.mandate.limits.problems(plan, self._changed_so_far()))
            if self._needs_approval(kept):
                self._use_approval(kept.digest)
            options = Options(source=self.mandate.source, wait=False, expect=kept.digest)
            run = start(options)
            self._changed[run] = Extent.of(plan)
        return run

    def _use_approval(self, digest: str) -> None:
        with self.working() as desk:
            approvals.use(desk.journal, digest, at=desk.parts.clock.now())

    def _changed_so_far(self) -> Sequence[Extent]:
        with self.reading() as desk:
            rows = {run: desk.journal.run(run) for run in self._changed}
        return [self._changed[run] for run, row in rows.items() if row is None or row.ending not in TAKEN_BACK]

    def may(self, *, changes: bool, plans: bool) -> bool:
        return (self.mandate.allow_apply or not changes) and (self.mandate.may_plan or not plans)

    def _must_be_allowed(self) -> None:
        if not self.mandate.allow_apply:
            raise Refused("this agent may only look", code="permission_denied", hint="have it started with --allow-apply")

    def _control(self, run: str, verb: str) -> str:
        """Of a run that the agent began it may ask anything; of another one what a person need not approve."""
        self._must_be_allowed()
        with self.working() as desk:
            row = desk.run_row(run)
            if row.source != self.mandate.source:
                self._refuse_foreign(desk, row, verb)
            data = {"by": self.mandate.source}
            if desk.ask(row.id, verb, **data) is None:
                self.workshop.control(row, verb, data)
        return row.id

    def _refuse_foreign(self, desk: Holdfast, row: RunRow, verb: str) -> None:
        if self.mandate.require_approval:
            message = f"the run {row.id} was begun by {row.source}, and only a person may {verb} it"
            raise Refused(message, code="missing_confirmation", hint=f"ask for: holdfast {verb} {row.id}")
        if verb != "pause":
            _refuse(self.mandate.limits.problems(desk.plan_of(row), self._changed_so_far()))


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        message = "; ".join(problem.message for problem in problems)
        raise Refused(message, code=problems[0].code, hint=problems[0].hint)
