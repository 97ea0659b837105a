"""Actions and triggers as use cases: what a file of triggers defines, over one engine. Every face calls these.

    triggers = Triggers.load(engine, "triggers.yaml")
    fired = await triggers.fire("backup", source="manual:alice")

What has state - enabled or not, cooldowns, the last firing, how far a chain of responses has come - is folded from the
journal, so that it is the same in every process and after a restart.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any, Final

from holdfast.app.engine import Engine
from holdfast.app.looking.reading import Reading
from holdfast.app.triggering.firing import Fired, Firing, Given
from holdfast.app.triggering.scanning import Scanning
from holdfast.app.triggering.watching import Remembered, Watching
from holdfast.core.errors import Refused
from holdfast.core.events import NOTHING, Event
from holdfast.core.times import iso
from holdfast.triggers import cron, file
from holdfast.triggers.definitions import Action, Cron, Scanner, Trigger, Watcher
from holdfast.triggers.definitions import Triggers as Definitions
from holdfast.triggers.sources import Sources

Row = Mapping[str, Any]
UNKNOWN: Final[Row] = {"enabled": None, "fired_at": None, "due": None, "state": None, "changed_at": None, "skipped": 0}


def default_file(environment: Mapping[str, str]) -> str:
    """Where the file of triggers is when nobody says otherwise: in the configuration directory."""
    home = environment.get("HOME") or os.path.expanduser("~")
    base = environment.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return os.path.join(base, "holdfast", file.NAME)


class Triggers:
    def __init__(self, engine: Engine, definitions: Definitions) -> None:
        self.engine = engine
        self.definitions = definitions
        self.firing = Firing(engine, definitions)
        alive = engine.parts.owner.is_alive
        sources = Sources(engine.journal, engine.parts.wiring.secrets, now=engine.clock.now, is_alive=alive)
        self.watching = Watching(engine, sources, self.firing)
        self.scanning = Scanning(engine, sources, self.firing)

    @classmethod
    def load(cls, engine: Engine, path: str, *, home: str | None = None) -> Triggers:
        """Raises PlanError with all problems of the file."""
        return cls(engine, file.load(path, home=home))

    def close(self) -> None:
        self.firing.close()

    # -- looking

    def actions(self) -> list[dict[str, Any]]:
        return action_documents(self.engine, self.definitions)

    def triggers(self) -> list[dict[str, Any]]:
        return trigger_documents(self.engine, self.definitions)

    def find(self, name: str) -> Trigger:
        found = self.definitions.triggers.get(name)
        if found is None:
            raise Refused(f"there is no trigger `{name}`", code="not_found", hint="`holdfast trigger list` shows them")
        return found

    # -- doing

    async def fire(self, action: str, *, source: str, variables: Given = NOTHING) -> Fired:
        """Execute an action now. Raises `Rejected` while it executes or cools down."""
        return await self.firing.fire(action, source=source, variables=variables)

    async def check(self, name: str, *, dry_run: bool = False) -> dict[str, Any]:
        """Look now: `{"matches": [...]}`, and do what it asks for, unless it is only to be shown.

        A cron fires now, which does not shift its schedule.
        """
        trigger = self.find(name)
        if isinstance(trigger, Watcher):
            return (await self.watching.check(trigger, Remembered(), dry_run=dry_run)).plain()
        if isinstance(trigger, Scanner):
            return (await self.scanning.scan(trigger, dry_run=dry_run)).plain()
        return await self._check_cron(trigger, dry_run)

    async def _check_cron(self, trigger: Cron, dry_run: bool) -> dict[str, Any]:
        match = {"name": trigger.name, "action": trigger.action, "check": list(trigger.check)}
        if dry_run:
            return {"matches": [match], "fired": [], "error": None}
        fired, error = [], None
        if trigger.action is not None:
            done = await self.firing.fire(trigger.action, source=f"cron:{trigger.name}", facts={"trigger": trigger.name})
            fired, error = [trigger.action], done.execution.error
        checked = {name: await self.check(name) for name in trigger.check}
        return {"matches": [match], "fired": fired, "error": error, "checked": checked}

    def arm(self) -> Mapping[str, Row | None]:
        """How every enabled trigger stands. A schedule that was changed begins anew now, and so does one nobody knew."""
        journal, now = self.engine.journal, self.engine.clock.now()
        rows = journal.trigger_rows()
        enabled = [each for each in self.definitions.triggers.values() if is_enabled(each, rows.get(each.name))]
        new = [each for each in enabled if isinstance(each, Cron) and not _is_known(each, rows.get(each.name))]
        if new:
            events = [Event("trigger.changed", {"name": each.name, "by": "file", **_definition(each)}) for each in new]
            journal.append(None, events, at=now)
            rows = journal.trigger_rows()
        return {each.name: rows.get(each.name) for each in enabled}

    def enable(self, name: str, *, by: str) -> dict[str, Any]:
        return self._switch(name, True, by)

    def disable(self, name: str, *, by: str) -> dict[str, Any]:
        """What it has begun goes on to its end."""
        return self._switch(name, False, by)

    def _switch(self, name: str, enabled: bool, by: str) -> dict[str, Any]:
        trigger = self.find(name)
        journal, now = self.engine.journal, self.engine.clock.now()
        if is_enabled(trigger, journal.trigger_row(name)) != enabled:
            data = {"name": name, "enabled": enabled, "by": by, **_definition(trigger)}
            journal.append(None, [Event("trigger.changed", data)], at=now)
        return trigger_document(trigger, journal.trigger_row(name), now)


def _definition(trigger: Trigger) -> dict[str, Any]:
    return {"definition": trigger.definition} if isinstance(trigger, Cron) else {}


def _is_known(trigger: Cron, row: Row | None) -> bool:
    return row is not None and row["definition"] == trigger.definition


def armed_since(row: Row) -> float:
    """From when on the times of a schedule count."""
    return float(max(row["due"] or 0.0, row["changed_at"]))


# -- documents


def is_enabled(trigger: Trigger, row: Row | None) -> bool:
    """What somebody said counts more than the file."""
    said = None if row is None else row["enabled"]
    return trigger.enabled if said is None else bool(said)


def action_documents(desk: Reading, definitions: Definitions) -> list[dict[str, Any]]:
    now, rows, over = desk.clock.now(), desk.journal.action_rows(), {row["id"] for row in desk.abandoned()}
    return [_action_document(action, rows.get(name), now, over) for name, action in definitions.actions.items()]


def _action_document(action: Action, row: Row | None, now: float, over: Collection[str]) -> dict[str, Any]:
    known = row or {"execution": None, "started_at": None, "completed_at": None, "success": None}
    ended = known["completed_at"]
    remaining = 0.0 if ended is None else max(0.0, ended + action.cooldown - now)
    return {
        "name": action.name,
        "type": action.type,
        "cooldown_s": action.cooldown,
        "remaining_s": round(remaining, 3),
        "executing": known["execution"] is not None and known["execution"] not in over,
        "last_at": iso(known["started_at"] if known["started_at"] is not None else ended),
        "last_success": known["success"],
    }


def trigger_documents(desk: Reading, definitions: Definitions) -> list[dict[str, Any]]:
    now, rows = desk.clock.now(), desk.journal.trigger_rows()
    return [trigger_document(trigger, rows.get(name), now) for name, trigger in definitions.triggers.items()]


def trigger_document(trigger: Trigger, row: Row | None, now: float) -> dict[str, Any]:
    known = row or UNKNOWN
    enabled = is_enabled(trigger, row)
    timed = trigger if isinstance(trigger, Cron) else None
    upcoming = cron.next_time(timed.schedule, timed.timezone, now) if enabled and timed else None
    return {
        "name": trigger.name,
        "type": trigger.type,
        "schedule": timed.schedule if timed else None,
        "timezone": timed.timezone if timed else None,
        "interval_s": None if isinstance(trigger, Cron) else trigger.interval,
        "enabled": enabled,
        "next_at": iso(upcoming),
        "last_at": iso(known["fired_at"]),
        "state": (known["state"] or "armed") if enabled else "disabled",
        "skipped": known["skipped"],
    }
