"""Hosts for people: what they say as they say it, each line with its host, and in the end what went wrong where."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from holdfast.cli.lines import Line, Span, line
from holdfast.cli.screen import Screen

if TYPE_CHECKING:
    from holdfast.ssh.values import Result, Transferred

_COLOURS: Final = ("cyan", "green", "yellow", "magenta", "blue")
_STEP: Final = 5  # per cent between two lines of progress


def tagged(screen: Screen, hosts: Sequence[str]) -> Callable[[str, str, str], None]:
    """Prints each line at once, behind the name of its host."""
    width = max(map(len, hosts), default=0)
    colours = {host: _COLOURS[place % len(_COLOURS)] for place, host in enumerate(hosts)}

    def heard(host: str, stream: str, text: str) -> None:
        shown = line(Span(host.ljust(width), colours.get(host, "")), " | ", text.expandtabs(8))
        if stream == "stderr":
            screen.complain(shown)
        else:
            screen.say(shown)
            screen.out.flush()

    return heard


def failures(results: Sequence[Result]) -> list[Line]:
    """Nothing when all is well: the output has been seen."""
    return [_failure(result.error.plain()) for result in results if result.error is not None]


def _failure(error: Mapping[str, Any]) -> Line:
    return line(Span("✗ ", "red"), str(error["message"]), Span(f"  {error['code']}", "dim"))


def checked(found: Sequence[Mapping[str, Any]]) -> list[Line]:
    width = max((len(each["host"]) for each in found), default=0)
    return [_failure(each["error"]) if each["error"] else _host(each, width) for each in found]


def _host(each: Mapping[str, Any], width: int) -> Line:
    there = [name for name in ("python", "sudo") if each[name]]
    parts = [f"as {each['user']}", each["system"] or "", f"{each['duration_s'] * 1000:.0f} ms", *there]
    return line(Span("✓ ", "green"), each["host"].ljust(width), "  ", "  ".join(parts))


def copied(found: Transferred) -> list[Line]:
    if found.skipped:
        return [line("something stands there; it was left alone")]
    resumed = f", going on at {found.resumed_at} bytes" if found.resumed_at else ""
    what = f"{found.files} file{'s' * (found.files != 1)}, {found.bytes} bytes in {found.duration_s:.2f} s{resumed}"
    return [line(Span("✓ ", "green"), what, Span(f"  sha256 {found.checksum}", "dim"))]


@contextmanager
def copying(screen: Screen) -> Iterator[Callable[[int, int], None]]:
    """How far it is, where somebody watches."""
    said = 0

    def progress(done: int, whole: int) -> None:
        nonlocal said
        percent = 100 * done // whole if whole else 100
        if screen.lively and whole > done and percent >= said + _STEP:
            said = percent
            screen.note(line(f"{percent} %"))

    yield progress
