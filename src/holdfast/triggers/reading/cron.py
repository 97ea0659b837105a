"""The section `cron`: schedules, and what they fire or have checked."""

from __future__ import annotations

from typing import Final

from holdfast.planfile.layout import Names, listed
from holdfast.planfile.source import meant
from holdfast.triggers.actions import CRON
from holdfast.triggers.cron import flaw_of
from holdfast.triggers.definitions import Cron
from holdfast.triggers.layout import CronLayout
from holdfast.triggers.reading import checks
from holdfast.triggers.reading.place import Place, Section


def _schedule(given: str, place: Place) -> None:
    flaw = flaw_of(given)
    if flaw:
        place.problem(flaw, "write minute, hour, day, month and weekday, like `0 3 * * *`")


def _checked(given: Names, place: Place) -> None:
    there = {*place.sections["watchers"], *place.sections["scanners"]}
    for name in listed(given):
        if name not in there:
            hint = meant(name, there) or "name watchers and scanners"
            place.problem(f"there is no watcher or scanner `{name}`", hint, "not_found")


def _made(name: str, given: CronLayout, place: Place) -> Cron:
    return Cron(
        name=name,
        schedule=given.schedule,
        timezone=given.timezone,
        action=given.action,
        overlap=given.overlap,
        misfire=given.misfire,
        check=tuple(listed(given.check)),
        enabled=given.enabled,
    )


SECTION: Final = Section(
    CronLayout,
    {"schedule": _schedule, "timezone": checks.zone, "action": checks.fires(CRON), "check": _checked},
    _made,
)
