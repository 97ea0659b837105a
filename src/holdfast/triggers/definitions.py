"""What triggers.yaml defines, as values: whoever holds one holds a sound one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from holdfast.kinds.contract import Secret

SourceType = Literal["command", "file", "files", "http", "runs", "locks", "events"]


@dataclass(frozen=True, slots=True)
class Command:
    """A program, never a shell's line: variables stay inside the word they stand in."""

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str | Secret] = field(default_factory=dict)
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class PlanFile:
    path: str


@dataclass(frozen=True, slots=True)
class Rule:
    tests: Mapping[str, Any]  # empty: always
    then: str


@dataclass(frozen=True, slots=True)
class Rules:
    rules: Sequence[Rule]
    timezone: str


@dataclass(frozen=True, slots=True)
class Action:
    name: str
    does: Command | PlanFile | Rules
    cooldown: float = 0.0
    variables: Mapping[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> str:
        return {Command: "command", PlanFile: "plan", Rules: "rules"}[self.does.__class__]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a watcher or a scanner looks."""

    type: SourceType
    what: str = ""  # a path, a pattern, an address, the name of a plan
    command: Command | None = None
    timeout: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    name: str
    schedule: str
    timezone: str
    action: str | None
    overlap: str
    misfire: str
    check: Sequence[str]
    enabled: bool
    type: str = "cron"

    @property
    def definition(self) -> str:
        """What was due before it changed is not due any more."""
        return f"{self.schedule} {self.timezone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    exceeds: float | None = None
    below: float | None = None
    matches: str | None = None
    idle: float | None = None
    stuck_state: str | None = None
    stuck_for: float = 0.0
    consecutive_failures: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    action: str
    after: float = 0.0
    requires_previous_failure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    name: str
    source: Source
    condition: Condition
    interval: float
    respond: Sequence[Response] = ()
    wake_on: Sequence[str] = ()
    enabled: bool = True
    type: str = "watcher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    stale: float | None = None
    terminal_for: float | None = None
    matches: str | None = None
    attempts: int | None = None
    orphaned: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    verb: Literal["delete", "release", "archive", "action"]
    what: str = ""  # a directory, or the name of an action


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanner:
    name: str
    source: Source
    condition: Match
    cleanup: Cleanup
    interval: float
    max_per_scan: int = 100
    protect: Sequence[str] = ()
    enabled: bool = True
    type: str = "scanner"


Trigger = Cron | Watcher | Scanner


@dataclass(frozen=True, slots=True)
class Triggers:
    """Everything one file defines."""

    path: str
    actions: Mapping[str, Action]
    triggers: Mapping[str, Trigger]
