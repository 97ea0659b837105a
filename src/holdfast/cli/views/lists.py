"""Runs, events, executions, locks and the like: one row each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from holdfast.cli.lines import EMPTY, Line, Span, line, shortened, table
from holdfast.cli.views import marks
from holdfast.cli.words import ago, counted, local, standing, took
from holdfast.core.times import seconds_of

Document = Mapping[str, Any]
Documents = Sequence[Document]

BAR_COLUMNS: Final = 24
TYPE_COLUMNS: Final = 20
STATE_COLUMNS: Final = 120


def none(words: str) -> Iterator[Line]:
    yield line(Span(words, "dim"))


def runs(found: Documents, now: float) -> Iterator[Line]:
    if not found:
        return none("no runs")
    rows = [
        (
            run["run"],
            Span(run["plan"]["name"], "bold"),
            marks.state(standing(run)),
            ago(seconds_of(run["started_at"]), now),
            took(run["duration_s"]),
            f"{run['steps']:,}",
            Span(run["source"], "dim"),
        )
        for run in found
    ]
    return table(("run", "plan", "ending", "started", "took", "steps", "source"), rows, right=(3, 4, 5))


def event(document: Document) -> Line:
    """One event on one line."""
    family, _, verb = document["type"].partition(".")
    place = document.get("step") or "/".join(str(document[name]) for name in ("task", "stage") if name in document)
    told = [f"  {name}={shortened(_brief(value), 60)}" for name, value in document["data"].items() if value not in (None, "")]
    style = marks.STATES.get(verb, ("", ""))[1]
    return line(
        Span(f"{document['seq']:>6}  {document['at'][11:23]}  {family}.", "dim"),
        Span(f"{verb:<{TYPE_COLUMNS - len(family)}}", style),
        place,
        Span("".join(told), "dim"),
    )


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        said = (f"{name}: {_brief(item)}" for name, item in value.items() if item not in (None, False, "", []))
        return str(value.get("message") or value.get("code") or ", ".join(said))
    return ", ".join(map(_brief, value)) if isinstance(value, list) else str(value)


def executions(found: Documents, now: float) -> Iterator[Line]:
    if not found:
        return none("nothing was executed yet")
    rows = [
        (
            local(seconds_of(each["started_at"])),
            ago(seconds_of(each["started_at"]), now),
            Span(each["action_id"], "bold"),
            each["execution_type"] or "",
            _verdict(each),
            "" if each["duration_ms"] is None else took(each["duration_ms"] / 1000),
            Span(each["source"] or "", "dim"),
            Span(shortened(each["error"] or "", 40), "red"),
        )
        for each in found
    ]
    return table(("started", "", "action", "type", "result", "took", "source", "error"), rows, right=(1, 5))


def _verdict(each: Document) -> Span:
    if each["interrupted"]:
        return Span("interrupted", "yellow")
    if each["success"] is None:
        return Span("running", "cyan")
    return Span("success", "green") if each["success"] else Span("failure", "red")


def cleanups(found: Documents) -> Iterator[Line]:
    if not found:
        return none("nothing was cleaned up yet")
    rows = [
        (
            local(seconds_of(each["executed_at"])),
            Span(each["scanner_id"], "bold"),
            each["action"],
            each["resource_id"],
            Span("success", "green") if each["success"] else Span(each["error"] or "failure", "red"),
        )
        for each in found
    ]
    return table(("when", "scanner", "action", "resource", "result"), rows)


def stats(actions: Documents, endings: Document, now: float) -> Iterator[Line]:
    if not actions:
        yield from none("nothing was executed yet")
        return
    rows = [
        (
            Span(each["action_id"], "bold"),
            f"{each['total_executions']:,}",
            Span(f"{each['successes']:,}", "green"),
            Span(f"{each['failures']:,}", "red" if each["failures"] else "dim"),
            took(each["avg_duration_ms"] / 1000),
            took(each["p95_duration_ms"] / 1000),
            ago(seconds_of(each["last_run_at"]), now),
        )
        for each in actions
    ]
    lines = list(table(("action", "runs", "good", "bad", "average", "95 %", "last"), rows, right=(1, 2, 3, 4, 5, 6)))
    yield line(*lines[0])
    for each, row in zip(actions, lines[1:], strict=True):
        yield line(*row, "  ", *_bar(each))
    if endings["total"]:
        yield line()
        yield line(f"{counted(endings['total'], 'run')}: ", *_endings(endings["by_ending"]))


def _bar(each: Document) -> Iterator[Span]:
    """How the executions of an action ended, in the order good, interrupted, bad."""
    total = max(each["total_executions"], 1)
    bad = -(-BAR_COLUMNS * each["failures"] // total)
    halted = min(BAR_COLUMNS - bad, -(-BAR_COLUMNS * each["interrupted"] // total))
    for sign, columns, style in (("█", BAR_COLUMNS - bad - halted, "green"), ("▒", halted, "yellow"), ("░", bad, "red")):
        yield Span(sign * columns, style)


def _endings(by_ending: Mapping[str, int]) -> Iterator[str | Span]:
    for number, (name, count) in enumerate((name, count) for name, count in by_ending.items() if count):
        yield ", " if number else ""
        yield Span(f"{count:,} ", marks.state(name).style)
        yield marks.state(name)


def locks(found: Documents, now: float) -> Iterator[Line]:
    if not found:
        return none("nothing is locked")
    rows = [
        (
            each["id"],
            Span(each["key"], "bold"),
            each["run"],
            each["owner"],
            ago(seconds_of(each["since"]), now),
            str(each["fence"]),
        )
        for each in found
    ]
    return table(("lock", "key", "run", "owner", "since", "fence"), rows, right=(4, 5))


def waiting(found: Documents, now: float) -> Iterator[Line]:
    """Nothing where nobody waits."""
    if not found:
        return
    yield EMPTY
    rows = [
        (each["run"], Span(", ".join(each["keys"][:3]), "bold"), each["behind"] or "", ago(seconds_of(each["since"]), now))
        for each in found
    ]
    yield from table(("waiting run", "keys", "behind the run", "since"), rows, right=(3,))


def tenants(found: Documents, now: float) -> Iterator[Line]:
    if not found:
        return none("no tenants")
    rows = [
        (
            Span(each["tenant"], "bold"),
            each["resource"],
            _version(each["version"]),
            _version(each["last_known_good"]),
            ago(seconds_of(each["updated_at"]), now),
        )
        for each in found
    ]
    return table(("tenant", "document", "version", "last good", "updated"), rows, right=(4,))


def _version(version: Any) -> str:
    return "-" if version is None else str(version)


def checkpoints(found: Documents, now: float) -> Iterator[Line]:
    if not found:
        return none("no checkpoints")
    rows = [
        (
            Span(each["name"], "bold"),
            each["plan"] or "everything",
            f"{len(each['resources']):,}",
            ago(seconds_of(each["created_at"]), now),
        )
        for each in found
    ]
    return table(("checkpoint", "plan", "resources", "created"), rows, right=(2, 3))


def checkpoint(found: Document, now: float) -> Iterator[Line]:
    created = seconds_of(found["created_at"])
    yield line(
        Span(found["name"], "bold"),
        f"  {found['plan'] or 'everything'}",
        Span(f"  {local(created)}  ({ago(created, now)})", "dim"),
    )
    rows = [(resource, Span(state_words(state), "dim")) for resource, state in found["states"].items()]
    yield from list(table(("resource", "state"), rows)) if rows else ()


def state_words(state: Any, other: Any = None) -> str:
    """A recorded state on one line; of an object or a document beside another one only what is not the same."""
    if not state or state.get("type") == "absent":
        return "absent"
    if "type" not in state:
        told = (f"{name}: {value}" for name, value in _differing(state, other).items())
        return shortened(", ".join(told), STATE_COLUMNS)
    parts = [state["type"], state.get("mode", ""), f"{state.get('uid', 0)}:{state.get('gid', 0)}"]
    if state["type"] == "link":
        parts = ["link", "->", state["target"]]
    if "entries" in state:
        parts.append(f"{len(state['entries'])} entries")
    if state.get("digest"):
        parts.append(f"{state.get('size', 0):,} bytes  {state['digest'][:12]}")
    return "  ".join(part for part in parts if part)


def _differing(state: Mapping[str, Any], other: Any) -> Mapping[str, Any]:
    mine, others = _held(state), _held(other or {})
    if others and "values" in state:  # of an object that was made here only what was asked for is recorded
        mine = {name: value for name, value in mine.items() if name in others}
    return {name: value for name, value in mine.items() if value != others.get(name, "")}


def _held(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of an object or of a document; one that has no fields is shown as it is."""
    if "values" in state:
        return {"uuid": state["uuid"], **state["values"]}
    held = state.get("document", {})
    return held if isinstance(held, Mapping) else {"document": held}


def drifted(found: Documents) -> Iterator[Line]:
    if not found:
        yield line(Span("✓ no drift", "green"))
        return
    for each in found:
        yield line(Span("~ ", "yellow"), Span(each["resource"], "bold"))
        yield line(Span("    recorded  ", "dim"), state_words(each["recorded"], each["found"]))
        yield line(Span("    found     ", "dim"), Span(state_words(each["found"], each["recorded"]), "yellow"))
    yield line(Span(f"{counted(len(found), 'resource')} drifted", "bold"))


def checks(found: Documents) -> Iterator[Line]:
    columns = max(len(each["name"]) for each in found)
    for each in found:
        sign = Span("✓", "green") if each["ok"] else Span("✗", "red")
        yield line(sign, " ", Span(f"{each['name']:<{columns}}", "bold"), f"  {each['message']}")
        if each["hint"]:
            yield line("    ", Span("hint", "cyan"), f": {each['hint']}")
