"""What an agent may do, and what it is refused before anything is touched."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from mcp.client import Client

import holdfast
from holdfast.app.plans.limits import Limits
from holdfast.mcp.server import server_for
from holdfast.mcp.tools import TOOLS
from tests.mcp.conftest import Asking, Place

BYE = {"command": ["/bin/true"], "id": "bye"}  # cannot be undone
CHANGING = {
    "apply_deployment",
    "rollback_run",
    "pause_run",
    "resume_run",
    "cancel_run",
    "create_checkpoint",
    "restore_checkpoint",
}


def tools_of(ask: Asking) -> dict[str, object]:
    async def listed(client: Client) -> dict[str, object]:
        return {tool.name: tool.annotations for tool in (await client.list_tools()).tools}

    found: dict[str, object] = ask.talk(listed)
    return found


# -- looking only


def test_by_itself_an_agent_may_only_look(place: Place) -> None:
    looking = Asking(place.agent(allow_apply=False))
    assert set(tools_of(looking)) == set(TOOLS) - CHANGING
    planned = looking.planned(place.file())
    for tool in CHANGING:
        assert looking(tool, id=planned["id"], digest=planned["digest"]).code == "not_found"
    assert list(place.root.iterdir()) == []


def test_tools_say_what_they_may_do_to_the_world(ask: Asking) -> None:
    annotations = tools_of(ask)
    for name in TOOLS:
        hints = annotations[name]
        assert hints.read_only_hint is (name not in CHANGING)  # type: ignore[attr-defined]
        assert hints.destructive_hint is (name in CHANGING - {"pause_run", "create_checkpoint"})  # type: ignore[attr-defined]


def test_a_preview_of_one_who_may_only_look_runs_nothing(place: Place) -> None:
    looking = Asking(place.agent(allow_apply=False))
    step = {"command": "true", "check": ["touch", str(place.root / "ran")]}
    told = looking("plan_deployment", plan=place.plan(step))
    assert (told.code, list(place.root.iterdir())) == ("unsupported", [])


# -- plans


def test_only_what_was_planned_is_applied(ask: Asking, place: Place) -> None:
    assert ask("apply_deployment", plan=place.plan(place.file())).code == "invalid_value"
    assert ask("apply_deployment", id="01ARZ3NDEKTSV4RRFFQ69G5FAV", digest="sha256:0").code == "not_found"
    assert list(place.root.iterdir()) == []


def test_a_foreign_digest_is_stale(ask: Asking, place: Place) -> None:
    one, other = ask.planned(place.file("a")), ask.planned(place.file("b"))
    assert ask("apply_deployment", id=one["id"], digest=other["digest"]).code == "stale_plan"
    assert list(place.root.iterdir()) == []


def test_a_world_that_changed_makes_the_plan_stale(ask: Asking, place: Place) -> None:
    planned = ask.planned(place.file())
    (place.root / "a").write_text("somebody else")
    told = ask("apply_deployment", id=planned["id"], digest=planned["digest"])
    assert (told.document["ending"], told.document["errors"][0]["code"]) == ("refused", "stale_plan")
    assert (place.root / "a").read_text() == "somebody else"


def test_a_plan_of_another_agent_is_unknown(ask: Asking, place: Place) -> None:
    planned = Asking(place.agent(source="mcp:other")).planned(place.file())
    assert ask("apply_deployment", id=planned["id"], digest=planned["digest"]).code == "not_found"


def test_a_plan_is_applied_after_the_server_started_anew(place: Place) -> None:
    planned = Asking(place.agent()).planned(place.file())
    told = Asking(place.agent())("apply_deployment", id=planned["id"], digest=planned["digest"])
    assert told.document["ending"] == "committed"


def test_runs_of_agents_say_so(ask: Asking, place: Place) -> None:
    run = ask.applied(place.file()).document["run"]
    with holdfast.open(place.state) as hf:
        assert hf.show(run).source == "mcp"


def test_a_plan_with_problems_is_shown_with_all_of_them(ask: Asking, place: Place) -> None:
    told = ask("plan_deployment", plan="holdfast: 1\nname: web\nsteps:\n  - file: relative\n    contents: x\n")
    assert {problem["code"] for problem in told.document["error"]["problems"]} >= {"unknown_key", "invalid_value"}
    assert all(problem["hint"] for problem in told.document["error"]["problems"])


def test_who_holds_a_lock_is_not_waited_for(ask: Asking, place: Place) -> None:
    wait = {"command": "touch held; until [ -e go ]; do sleep 0.02; done", "shell": True, "undo": "true"}
    planned = ask.planned(place.file("a"), {**wait, "cwd": str(place.root)}, name="held")
    held = ask("apply_deployment", id=planned["id"], digest=planned["digest"], wait_s=0).document
    while not (place.root / "held").exists():
        time.sleep(0.01)
    second = ask.applied(place.file("a", "other\n"), name="second").document
    (place.root / "go").touch()
    assert (second["ending"], second["errors"][0]["code"]) == ("refused", "locked")
    assert ask("get_run", run=held["run"], wait_s=20).document["ending"] == "committed"


# -- approval


def test_what_cannot_be_undone_needs_a_person(ask: Asking, place: Place) -> None:
    planned = ask.planned(BYE)
    assert (planned["needs_approval"], planned["irreversible"]) == (True, ["bye"])
    assert planned["approve_with"] == f"holdfast approve {planned['digest']}"
    told = ask("apply_deployment", id=planned["id"], digest=planned["digest"])
    assert told.code == "missing_confirmation" and planned["digest"] in told.document["error"]["hint"]
    place.approve(planned["digest"])
    assert ask("apply_deployment", id=planned["id"], digest=planned["digest"]).document["ending"] == "committed"


def test_an_approval_is_good_for_one_application(ask: Asking, place: Place) -> None:
    planned = ask.planned(BYE)
    place.approve(planned["digest"])
    for expected in ("", "missing_confirmation"):
        assert ask("apply_deployment", id=planned["id"], digest=planned["digest"]).code == expected


def test_accepting_in_the_plan_that_a_step_cannot_be_undone_is_no_approval(ask: Asking) -> None:
    planned = ask.planned({**BYE, "irreversible": True})
    assert ask("apply_deployment", id=planned["id"], digest=planned["digest"]).code == "missing_confirmation"


def test_approval_can_be_asked_of_every_plan_and_every_restore(place: Place) -> None:
    strict = Asking(place.agent(require_approval=True))
    planned = strict.planned(place.file())
    given = {"id": planned["id"], "digest": planned["digest"]}
    assert strict("apply_deployment", **given).code == "missing_confirmation"
    place.approve(planned["digest"])
    assert strict("apply_deployment", **given).document["ending"] == "committed"
    strict("create_checkpoint", name="good")
    (place.root / "a").write_text("broken")
    told = strict("restore_checkpoint", name="good")
    assert told.code == "missing_confirmation"
    place.approve(told.document["error"]["hint"].rpartition(" ")[2])
    assert strict("restore_checkpoint", name="good").document["ending"] == "committed"


def test_an_agent_may_always_roll_back_what_it_began(place: Place) -> None:
    careful = Asking(place.agent(require_approval=True, limits=Limits(steps=1)))
    planned = careful.planned(place.file())
    place.approve(planned["digest"])
    run = careful("apply_deployment", id=planned["id"], digest=planned["digest"]).document["run"]
    assert careful("rollback_run", run=run).document["ending"] == "rolled_back"
    assert list(place.root.iterdir()) == []


def test_runs_of_others_are_for_others_where_approval_is_required(place: Place) -> None:
    run = place.apply(place.file())
    assert Asking(place.agent(require_approval=True))("rollback_run", run=run).code == "missing_confirmation"
    assert (place.root / "a").exists()
    assert Asking(place.agent())("rollback_run", run=run).document["ending"] == "rolled_back"


# -- limits


def test_more_than_the_limit_is_refused_before_anything_is_touched(place: Place) -> None:
    limited = Asking(place.agent(limits=Limits(steps=1)))
    planned = limited.planned(place.file("a"), place.file("b"))
    assert planned["beyond_limits"][0]["code"] == "limit_exceeded"
    told = limited("apply_deployment", id=planned["id"], digest=planned["digest"])
    assert (told.code, list(place.root.iterdir())) == ("limit_exceeded", [])


def test_a_limit_is_of_all_runs_together_that_were_not_taken_back(place: Place) -> None:
    limited = Asking(place.agent(limits=Limits(steps=1)))
    run = limited.applied(place.file("a")).document["run"]
    assert limited.applied(place.file("b")).code == "limit_exceeded"
    limited("rollback_run", run=run)
    assert limited.applied(place.file("b")).document["ending"] == "committed"


def test_a_limit_does_not_use_up_an_approval(place: Place) -> None:
    limited = Asking(place.agent(limits=Limits(steps=0)))
    planned = limited.planned(BYE)
    place.approve(planned["digest"])
    given = {"id": planned["id"], "digest": planned["digest"]}
    assert limited("apply_deployment", **given).code == "limit_exceeded"
    assert Asking(place.agent())("apply_deployment", **given).document["ending"] == "committed"


# -- roots


def test_local_paths_are_confined_to_the_roots(place: Place, tmp_path: Path) -> None:
    confined = Asking(place.agent(roots=(str(place.root),)))
    assert confined.applied(place.file()).document["ending"] == "committed"
    assert confined("plan_deployment", plan=place.plan({"file": str(tmp_path / "x"), "content": ""})).code == "outside_root"
    assert confined("plan_deployment", plan=place.plan({"command": "true"})).code == "outside_root"


def test_a_checkpoint_beyond_the_roots_is_not_restored(ask: Asking, place: Place, tmp_path: Path) -> None:
    ask.applied(place.file())
    ask("create_checkpoint", name="good")
    assert Asking(place.agent(roots=(str(tmp_path / "other"),)))("restore_checkpoint", name="good").code == "outside_root"


def test_an_agent_does_not_reach_what_the_server_keeps_for_itself(ask: Asking, place: Place) -> None:
    ask.applied(place.file())
    assert (
        ask("plan_deployment", plan=place.plan({"file": f"{place.state}/journal/journal.key", "content": ""})).code
        == "outside_root"
    )


# -- bad input


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("get_run", {"run": "nope"}, "not_found"),
        ("get_run", {"run": ""}, "invalid_value"),
        ("get_run", {"run": 7}, "invalid_value"),
        ("get_run", {}, "invalid_value"),
        ("get_run", {"run": "last", "wait_s": 1e9}, "invalid_value"),
        ("list_runs", {"limit": 0}, "invalid_value"),
        ("list_runs", {"ending": "fine"}, "invalid_value"),
        ("run_events", {"run": "last"}, "not_found"),
        ("list_runs", {"surprise": True}, "invalid_value"),
        ("plan_deployment", {"plan": "{"}, "syntax"),
        ("plan_deployment", {"plan": {}}, "missing_key"),
        ("plan_deployment", {"plan": []}, "invalid_value"),
        ("plan_deployment", {"plan": "x" * 20_000_000}, "too_large"),
        ("list_resource_types", {"kind": "no.such"}, "unknown_kind"),
        ("restore_checkpoint", {"name": "no.such"}, "not_found"),
        ("create_checkpoint", {"name": "../x"}, "invalid_value"),
        ("execution_stats", {"action": "no.such"}, "not_found"),
        ("drift", {"plan": "no.such"}, "not_found"),
        ("no_such_tool", {}, "not_found"),
        ("rollback_run", {"run": "last"}, "not_found"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_input_is_a_tool_error_with_its_code_and_a_hint(
    ask: Asking, tool: str, arguments: dict[str, object], code: str
) -> None:
    told = ask(tool, **arguments)
    assert told.code == code
    assert told.document["error"]["message"] and told.document["error"]["hint"]


def test_a_command_in_the_wrong_state_is_refused(ask: Asking, place: Place) -> None:
    run = ask.applied(place.file()).document["run"]
    for tool in ("pause_run", "resume_run", "cancel_run"):
        assert ask(tool, run=run).code == "wrong_state"


def test_agents_at_once_are_all_answered(place: Place) -> None:
    agent = place.agent()
    agent.plan_deployment(place.plan(place.file()))

    async def run() -> list[bool]:
        async with Client(server_for(lambda _: agent)) as client:
            asked = [client.call_tool("plan_deployment", {"plan": place.plan(place.file(str(n)))}) for n in range(40)]
            return [told.is_error for told in await asyncio.gather(*asked)]

    assert asyncio.run(run()) == [False] * 40
