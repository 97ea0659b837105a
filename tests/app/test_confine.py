"""Plans that come from elsewhere stay within bounds, or are refused before anything is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast import PlanError
from holdfast.app.engine import Holdfast
from holdfast.app.plans.confine import Bounds

OUTSIDE = "outside_root"
SSH = {"web": {"ssh": "web.example"}}


@pytest.fixture
def bounds(root: Path) -> Bounds:
    return Bounds.of((str(root),))


def document(*steps: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"holdfast": 1, "name": "web", "steps": list(steps), **more}


def codes(bounds: Bounds, *steps: Mapping[str, Any], **more: Any) -> list[str]:
    try:
        bounds.read(document(*steps, **more))
    except PlanError as error:
        return [problem.code for problem in error.problems]
    return []


def test_what_lies_beneath_a_root_is_fine(bounds: Bounds, root: Path) -> None:
    inside = [{"dir": f"{root}/app"}, {"file": f"{root}/app/conf", "content": ""}, {"link": f"{root}/l", "to": f"{root}/app"}]
    assert codes(bounds, *inside) == []
    assert codes(bounds, {"dir": str(root)}) == []


@pytest.mark.parametrize(
    "step",
    [
        {"file": "/etc/passwd", "content": ""},
        {"file": "ROOT-too/a", "content": ""},
        {"file": "ROOT/../a", "content": ""},
        {"file": "ROOT/a", "source": "/etc/shadow"},
        {"copy": "/etc/shadow", "to": "ROOT/a"},
        {"move": "ROOT/a", "to": "/etc/a"},
        {"tree": "ROOT/a", "source": "/etc"},
        {"file": "ROOT/a", "content": {"secret": "file:/etc/shadow"}},
        {"remove": "/", "recursive": True},
        {"upload": "/etc/shadow", "to": "/tmp/x", "on": "web"},
        {"download": "/tmp/x", "to": "/etc/cron.d/x", "on": "web"},
    ],
    ids=str,
)
def test_what_lies_elsewhere_is_out_of_bounds(bounds: Bounds, root: Path, step: dict[str, Any]) -> None:
    placed = {key: value.replace("ROOT", str(root)) if isinstance(value, str) else value for key, value in step.items()}
    assert codes(bounds, placed, targets=SSH if "on" in step else {}) != []


def test_a_relative_path_is_a_problem_with_and_without_roots(bounds: Bounds) -> None:
    for each in (bounds, Bounds.of()):
        assert codes(each, {"file": "conf", "content": ""}) == ["invalid_value"]
        assert codes(each, {"file": "~/conf", "content": ""}) == ["invalid_value"]


def test_paths_of_hosts_are_not_confined(bounds: Bounds) -> None:
    assert codes(bounds, {"file": "/etc/motd", "content": "", "on": "web"}, targets=SSH) == []


@pytest.mark.parametrize(
    "step",
    [
        {"command": ["/bin/true"], "undo": "true"},
        {"script": "true", "undo": "true"},
        {"health": ["/bin/true", "-v"]},
        {"health": ["http://127.0.0.1/", ["systemctl", "is-active", "app"]]},
    ],
    ids=str,
)
def test_with_roots_no_program_runs_here_unless_it_is_allowed(bounds: Bounds, root: Path, step: dict[str, Any]) -> None:
    assert codes(bounds, step) == [OUTSIDE]
    assert codes(bounds, {**step, "on": "web"}, targets=SSH) == []
    assert codes(Bounds.of((str(root),), local_programs=True), step) == []
    assert codes(Bounds.of(), step) == []


def test_what_is_asked_over_the_network_is_no_program(bounds: Bounds) -> None:
    assert codes(bounds, {"health": "http://127.0.0.1/"}, {"wait": "1s"}, {"approve": "well?"}) == []


def test_files_that_a_target_names_are_local_as_well(bounds: Bounds, root: Path) -> None:
    step = {"dir": "/srv", "on": "web"}
    (root / "key").write_text("")
    (root / "way").symlink_to("/etc/hosts")
    assert codes(bounds, step, targets={"web": {"ssh": "web", "key": f"{root}/key"}}) == []
    assert codes(bounds, step, targets={"web": {"ssh": "web", "key": "/root/.ssh/id"}}) == [OUTSIDE]
    assert codes(bounds, step, targets={"web": {"ssh": "web", "known_hosts": f"{root}/way"}}) == [OUTSIDE]
    assert codes(bounds, step, targets={"web": {"ssh": "web", "config": f"{root}/key"}}) == [OUTSIDE]


def test_a_link_out_of_a_root_is_not_followed_to_a_secret(bounds: Bounds, root: Path) -> None:
    (root / "way").symlink_to("/etc/hosts")
    assert codes(bounds, {"file": f"{root}/a", "content": {"secret": f"file:{root}/way"}}) == [OUTSIDE]


def test_a_link_out_of_a_root_is_not_followed_to_a_file(bounds: Bounds, root: Path, tmp_path: Path, state: str) -> None:
    (tmp_path / "other").mkdir()
    (root / "way").symlink_to(tmp_path / "other")
    plan = bounds.read(document({"file": f"{root}/way/a", "content": ""}))
    with holdfast.open(state, roots=bounds.roots) as hf:
        assert hf.apply(plan).ending == "refused"
    assert list((tmp_path / "other").iterdir()) == []


def test_a_root_may_be_a_link_itself(root: Path, state: str) -> None:
    (root / "real").mkdir()
    (root / "link").symlink_to("real")
    bounds = Bounds.of((f"{root}/link",))
    with holdfast.open(state, roots=bounds.roots) as hf:
        assert hf.apply(bounds.read(document({"file": f"{root}/link/a", "content": "x"}))).ending == "committed"
    assert (root / "real/a").read_text() == "x"


def test_an_allowed_program_runs_beside_roots(root: Path, state: str) -> None:
    bounds = Bounds.of((str(root),), local_programs=True)
    with holdfast.open(state, roots=bounds.roots) as hf:
        plan = bounds.read(document({"command": ["/bin/sh", "-c", "exit 0"], "undo": ["/bin/true"], "cwd": str(root)}))
        assert hf.apply(plan).ending == "committed"


def test_a_plan_that_was_read_before_the_bounds_became_narrower_is_out_of_them(root: Path, tmp_path: Path) -> None:
    plan = Bounds.of((str(tmp_path),)).read(document({"file": f"{tmp_path}/a", "content": ""}))
    with pytest.raises(PlanError) as error:
        Bounds.of((str(root),)).check(plan)
    assert error.value.code == OUTSIDE


def test_a_checkpoint_within_the_roots_can_be_restored_and_one_beyond_cannot(root: Path, tmp_path: Path, state: str) -> None:
    from holdfast.app.keeping.checkpoints import plan_back

    plan = Bounds.of().read(document({"file": f"{root}/a", "content": "1"}))
    with Holdfast.open(state) as hf:
        hf.apply(plan)
        hf.checkpoint_create("one")
        back = plan_back(hf.parts, "one")
    Bounds.of((str(root),)).check(back)
    with pytest.raises(PlanError):
        Bounds.of((str(tmp_path / "other"),)).check(back)


def test_the_environment_of_this_machine_is_not_read_into_a_plan(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")
    assert codes(Bounds.of(), {"file": f"{root}/a", "content": "${env.TOKEN}"}) == ["undefined_variable"]


def test_a_preview_that_must_only_look_runs_and_asks_nothing_that_could_change(root: Path) -> None:
    looking = Bounds.of(looking=True)
    api = "http://127.0.0.1:1/x"
    assert codes(looking, {"command": "true", "check": "true", "on": "web"}, targets=SSH) == ["unsupported"]
    assert codes(looking, {"http": api, "body": {}, "read": {"method": "DELETE"}}) == ["unsupported"]
    assert codes(looking, {"config": api, "values": {"a": 1}, "read": "POST"}) == ["unsupported"]
    assert codes(looking, {"dir": "/x", "on": "web"}, targets={"web": {"ssh": "w", "config": "/tmp/c"}}) == ["unsupported"]
    assert codes(looking, {"http": api, "body": {}}, {"command": "true"}, {"file": f"{root}/a", "content": ""}) == []
    assert codes(Bounds.of(), {"command": "true", "check": "true"}) == []


def test_all_problems_are_told_at_once(bounds: Bounds) -> None:
    found = codes(bounds, {"command": "true"}, {"script": "true"})
    assert found == [OUTSIDE, OUTSIDE]


@pytest.mark.parametrize("path", ["state/api-token", "state", "link/tokens", "."])
def test_the_state_directory_is_nobodys_business(tmp_path: Path, path: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "link").symlink_to("state")
    bounds = Bounds(private=(str(tmp_path / "state"),))
    place = str(tmp_path / path) if path != "." else str(tmp_path)
    assert codes(bounds, {"remove": place, "recursive": True}) == [OUTSIDE]
    assert codes(bounds, {"copy": place, "to": "/srv/x"}) == [OUTSIDE]
    secret = {"file": "/srv/x", "content": {"secret": f"file:{place}"}}
    assert codes(bounds, secret) == ([] if path == "." else [OUTSIDE])
    assert codes(bounds, {"file": str(tmp_path / "beside"), "content": ""}, {"dir": str(tmp_path)}) == []
