"""The shape of triggers.yaml: which keys stand where. Checked, and shown in the docs, from these structs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from holdfast.kinds.contract import Duration, Flaw, Secret
from holdfast.kinds.running import Words
from holdfast.planfile.layout import Layout, Names

Limit = float | str  # a number, or a duration

TriggerName = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(?!\n)$", max_length=200, description="letters, digits and `_.-`")
]


class FileLayout(Layout, frozen=True, kw_only=True):
    holdfast: Literal[1]
    actions: dict[str, Any] = msgspec.field(default_factory=dict)
    cron: dict[str, Any] = msgspec.field(default_factory=dict)
    watchers: dict[str, Any] = msgspec.field(default_factory=dict)
    scanners: dict[str, Any] = msgspec.field(default_factory=dict)


class ActionLayout(Layout, frozen=True, kw_only=True):
    """Exactly one of `plan`, `command` and `rules`."""

    plan: str | None = None
    command: Words | None = None
    rules: list[Any] | None = None
    cooldown: Duration = Duration(0)
    timeout: Duration | None = None
    env: dict[str, str | Secret] = msgspec.field(default_factory=dict)
    cwd: str | None = None
    vars: dict[str, Any] = msgspec.field(default_factory=dict)
    timezone: str = "UTC"

    def flaws(self) -> Iterator[Flaw]:
        does = [name for name in ("plan", "command", "rules") if getattr(self, name) is not None]
        if not does:
            yield Flaw("command", "an action needs one of `plan`, `command` and `rules`", code="missing_key")
        if len(does) > 1:
            yield Flaw(does[1], f"`{does[0]}` and `{does[1]}` cannot stand side by side", hint="make two actions of it")
        if self.command is None and (self.env or self.cwd is not None or self.timeout is not None):
            field = "env" if self.env else "cwd" if self.cwd is not None else "timeout"
            yield Flaw(field, f"`{field}` is only for a `command`")


class RuleLayout(Layout, frozen=True, kw_only=True, rename={"if_": "if", "else_": "else"}):
    if_: dict[str, Any] | None = None
    then: str | None = None
    else_: str | None = None

    def flaws(self) -> Iterator[Flaw]:
        if self.else_ is not None:
            if self.if_ is not None or self.then is not None:
                yield Flaw("else_", "`else` stands alone: it is for what no `if` before it wants")
        elif self.if_ is None or self.then is None:
            missing = "if" if self.if_ is None else "then"
            yield Flaw("then", f"`{missing}` is missing", hint="write `{if: {...}, then: ACTION}`", code="missing_key")


class CronLayout(Layout, frozen=True, kw_only=True):
    schedule: str
    action: str | None = None
    timezone: str = "UTC"
    overlap: Literal["skip", "wait"] = "skip"
    misfire: Literal["once", "skip", "all"] = "once"
    check: Names = msgspec.field(default_factory=list)  # watchers and scanners
    enabled: bool = False

    def flaws(self) -> Iterator[Flaw]:
        if self.action is None and not self.check:
            yield Flaw("action", "there is nothing to do", hint="name an `action`, or what to `check`", code="missing_key")


class SourceLayout(Layout, frozen=True, kw_only=True):
    command: Words | None = None
    env: dict[str, str | Secret] = msgspec.field(default_factory=dict)
    cwd: str | None = None
    file: str | None = None
    files: str | None = None
    http: str | None = None
    runs: str | None = None  # only of this plan
    events: str | None = None

    def flaws(self) -> Iterator[Flaw]:
        given = [name for name in ("command", "file", "files", "http", "runs", "events") if getattr(self, name) is not None]
        if not given:
            yield Flaw("command", "a source is one of `command`, `file`, `files`, `http`, `runs`, `locks`, `events`")
        if len(given) > 1:
            yield Flaw(given[1], f"`{given[0]}` and `{given[1]}` cannot stand side by side", hint="one source each")


class StuckLayout(Layout, frozen=True, kw_only=True, rename={"for_": "for"}):
    state: str
    for_: Duration


class ConditionLayout(Layout, frozen=True, kw_only=True):
    """Of a watcher. All that are given must hold."""

    exceeds: Limit | None = None
    below: Limit | None = None
    matches: str | None = None
    idle: Duration | None = None
    stuck_in: StuckLayout | None = None
    consecutive_failures: Annotated[int, Meta(ge=1)] | None = None


class ResponseLayout(Layout, frozen=True, kw_only=True):
    action: str
    after: Duration = Duration(0)
    requires_previous_failure: bool = False


class WatcherLayout(Layout, frozen=True, kw_only=True):
    source: str | SourceLayout
    condition: ConditionLayout
    interval: Duration = Duration(60)
    respond: list[Any] = msgspec.field(default_factory=list)
    wake_on: Names = msgspec.field(default_factory=list)
    timeout: Duration = Duration(30)  # of the source
    enabled: bool = True


class MatchLayout(Layout, frozen=True, kw_only=True):
    """The condition of a scanner. All that are given must hold."""

    stale: Duration | None = None
    terminal_for: Duration | None = None
    matches: str | None = None
    attempts: Annotated[int, Meta(ge=1)] | None = None
    orphaned: bool | None = None


class CleanupLayout(Layout, frozen=True, kw_only=True):
    archive: str | None = None
    action: str | None = None

    def flaws(self) -> Iterator[Flaw]:
        if (self.archive is None) == (self.action is None):
            yield Flaw("archive", "a clean-up is `delete`, `release`, `{archive: DIR}` or `{action: NAME}`")


class ScannerLayout(Layout, frozen=True, kw_only=True):
    source: str | SourceLayout
    condition: MatchLayout
    cleanup: str | CleanupLayout
    interval: Duration = Duration(600)
    max_per_scan: Annotated[int, Meta(ge=1, le=10_000)] = 100
    protect: Names = msgspec.field(default_factory=list)
    timeout: Duration = Duration(30)  # of the source
    enabled: bool = True
