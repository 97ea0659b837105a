"""When a schedule is due, and what becomes of times that were missed. Pure.

Schedules are those of Debian's cron, also around a change of the clock: a fixed time that the change skips fires when
the clock has jumped, one that comes twice fires once, and what runs every so many minutes goes on by the clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from holdfast.core.errors import WorldError

MISSED_MAX: Final = 1000  # times that are looked at one by one after a downtime
LATE_S: Final = 60.0  # who comes that late was not away: the machine was busy
NICKNAMES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
EXTRA: Final = "install it with: pip install 'holdfast[triggers]'"


def times(schedule: str, timezone: str, after: float) -> Iterator[float]:
    """The times of a schedule after a moment, in seconds since the epoch."""
    try:
        from cronsim import CronSim
    except ImportError:
        raise WorldError("schedules need the extra `triggers`", code="unsupported", hint=EXTRA) from None
    for found in CronSim(NICKNAMES.get(schedule, schedule), datetime.fromtimestamp(after, ZoneInfo(timezone))):
        yield found.astimezone(UTC).timestamp()


def next_time(schedule: str, timezone: str, after: float) -> float | None:
    return next(times(schedule, timezone, after), None)


def flaw_of(schedule: str, after: float = 0.0) -> str | None:
    """Why nobody can keep this schedule; None as well where nothing is installed that could tell."""
    try:
        from cronsim import CronSimError
    except ImportError:
        return None
    try:
        found = next_time(schedule, "UTC", after)
    except CronSimError as error:
        return f"`{schedule}` is not a schedule: {str(error).lower()}"
    return None if found is not None else f"`{schedule}` never comes"


def zone_flaw(timezone: str) -> tuple[str, str] | None:
    """What is wrong with the name of a time zone, and what may be meant."""
    from difflib import get_close_matches

    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        close = get_close_matches(timezone, available_timezones(), n=1)
        return f"there is no time zone `{timezone}`", f"did you mean `{close[0]}`?" if close else "write it like Europe/Berlin"
    return None


class Missed(NamedTuple):
    """What became due since the last time that was answered for."""

    fire: tuple[float, ...]  # oldest first
    skip: int
    due: float  # the newest of all of them


def missed(schedule: str, timezone: str, since: float, now: float, misfire: str) -> Missed | None:
    """What to do about everything between two moments; None when nothing was due.

    The newest is on time when nobody was away. Of those before it `once` fires one for all, which is the newest itself.
    """
    found = [at for at in islice(times(schedule, timezone, since), MISSED_MAX) if at <= now]
    if not found:
        return None
    newest = found[-1]
    on_time = now - newest <= LATE_S
    if misfire == "all":
        return Missed(tuple(found), 0, newest)
    if misfire == "once" or on_time:
        return Missed((newest,), len(found) - 1, newest)
    return Missed((), len(found), newest)
