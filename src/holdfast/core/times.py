"""Points in time as text and back: ISO 8601 in UTC with milliseconds. Arithmetic on days; no clock and no library."""

from __future__ import annotations

from typing import Final

_DAY_MS: Final = 86_400_000
_EPOCH: Final = 719_468  # days from the first of March of the year 0 to 1970-01-01
_ERA: Final = 146_097  # days of 400 years, after which the calendar repeats


def iso(seconds: float | None) -> str | None:
    """Seconds since the epoch, as documents hold them."""
    if seconds is None:
        return None
    days, rest = divmod(round(seconds * 1000), _DAY_MS)
    year, month, day = _date(days)
    minutes, milliseconds = divmod(rest, 60_000)
    hour, minute = divmod(minutes, 60)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}Z"


def seconds_of(text: str | None) -> float | None:
    """The inverse of `iso`."""
    if text is None:
        return None
    days = _days(int(text[0:4]), int(text[5:7]), int(text[8:10]))
    minutes = (days * 24 + int(text[11:13])) * 60 + int(text[14:16])
    return (minutes * 60_000 + int(text[17:19]) * 1000 + int(text[20:23])) / 1000


def _date(days: int) -> tuple[int, int, int]:
    """Years are counted from March, so that the day that is sometimes missing comes last."""
    era, day = divmod(days + _EPOCH, _ERA)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    return 400 * era + year + (month >= 10), month + 3 if month < 10 else month - 9, day + 1


def _days(year: int, month: int, day: int) -> int:
    year -= month <= 2
    era, year = divmod(year, 400)
    month = month - 3 if month > 2 else month + 9
    return era * _ERA + 365 * year + year // 4 - year // 100 + (153 * month + 2) // 5 + day - 1 - _EPOCH
