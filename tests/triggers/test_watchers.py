"""Watchers: when they respond, how they escalate, and what they call resolved."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from holdfast.core.events import Event

from .conftest import DAY, HOUR, MINUTE, Scene, on_loop

ACTIONS = """\
actions:
  nudge: {command: [./respond, nudge]}
  restart: {command: [./respond, restart]}
  page: {command: [./respond, page]}
"""
# The condition is `level` above 100. What a response does is its line in `does`: ok, fail or fix.
RESPOND = """\
echo "$1" >> responses
case $(grep "^$1 " does | cut -d" " -f2) in
  fix) echo 0 > level ;;
  fail) exit 1 ;;
esac"""


def watcher(respond: str, more: str = "") -> str:
    watched = "source: {file: level}, condition: {exceeds: 100}, interval: 10s"
    return f"{ACTIONS}watchers:\n  w: {{{watched}, respond: {respond}{more}}}\n"


def prepared(scene: Scene, level: int = 150, **does: str) -> Scene:
    scene.program("respond", RESPOND)
    scene.write("level", str(level))
    scene.write("does", "".join(f"{action} {what}\n" for action, what in does.items()) or "\n")
    return scene


@on_loop
async def test_while_the_condition_does_not_hold_it_only_looks_again(scene: Scene) -> None:
    """W01"""
    prepared(scene, level=100)
    with scene.opened(watcher("[{action: nudge}]")) as life:
        life.loop.arm()
        for _ in range(3):
            await life.tick(10)
        assert life.types() == []
        scene.write("level", "101")
        await life.tick(10)
        assert scene.lines("responses") == ["nudge"]


@on_loop
async def test_when_the_condition_holds_the_first_response_is_fired_with_its_source(scene: Scene) -> None:
    """W02"""
    prepared(scene)
    with scene.opened(watcher("[{action: nudge}]")) as life:
        life.loop.arm()
        await life.tick()
        assert life.history() == [("nudge", "watcher:w", True)]
        assert life.types() == ["trigger.fired", "action.started", "action.completed"]
        assert life.events("trigger.fired")[0]["value"] == "150"


@on_loop
async def test_it_is_resolved_only_when_the_condition_is_gone(scene: Scene) -> None:
    """W03"""
    prepared(scene, nudge="ok")
    with scene.opened(watcher("[{action: nudge}]")) as life:
        life.loop.arm()
        await life.tick()
        assert "trigger.resolved" not in life.types()
        assert life.listed("w")["state"] == "triggered"
        scene.write("level", "5")
        await life.tick(10)
        assert life.types()[-1] == "trigger.resolved"
        assert life.listed("w")["state"] == "armed"


@on_loop
async def test_a_response_that_helps_resolves_at_once(scene: Scene) -> None:
    """W03"""
    prepared(scene, nudge="fix")
    with scene.opened(watcher("[{action: nudge}, {action: restart}]")) as life:
        life.loop.arm()
        await life.tick()
        assert life.types() == ["trigger.fired", "action.started", "action.completed", "trigger.resolved"]
        await life.tick(HOUR)
        assert scene.lines("responses") == ["nudge"]


@on_loop
async def test_after_a_failure_the_next_response_comes_after_its_delay(scene: Scene) -> None:
    """W04"""
    prepared(scene, nudge="fail", restart="fix")
    with scene.opened(watcher("[nudge, {action: restart, after: 2m, requires_previous_failure: true}]")) as life:
        life.loop.arm()
        await life.tick()
        for _ in range(11):
            await life.tick(10)
        assert scene.lines("responses") == ["nudge"]
        await life.tick(10)
        assert scene.lines("responses") == ["nudge", "restart"]
        assert life.types()[-1] == "trigger.resolved"


@on_loop
async def test_what_requires_a_failure_is_left_out_after_a_success(scene: Scene) -> None:
    """W04"""
    prepared(scene)
    with scene.opened(
        watcher("[nudge, {action: restart, requires_previous_failure: true}, {action: page, after: 1m}]")
    ) as life:
        life.loop.arm()
        for _ in range(7):
            await life.tick(10)
        assert scene.lines("responses") == ["nudge", "page"]


@on_loop
async def test_what_requires_a_failure_is_fired_at_once_after_one(scene: Scene) -> None:
    """W04"""
    prepared(scene, nudge="fail", restart="fix")
    with scene.opened(watcher("[nudge, {action: restart, requires_previous_failure: true}]")) as life:
        life.loop.arm()
        await life.tick()
        assert scene.lines("responses") == ["nudge", "restart"]


@on_loop
async def test_an_exhausted_chain_escalates_and_watches_again(scene: Scene) -> None:
    """W05"""
    prepared(scene, nudge="ok", restart="fail")
    with scene.opened(watcher("[nudge, restart]")) as life:
        life.loop.arm()
        await life.tick()
        await life.tick(10)
        assert scene.lines("responses") == ["nudge", "restart"]
        assert life.types()[-1] == "trigger.escalated"
        assert life.listed("w")["state"] == "armed"
        await life.tick(10)
        assert scene.lines("responses") == ["nudge", "restart", "nudge"]


@on_loop
async def test_a_last_response_that_succeeded_has_an_interval_to_help(scene: Scene) -> None:
    """W05"""
    prepared(scene)
    with scene.opened(watcher("[nudge]")) as life:
        life.loop.arm()
        await life.tick()
        assert "trigger.escalated" not in life.types()
        await life.tick(10)
        assert life.types()[-1] == "trigger.escalated"


@on_loop
async def test_a_first_response_with_a_delay_waits_and_is_dropped_when_the_condition_goes(scene: Scene) -> None:
    prepared(scene)
    with scene.opened(watcher("[{action: nudge, after: 25s}]")) as life:
        life.loop.arm()
        await life.tick()
        assert life.listed("w")["state"] == "waiting"
        scene.write("level", "1")
        await life.tick(10)
        assert life.types() == ["trigger.fired", "trigger.resolved"]
        scene.write("level", "150")
        await life.tick(10)
        await life.tick(24)
        assert scene.lines("responses") == []
        await life.tick(1)
        assert scene.lines("responses") == ["nudge"]


@on_loop
async def test_who_is_disabled_does_not_look_and_who_is_enabled_looks_again(scene: Scene) -> None:
    """W06"""
    prepared(scene)
    with scene.opened(watcher("[nudge]")) as life:
        life.triggers.disable("w", by="manual:alice")
        life.loop.arm()
        await life.tick(HOUR)
        assert life.types() == []
        assert life.listed("w")["state"] == "disabled"
        life.triggers.enable("w", by="manual:alice")
        life.loop.hear()
        await life.tick()
        assert scene.lines("responses") == ["nudge"]


@on_loop
async def test_without_a_response_it_says_so_once_and_goes_on_looking(scene: Scene) -> None:
    """W08"""
    prepared(scene)
    with scene.opened(watcher("[]")) as life:
        life.loop.arm()
        await life.tick()
        await life.tick(10)
        assert life.types() == ["trigger.fired"]
        scene.write("level", "1")
        await life.tick(10)
        assert life.types() == ["trigger.fired", "trigger.resolved"]


@pytest.mark.parametrize("pattern", ["run.committed", "run", "run.*", "*"])
@on_loop
async def test_an_event_wakes_a_watcher_once_whatever_patterns_it_fits(scene: Scene, pattern: str) -> None:
    """W09"""
    prepared(scene, level=0)
    scene.program("look", "echo x >> looked; echo 0")
    text = watcher("[]", f", wake_on: ['{pattern}', 'run.committed']").replace("{file: level}", "{command: [./look]}")
    with scene.opened(text.replace("interval: 10s", "interval: 30d")) as life:
        life.loop.arm()
        await life.tick()
        life.engine.journal.append(None, [Event("run.committed"), Event("run.committed")], at=life.clock.now())
        life.loop.hear()
        await life.tick()
        assert len(scene.lines("looked")) == 2
        life.loop.hear()
        await life.tick()
        assert len(scene.lines("looked")) == 2


@on_loop
async def test_nobody_is_woken_by_what_he_did_himself(scene: Scene) -> None:
    prepared(scene)
    with scene.opened(watcher("[nudge]", ", wake_on: ['*']")) as life:
        life.loop.arm()
        for _ in range(3):
            await life.tick()
        assert scene.lines("responses") == ["nudge"]


# -- what survives, and what is put off


@on_loop
async def test_a_chain_goes_on_where_it_was_after_a_restart(scene: Scene) -> None:
    """T12, W04"""
    prepared(scene)
    text = watcher("[nudge, {action: restart, after: 2m}]")
    with scene.opened(text) as life:
        life.loop.arm()
        await life.tick()
    scene.clock.pause(MINUTE)
    with scene.opened(text) as life:
        life.loop.arm()
        await life.tick()
        assert scene.lines("responses") == ["nudge"]
        assert life.listed("w")["state"] == "triggered"
    scene.clock.pause(MINUTE)
    with scene.opened(text) as life:
        life.loop.arm()
        await life.tick()
        assert scene.lines("responses") == ["nudge", "restart"]


@on_loop
async def test_a_response_that_cools_down_is_put_off_and_said_once(scene: Scene) -> None:
    prepared(scene)
    text = watcher("[nudge]").replace("[./respond, nudge]", "[./respond, nudge], cooldown: 1m")
    with scene.opened(text) as life:
        life.loop.arm()
        await life.tick()
        for _ in range(6):
            await life.tick(10)
        assert scene.lines("responses") == ["nudge", "nudge"]
        assert life.types().count("trigger.skipped") == 1
        assert life.types().count("action.rejected") == 0


@on_loop
async def test_a_chain_that_became_shorter_begins_anew(scene: Scene) -> None:
    prepared(scene)
    with scene.opened(watcher("[nudge, restart]")) as life:
        life.loop.arm()
        await life.tick()
        await life.tick(10)
    with scene.opened(watcher("[page]")) as life:
        life.loop.arm()
        await life.tick()
        assert scene.lines("responses") == ["nudge", "restart", "page"]


@on_loop
async def test_while_a_response_runs_in_another_process_nothing_is_decided(scene: Scene) -> None:
    os.mkfifo(scene.folder / "gate")
    prepared(scene)
    scene.program("respond", 'echo "$1" >> responses; cat gate')
    text = watcher("[nudge, restart]")
    with scene.opened(text) as life, scene.opened(text) as other:
        life.loop.arm()
        life.start()
        await scene.until("responses", ["nudge"])
        await other.triggers.check("w")
        assert scene.lines("responses") == ["nudge"]
        scene.write("level", "1")
        await asyncio.to_thread((scene.folder / "gate").write_text, "on")
        await life.loop.finish()
        assert life.types()[-1] == "trigger.resolved"


# -- sources


@contextmanager
def served(status: int, body: str) -> Iterator[str]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/value"
        server.shutdown()
        thread.join()


async def seen(scene: Scene, source: str, condition: str, more: str = "") -> dict[str, object]:
    text = f"watchers:\n  w: {{source: {source}, condition: {condition}{more}}}\n"
    with scene.opened(text) as life:
        return await life.triggers.check("w", dry_run=True)


@on_loop
async def test_a_service_can_be_watched(scene: Scene) -> None:
    with served(200, json.dumps({"count": 12})) as url:
        assert (await seen(scene, f"{{http: '{url}'}}", "{exceeds: 11}"))["matches"]
        assert not (await seen(scene, f"{{http: '{url}'}}", "{exceeds: 12}"))["matches"]


@on_loop
async def test_a_service_that_fails_or_is_not_there_is_an_error_that_can_be_watched_for(scene: Scene) -> None:
    """W10"""
    with served(503, "12") as url:
        found = await seen(scene, f"{{http: '{url}'}}", "{consecutive_failures: 1}")
        assert found["matches"]
        assert found["error"] == "it answered with status 503"
    assert (await seen(scene, f"{{http: '{url}'}}", "{exceeds: 1}"))["error"]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("{command: [./nowhere]}", "was not found"),
        ("{command: ['false']}", "exit code 1"),
        ("{command: [sleep, 60]}", "took longer than 1 s"),
        ("{file: nowhere}", "No such file"),
        ("{http: 'http://127.0.0.1:1/'}", "refused"),
    ],
)
@on_loop
async def test_a_source_that_fails_or_hangs_is_an_error_and_never_a_match(scene: Scene, source: str, error: str) -> None:
    found = await seen(scene, source, "{exceeds: -1}", ", timeout: 1s")
    assert found["matches"] == []
    assert error in str(found["error"])


@on_loop
async def test_failures_in_a_row_are_counted_and_journaled_when_they_begin(scene: Scene) -> None:
    """W10"""
    prepared(scene)
    text = (
        watcher("[nudge]")
        .replace("{exceeds: 100}", "{consecutive_failures: 3}")
        .replace("{file: level}", "{command: [./look]}")
    )
    scene.program("look", "exit 1")
    with scene.opened(text) as life:
        life.loop.arm()
        await life.tick()
        await life.tick(10)
        assert life.types() == ["trigger.skipped"]
        await life.tick(10)
        assert scene.lines("responses") == ["nudge"]
        scene.program("look", "echo 1")
        await life.tick(10)
        assert life.types()[-1] == "trigger.resolved"


@on_loop
async def test_a_state_that_says_not_since_when_is_stuck_from_when_it_was_first_seen(scene: Scene) -> None:
    scene.write("level", "busy")
    prepared_text = watcher("[nudge]").replace("{exceeds: 100}", "{stuck_in: {state: busy, for: 30s}}")
    scene.program("respond", RESPOND)
    scene.write("does", "\n")
    with scene.opened(prepared_text) as life:
        life.loop.arm()
        for _ in range(3):
            await life.tick(10)
        assert scene.lines("responses") == []
        await life.tick(10)
        assert scene.lines("responses") == ["nudge"]


@on_loop
async def test_files_are_counted_and_the_youngest_tells_how_idle_they_are(scene: Scene) -> None:
    scene.old("spool/a", 2 * HOUR)
    scene.old("spool/b", HOUR)
    assert (await seen(scene, "{files: 'spool/*'}", "{exceeds: 1}"))["matches"]
    assert (await seen(scene, "{files: 'spool/*'}", "{idle: 1h}"))["matches"]
    assert not (await seen(scene, "{files: 'spool/*'}", "{idle: 61m}"))["matches"]
    assert not (await seen(scene, "{files: 'spool/*.none'}", "{idle: 1s}"))["matches"]


@on_loop
async def test_runs_and_events_can_be_watched(scene: Scene) -> None:
    scene.write("bad.yaml", "holdfast: 1\nname: bad\nsteps:\n  - {command: 'false'}\n")
    text = """\
actions: {bad: {plan: bad.yaml}}
watchers:
  failing: {source: {runs: bad}, condition: {consecutive_failures: 2}}
  ended: {source: {runs: bad}, condition: {matches: rolled_back}}
  stuck: {source: runs, condition: {stuck_in: {state: rolled_back, for: 1h}}}
  counted: {source: {events: run.rolled_back}, condition: {exceeds: 1}, interval: 1d}
"""
    with scene.opened(text) as life:

        async def holding() -> list[str]:
            names = ("failing", "ended", "stuck", "counted")
            return [name for name in names if (await life.triggers.check(name, dry_run=True))["matches"]]

        assert await holding() == []
        await life.fire("bad")
        assert await holding() == ["ended"]
        await life.fire("bad")
        assert await holding() == ["failing", "ended", "counted"]
        scene.clock.pause(DAY + HOUR)
        assert await holding() == ["failing", "ended", "stuck"]
