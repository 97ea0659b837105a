"""triggers.yaml becomes definitions, or every problem with its place and a hint. Nothing is executed, nothing looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import msgspec

from holdfast.core.errors import PlanError, Problem
from holdfast.kinds.contract import Secret, parse_duration
from holdfast.kinds.running import Words, argv_of
from holdfast.planfile.arguments import fill, shape_of
from holdfast.planfile.layout import Names, listed
from holdfast.planfile.source import Source as Text
from holdfast.planfile.source import Spot, meant
from holdfast.triggers import cron
from holdfast.triggers.actions import CRON, TESTS, TIMES, WATCHER, needed
from holdfast.triggers.definitions import (
    Action,
    Cleanup,
    Command,
    Condition,
    Cron,
    Match,
    PlanFile,
    Response,
    Rule,
    Rules,
    Scanner,
    Source,
    SourceType,
    Trigger,
    Triggers,
    Watcher,
)
from holdfast.triggers.layout import (
    ActionLayout,
    CleanupLayout,
    ConditionLayout,
    CronLayout,
    FileLayout,
    MatchLayout,
    ResponseLayout,
    RuleLayout,
    ScannerLayout,
    SourceLayout,
    TriggerName,
    WatcherLayout,
)

T = TypeVar("T")
L = TypeVar("L", bound=msgspec.Struct)
NAME: Final = "triggers.yaml"
_SECTIONS: Final = ("actions", "cron", "watchers", "scanners")
_BARE: Final[Mapping[str, SourceType]] = {"locks": "locks", "runs": "runs"}  # sources that need no more words
_WHATS: Final[tuple[SourceType, ...]] = ("file", "files", "http", "runs", "events")
_SCANNED: Final = ("command", "files", "http", "runs", "locks")  # sources of single resources
# Which clean-up a source can have, and which condition it can answer.
_CLEANUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "files": ("delete", "archive", "action"),
    "locks": ("release", "action"),
    "runs": ("release", "archive", "action"),
    "command": ("action",),
    "http": ("action",),
}
_MATCHES: Final[Mapping[str, tuple[str, ...]]] = {
    "files": ("stale", "matches"),
    "locks": ("stale", "matches", "orphaned"),
    "runs": ("stale", "terminal_for", "matches"),
}


def load(path: str | os.PathLike[str], *, home: str | None = None) -> Triggers:
    """The definitions in a file. Raises PlanError with all problems."""
    name = os.fspath(path)
    return _Reader(Text.of_file(name), os.path.dirname(os.path.abspath(name)), home).triggers(os.path.abspath(name))


def parse(text: str, *, base: str, name: str = "<text>") -> Triggers:
    return _Reader(Text.of_text(text, "yaml", name), base, None).triggers(name)


class _Reader:
    def __init__(self, source: Text, base: str, home: str | None) -> None:
        self.found: list[Problem] = list(source.problems)
        self.spot = Spot(source)
        self.base = base
        self.home = home
        self.actions: dict[str, Action] = {}
        self.known: set[str] = set()  # actions, also those that are not sound

    def triggers(self, path: str) -> Triggers:
        layout = self._head()
        found: dict[str, Trigger] = {}
        if layout is not None:
            self._check_names(layout)
            self.known = set(layout.actions)
            self.actions = dict(self._each("actions", layout.actions, ActionLayout, self._action))
            self._check_circles()
            found = {
                **dict(self._each("cron", layout.cron, CronLayout, self._cron)),
                **dict(self._each("watchers", layout.watchers, WatcherLayout, self._watcher)),
                **dict(self._each("scanners", layout.scanners, ScannerLayout, self._scanner)),
            }
            self._check_links(layout, found)
        if self.found:
            raise PlanError(sorted(self.found, key=_place))
        return Triggers(path, self.actions, found)

    def _head(self) -> FileLayout | None:
        raw = self.spot.source.value
        if not isinstance(raw, dict):
            self.problem(self.spot, "a file of triggers is a mapping", "begin it with `holdfast: 1`")
            return None
        sections = {name: raw[name] for name in _SECTIONS if isinstance(raw.get(name), dict)}
        made: FileLayout | None = fill(shape_of(FileLayout), raw, self.spot, self.found)
        return made or FileLayout(holdfast=1, **sections)  # so that problems below are found as well

    def problem(self, spot: Spot, message: str, hint: str = "", code: str = "invalid_value", *, key: bool = False) -> None:
        self.found.append(spot.problem(code, message, hint, key=key))

    def _each(
        self, section: str, given: Mapping[str, Any], layout: type[L], make: Callable[[str, L, Spot], T | None]
    ) -> Iterator[tuple[str, T]]:
        for name, raw in given.items():
            spot = self.spot.into(section, name)
            filled = self._fill(layout, raw, spot)
            made = None if filled is None else make(name, filled, spot)
            if made is not None:
                yield name, made

    def _fill(self, layout: type[L], raw: Any, spot: Spot) -> L | None:
        if not isinstance(raw, dict):
            self.problem(spot, f"`{spot.path[-1]}` is a mapping", f"known here: {', '.join(sorted(shape_of(layout).known))}")
            return None
        made: L | None = fill(shape_of(layout), raw, spot, self.found)
        return made

    def _check_names(self, layout: FileLayout) -> None:
        seen: dict[str, str] = {}
        for section in _SECTIONS:
            for name in getattr(layout, section):
                spot = self.spot.into(section, name)
                try:
                    msgspec.convert(name, TriggerName)
                except msgspec.ValidationError:
                    self.problem(spot, f"`{name}` is no name", "use letters, digits and `_.-`", key=True)
                if section != "actions" and seen.setdefault(name, section) != section:
                    hint = "`trigger enable NAME` must mean one of them"
                    self.problem(spot, f"`{name}` is under `{seen[name]}` already", hint, "duplicate_id", key=True)

    # -- actions

    def _action(self, name: str, given: ActionLayout, spot: Spot) -> Action | None:
        does = self._does(given, spot)
        return None if does is None else Action(name, does, float(given.cooldown), given.vars)

    def _does(self, given: ActionLayout, spot: Spot) -> Command | PlanFile | Rules | None:
        if given.plan is not None:
            return PlanFile(self._path(given.plan))
        if given.command is not None:
            timeout = None if given.timeout is None else float(given.timeout)
            return self._command(given.command, given.cwd, given.env, timeout)
        self._check_zone(given.timezone, spot)
        rules = [self._rule(raw, spot.into("rules", number)) for number, raw in enumerate(given.rules or ())]
        if not rules:
            self.problem(spot.into("rules"), "there is no rule", "write `[{if: {...}, then: ACTION}, {else: ACTION}]`")
        for number, rule in enumerate(rules[:-1]):
            if rule is not None and not rule.tests:
                self.problem(spot.into("rules", number), "no rule after an `else` can apply", "put it last")
        return Rules([rule for rule in rules if rule is not None], given.timezone)

    def _command(self, words: Words, cwd: str | None, env: Mapping[str, str | Secret], timeout: float | None) -> Command:
        """It runs beside the file, and there are the files of its secrets."""
        return Command(
            argv_of(words), self._path(cwd or "."), {name: self._secret(value) for name, value in env.items()}, timeout
        )

    def _secret(self, value: str | Secret) -> str | Secret:
        if isinstance(value, str) or not value.secret.startswith("file:"):
            return value
        return Secret(f"file:{self._path(value.secret.removeprefix('file:'))}")

    def _rule(self, raw: Any, spot: Spot) -> Rule | None:
        given = self._fill(RuleLayout, raw, spot)
        if given is None:
            return None
        then = given.then or given.else_ or ""
        self._check_action(then, spot.into("then" if given.then is not None else "else"))
        self._check_tests(given.if_ or {}, spot.into("if"))
        if given.if_ == {}:
            self.problem(spot.into("if"), "an `if` without a test is an `else`", "write `{else: ACTION}`")
        return Rule(given.if_ or {}, then)

    def _check_tests(self, tests: Mapping[str, Any], spot: Spot) -> None:
        for fact, test in tests.items():
            for verb, wanted in test.items() if isinstance(test, dict) else ():
                inside = spot.into(fact, verb)
                if verb not in TESTS:
                    hint = meant(verb, TESTS) or f"known here: {', '.join(TESTS)}"
                    self.problem(inside, f"`{verb}` is not a test", hint, "unknown_key", key=True)
                elif verb in ("below", "exceeds") and (isinstance(wanted, bool) or not isinstance(wanted, (int, float))):
                    self.problem(inside, f"`{verb}` needs a number; this is {wanted!r}")
            close = get_close_matches(fact, TIMES, n=1, cutoff=0.7)
            if close and fact not in TIMES:  # any other name may be a variable that is given when it is fired
                hint = f"did you mean `{close[0]}`?"
                self.problem(spot.into(fact), f"nobody knows a fact `{fact}`", hint, "undefined_variable", key=True)

    def _check_action(self, name: str, spot: Spot) -> None:
        if name not in self.known:
            hint = meant(name, self.known) or "declare it under `actions`"
            self.problem(spot, f"there is no action `{name}`", hint, "unknown_action")

    def _check_circles(self) -> None:
        """Rules may lead to rules, but not back."""
        leads = {
            name: [rule.then for rule in action.does.rules]
            for name, action in self.actions.items()
            if isinstance(action.does, Rules)
        }
        for name in leads:
            way = _circle(name, leads)
            if way:
                told = " leads to ".join(f"`{step}`" for step in way)
                hint = "let one of them name another action"
                self.problem(self.spot.into("actions", name), f"rules go round: {told}", hint, "cycle", key=True)

    # -- cron

    def _cron(self, name: str, given: CronLayout, spot: Spot) -> Cron | None:
        flaw = cron.flaw_of(given.schedule)
        if flaw:
            hint = "write minute, hour, day, month and weekday, like `0 3 * * *`"
            self.problem(spot.into("schedule"), flaw, hint)
        self._check_zone(given.timezone, spot)
        if given.action is not None:
            self._check_action(given.action, spot.into("action"))
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

    def _check_zone(self, timezone: str, spot: Spot) -> None:
        flaw = cron.zone_flaw(timezone)
        if flaw:
            self.problem(spot.into("timezone"), *flaw)

    def _check_links(self, layout: FileLayout, found: Mapping[str, Trigger]) -> None:
        """What a cron checks must be there, and what is fired must get its variables."""
        there = {*layout.watchers, *layout.scanners}
        for trigger in found.values():
            self._check_given(trigger)
            for name in trigger.check if isinstance(trigger, Cron) else ():
                if name not in there:
                    hint = meant(name, there) or "name watchers and scanners"
                    spot = self.spot.into("cron", trigger.name, "check")
                    self.problem(spot, f"there is no watcher or scanner `{name}`", hint, "not_found")

    def _check_given(self, trigger: Trigger) -> None:
        """What a scanner gives depends on what it finds; of all others it is known."""
        if isinstance(trigger, Scanner):
            return
        section, given = ("cron", CRON) if isinstance(trigger, Cron) else ("watchers", WATCHER)
        fired = [trigger.action] if isinstance(trigger, Cron) else [response.action for response in trigger.respond]
        for name in dict.fromkeys(fired):
            action = self.actions.get(name or "")
            command = action.does if action is not None and isinstance(action.does, Command) else None
            for missing in sorted(needed(command) - given - action.variables.keys() if command and action else ()):
                message = f"`{name}` needs the variable `{missing}`, which `{trigger.name}` does not give"
                hint = f"give it a value: `vars: {{{missing}: ...}}`"
                self.problem(self.spot.into(section, trigger.name), message, hint, "undefined_variable", key=True)

    # -- watchers

    def _watcher(self, name: str, given: WatcherLayout, spot: Spot) -> Watcher | None:
        source = self._source(given.source, float(given.timeout), spot.into("source"))
        condition = self._condition(given.condition, spot.into("condition"))
        respond = [self._response(raw, spot.into("respond", number)) for number, raw in enumerate(given.respond)]
        self._check_interval(given.interval, spot)
        self._check_patterns(given.wake_on, spot.into("wake_on"))
        if source is None or condition is None or None in respond:
            return None
        return Watcher(
            name=name,
            source=source,
            condition=condition,
            interval=float(given.interval),
            respond=tuple(response for response in respond if response is not None),
            wake_on=tuple(listed(given.wake_on)),
            enabled=given.enabled,
        )

    def _response(self, raw: Any, spot: Spot) -> Response | None:
        given = self._fill(ResponseLayout, {"action": raw} if isinstance(raw, str) else raw, spot)
        if given is None:
            return None
        self._check_action(given.action, spot.into("action"))
        return Response(
            action=given.action, after=float(given.after), requires_previous_failure=given.requires_previous_failure
        )

    def _condition(self, given: ConditionLayout, spot: Spot) -> Condition | None:
        if given == ConditionLayout():
            self.problem(spot, "a condition needs at least one test", f"known here: {_keys(ConditionLayout)}", "missing_key")
            return None
        if given.matches == "":
            self.problem(spot.into("matches"), "every text holds an empty one")
        return Condition(
            exceeds=self._limit(given.exceeds, spot.into("exceeds")),
            below=self._limit(given.below, spot.into("below")),
            matches=given.matches,
            idle=None if given.idle is None else float(given.idle),
            stuck_state=None if given.stuck_in is None else given.stuck_in.state,
            stuck_for=0.0 if given.stuck_in is None else float(given.stuck_in.for_),
            consecutive_failures=given.consecutive_failures,
        )

    def _limit(self, given: float | str | None, spot: Spot) -> float | None:
        if given is None or not isinstance(given, str):
            return given
        try:
            return float(parse_duration(given))
        except ValueError:
            self.problem(spot, f"`{given}` is neither a number nor a duration", "write it like 100, 0.5 or 5m")
            return None

    def _source(self, given: str | SourceLayout, timeout: float, spot: Spot) -> Source | None:
        if isinstance(given, str):
            if given in _BARE:
                return Source(_BARE[given], timeout=timeout)
            known = ", ".join((*_BARE, *(f"{{{key}: ...}}" for key in ("command", "file", "files", "http", "events"))))
            self.problem(spot, f"there is no source `{given}`", meant(given, _BARE) or f"known here: {known}")
            return None
        before = len(self.found)
        for flaw in given.flaws():
            self.problem(spot.into(flaw.field), flaw.message, flaw.hint, flaw.code)
        if given.events is not None:
            self._check_patterns(given.events, spot.into("events"))
        if len(self.found) > before:
            return None
        if given.command is not None:
            command = self._command(given.command, given.cwd, given.env, timeout)
            return Source("command", command=command, timeout=timeout)
        type_, what = next((name, getattr(given, name)) for name in _WHATS if getattr(given, name) is not None)
        return Source(type_, self._path(what) if type_ in ("file", "files") else what, timeout=timeout)

    def _check_interval(self, interval: float, spot: Spot) -> None:
        if interval < 0.1:
            self.problem(spot.into("interval"), "nobody can look that often", "write 100ms or more")

    def _check_patterns(self, names: Names, spot: Spot) -> None:
        for pattern in listed(names):
            if not pattern or "*" in pattern[:-1]:
                self.problem(
                    spot, f"`{pattern}` is no pattern of events", "write a type, or its beginning: run.committed, task.*"
                )

    # -- scanners

    def _scanner(self, name: str, given: ScannerLayout, spot: Spot) -> Scanner | None:
        source = self._source(given.source, float(given.timeout), spot.into("source"))
        cleanup = self._cleanup(given.cleanup, spot.into("cleanup"))
        self._check_interval(given.interval, spot)
        if given.condition == MatchLayout():
            hint = f"known here: {_keys(MatchLayout)}"
            self.problem(spot.into("condition"), "a condition needs at least one test", hint, "missing_key")
        if source is None or cleanup is None:
            return None
        self._check_scanned(source, cleanup, given.condition, spot)
        condition = given.condition
        return Scanner(
            name=name,
            source=source,
            condition=Match(
                stale=None if condition.stale is None else float(condition.stale),
                terminal_for=None if condition.terminal_for is None else float(condition.terminal_for),
                matches=condition.matches,
                attempts=condition.attempts,
                orphaned=condition.orphaned,
            ),
            cleanup=cleanup,
            interval=float(given.interval),
            max_per_scan=given.max_per_scan,
            protect=tuple(pattern if "/" not in pattern else self._path(pattern) for pattern in listed(given.protect)),
            enabled=given.enabled,
        )

    def _cleanup(self, given: str | CleanupLayout, spot: Spot) -> Cleanup | None:
        if isinstance(given, str):
            if given in ("delete", "release"):
                return Cleanup(verb=given)  # type: ignore[arg-type]
            known = ("delete", "release")
            hint = meant(given, known) or "write `delete`, `release`, `{archive: DIR}` or `{action: NAME}`"
            self.problem(spot, f"there is no clean-up `{given}`", hint)
            return None
        before = len(self.found)
        for flaw in given.flaws():
            self.problem(spot, flaw.message, flaw.hint, flaw.code)
        if len(self.found) > before:
            return None
        if given.archive is not None:
            return Cleanup(verb="archive", what=self._path(given.archive))
        self._check_action(given.action or "", spot.into("action"))
        return Cleanup(verb="action", what=given.action or "")

    def _check_scanned(self, source: Source, cleanup: Cleanup, condition: MatchLayout, spot: Spot) -> None:
        if source.type not in _SCANNED:
            hint = f"scanners look at {', '.join(_SCANNED)}"
            self.problem(spot.into("source"), f"`{source.type}` does not list resources", hint, key=True)
            return
        if cleanup.verb not in _CLEANUPS[source.type]:
            hint = f"there it can be {', '.join(f'`{verb}`' for verb in _CLEANUPS[source.type])}"
            self.problem(spot.into("cleanup"), f"`{cleanup.verb}` cannot be done to {source.type}", hint, "unsupported")
        answered: Sequence[str] = _MATCHES.get(source.type, tuple(shape_of(MatchLayout).known))
        for name in shape_of(MatchLayout).known:
            if getattr(condition, name) is not None and name not in answered:
                hint = f"there it can be {', '.join(f'`{verb}`' for verb in answered)}"
                self.problem(spot.into("condition", name), f"`{name}` means nothing for {source.type}", hint, key=True)

    def _path(self, path: str) -> str:
        """Relative to the folder of the file; `~/` is the home directory."""
        if self.home is not None and (path == "~" or path.startswith("~/")):
            path = self.home + path[1:]
        return os.path.normpath(os.path.join(self.base, path))


def _keys(layout: type[msgspec.Struct]) -> str:
    return ", ".join(f"`{name}`" for name in shape_of(layout).known)


def _circle(name: str, leads: Mapping[str, Sequence[str]], way: tuple[str, ...] = ()) -> tuple[str, ...]:
    if name in way:
        return (*way, name) if way[0] == name else ()
    return next(filter(None, (_circle(then, leads, (*way, name)) for then in leads.get(name, ()))), ())


def _place(problem: Problem) -> tuple[str, int, int]:
    match (problem.where or "").rsplit(":", 2):
        case [name, line, column] if line.isdecimal() and column.isdecimal():
            return name, int(line), int(column)
    return "", 0, 0
