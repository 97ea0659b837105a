"""Two plans for one tenant: never at once, never skipped in silence; and no ending leaves a lock."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast.app.engine import Holdfast, Options
from holdfast.core.events import Event
from holdfast.core.run import Run

TENANT = "tenant:acme"


def plan(path: Path, name: str = "one", *more: dict[str, Any], **policy: Any) -> holdfast.Plan:
    steps = [{"file": str(path), "content": name}, *more]
    task = {"name": "t", "tenant": "acme", "locks": [TENANT], "stages": [{"name": "s", "steps": steps}]}
    return holdfast.parse({"holdfast": 1, "name": name, "policy": policy, "tasks": [task]})


def test_k03_a_second_plan_for_a_tenant_is_refused_with_the_holder_named(hf: Holdfast, tmp_path: Path) -> None:
    assert hf.journal.lock("HOLDER", hf.parts.owner.name, [TENANT], at=1.0) is None
    result = hf.apply(plan(tmp_path / "a"), wait=False)
    assert (result.ending, result.errors[0]["code"]) == ("refused", "locked")
    assert "HOLDER" in result.errors[0]["message"] and TENANT in result.errors[0]["message"]
    assert not (tmp_path / "a").exists()


def test_k03_or_waits_and_says_for_whom(hf: Holdfast, tmp_path: Path) -> None:
    hf.journal.lock("HOLDER", hf.parts.owner.name, [TENANT], at=1.0)
    waited: list[str] = []

    def told(held: Any) -> None:
        waited.append(held.run)
        threading.Timer(0.1, lambda: hf.journal.unlock("HOLDER", at=2.0)).start()

    result = hf.apply(plan(tmp_path / "a"), Options(waiting=told))
    assert (result.ending, waited) == ("committed", ["HOLDER"])


def test_k03_or_rests_while_it_waits_and_takes_its_place_again(hf: Holdfast, tmp_path: Path) -> None:
    """Each command counts once, however often it was given."""
    hf.journal.lock("HOLDER", hf.parts.owner.name, [TENANT], at=1.0)
    places: list[bool] = []

    def watch(run: Run, events: Sequence[Event]) -> None:
        if events[-1].type in ("run.paused", "run.queued"):
            places.append(run.id in hf.journal.names("waiting"))
        if events[-1].type == "run.queued":
            hf.journal.unlock("HOLDER", at=2.0)

    def told(held: Any) -> None:
        hf.sessions[0].asked += [(verb, {"by": "test"}) for verb in ("pause", "pause", "resume", "resume")]

    hf.parts.watchers.append(watch)
    result = hf.apply(plan(tmp_path / "a"), Options(waiting=told))
    types = [event["type"] for event in hf.event_documents(result.run)]
    assert result.ending == "committed"
    assert [type_ for type_ in types if type_ in ("run.pausing", "run.paused", "run.queued", "run.started")] == [
        "run.pausing", "run.paused", "run.queued", "run.started",
    ]  # fmt: skip
    assert places[-1]


@pytest.mark.parametrize(
    ("more", "policy", "ending"),
    [
        ([], {}, "committed"),
        ([{"command": "false"}], {}, "rolled_back"),
        ([{"command": "false"}], {"on_failure": "continue"}, "partial"),
        ([{"wait": "30s"}], {"timeout": "50ms"}, "rolled_back"),
        ([{"file": "/no/such/folder/x", "content": ""}], {}, "refused"),
    ],
)
def test_k04_no_ending_leaves_a_lock(hf: Holdfast, tmp_path: Path, more: Any, policy: Any, ending: str) -> None:
    assert hf.apply(plan(tmp_path / "a", "one", *more, **policy)).ending == ending
    assert hf.journal.locks() == []


def test_k04_only_the_holder_releases(hf: Holdfast, tmp_path: Path) -> None:
    hf.journal.lock("HOLDER", hf.parts.owner.name, [TENANT], at=1.0)
    hf.apply(plan(tmp_path / "a"), wait=False)
    assert [held.run for held in hf.journal.locks()] == ["HOLDER"]
