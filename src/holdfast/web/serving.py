"""What the handlers of the API work with: one desk to look, one to ask, the workshop where runs are driven."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from msgspec import UNSET

from holdfast.app.engine import Holdfast
from holdfast.app.home import Home
from holdfast.app.looking import picture, runs
from holdfast.app.looking.reading import Reading
from holdfast.app.looking.tail import tenants_of
from holdfast.app.looking.tenants import Tenants
from holdfast.app.plans.confine import Bounds
from holdfast.app.plans.kept import KeptPlans
from holdfast.app.serving.tokens import Caller
from holdfast.app.serving.workshop import Workshop
from holdfast.app.triggering.attending import Attending
from holdfast.core.errors import Refused
from holdfast.core.plan import Plan
from holdfast.journal.contract import RunRow
from holdfast.web.asked import EventsWanted, Page, PlanText, RunWanted, Whole
from holdfast.web.feed import Feed
from holdfast.web.gate import foreign

RUNS_KNOWN_MAX: Final = 10_000
RUN_NAME_MAX: Final = 26
PLANS_KNOWN_MAX: Final = 8  # of the newest that were looked at

# Who runs things may stop and undo them; whether they stay, and whether they may go on, is for somebody else to say.
ROLE_OF_VERB: Final = {
    "pause": "operator",
    "resume": "operator",
    "cancel": "operator",
    "retry": "operator",
    "rollback": "operator",
    "confirm": "approver",
    "approve": "approver",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request that was let in: who asks, and what was understood of it."""

    caller: Caller
    path: dict[str, str]
    query: Any
    body: Any
    csrf: str | None = None


class Serving:
    def __init__(
        self,
        home: Home,
        *,
        reading: Reading,
        desk: Holdfast,
        open_desk: Callable[[], Holdfast],
        workshop: Workshop,
        feed: Feed,
        bounds: Bounds,
        metrics: Callable[[], bytes],
        description: dict[str, Any],
        attending: Attending | None = None,
    ) -> None:
        self.home = home
        self.reading = reading
        self.desk = desk
        self.open_desk = open_desk
        self.workshop = workshop
        self.feed = feed
        self.bounds = replace(bounds, private=(home.path,))
        self.metrics = metrics
        self.description = description
        self.attending = attending
        self.kept = KeptPlans.of(desk.parts)
        self.tenants = Tenants(reading.journal)
        self.tenants_of = lru_cache(RUNS_KNOWN_MAX)(self._tenants_of)
        self.plan_of = lru_cache(PLANS_KNOWN_MAX)(desk.plan_of)

    # -- plans

    def plan_in(self, body: PlanText | RunWanted) -> Plan:
        """The plan that was sent; nothing in it is relative to anything here, nor read from this server's environment."""
        text = body.plan if body.plan is not UNSET else body.text
        assert text is not UNSET
        return self.bounds.read(text, body.format, name="plan")

    def check_tenants(self, caller: Caller, plan: Plan, *, called: str | None = None) -> None:
        """It is called by the word that the caller used for it: what others named is theirs."""
        if not caller.sees([task.key for task in plan.tasks]):
            raise foreign(f"the plan `{called or plan.name}`")

    # -- runs

    def run(self, caller: Caller, name: str) -> RunRow:
        """The run that is meant, for somebody who may see it."""
        if len(name) > RUN_NAME_MAX or not name.isalnum():
            raise Refused(f"there is no run `{name[:80]}`", code="not_found", hint="`GET /api/v1/runs` lists them")
        row = runs.find(self.reading.journal, name)
        if not self.sees(caller, row.id):
            raise foreign(f"the run `{name}`")
        return row

    def events_after(self, run: str | None, query: EventsWanted) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the events of one run, or of everything, and the cursor of the next."""
        found = runs.event_documents(self.reading.journal, run, since=query.after, limit=query.limit + 1)
        return cut(list(found), query.limit, "seq")

    def sees(self, caller: Caller, run: str | None) -> bool:
        if caller.tenants is None:
            return True
        return run is not None and caller.sees(self.tenants_of(run))

    def _tenants_of(self, run: str) -> tuple[str | None, ...]:
        outline = self.reading.journal.outline(run)
        return (None,) if outline is None else tenants_of(outline)

    def shown(self, caller: Caller, run: str) -> dict[str, Any]:
        """The document of a run, with what this caller may ask of it now."""
        row = self.reading.journal.run(run)
        assert row is not None
        row = self.reading.as_it_is(row)
        document = picture.document(self.reading.journal, row, lambda verb: caller.may(ROLE_OF_VERB[verb]))
        waits = self.reading.waits(row)
        return document if waits is None else {**document, "waits": waits}

    def diffs_of(self, row: RunRow) -> dict[tuple[str, str], str]:
        """Of the changes of a plan that was previewed with this digest, while the preview is kept."""
        try:
            preview = self.kept.by_digest(row.digest).preview
        except Refused:
            return {}
        return {(change["step"], change["resource"]): change["diff"] for change in preview["changes"]}


def cut(rows: list[dict[str, Any]], limit: int, number: str) -> tuple[list[dict[str, Any]], str | None]:
    """One page, and the cursor of the next; one row more was looked for, to know whether there is one."""
    return rows[:limit], str(rows[limit - 1][number]) if len(rows) > limit else None


def page_of(query: Page | Whole, name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of a list that is short enough to be made at once: the cursor is how much of it was seen."""
    start = query.cursor or 0
    end = start + (query.limit or len(rows))
    return {name: rows[start:end], "next_cursor": str(end) if len(rows) > end else None}
