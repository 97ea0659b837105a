"""Every page of a house in which something happened: looked at wide and narrow, in light and dark, and used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import expect

from holdfast.testing.sshd import free_port
from tests.browser.conftest import NARROW, WIDE, OpenScreen, Screen
from tests.rollouts.services import Service
from tests.web.conftest import House, gate

Json = dict[str, Any]
TENANTS = ("acme", "globex", "hooli", "initech", "umbrella")
TRIGGERS = """\
holdfast: 1
actions:
  backup: {{command: [touch, "{home}/backup"], cooldown: 1h}}
  nudge: {{command: ["false"]}}
cron:
  nightly: {{schedule: "0 3 * * *", timezone: UTC, action: backup}}
watchers:
  queue-depth: {{source: {{command: [echo, "200"]}}, condition: {{exceeds: 100}}, interval: 1h, respond: [{{action: nudge}}]}}
scanners:
  old-releases: {{source: {{files: "{home}/releases/*"}}, condition: {{stale: 1ms}}, cleanup: delete, interval: 1h}}
"""


class Furnished(NamedTuple):
    house: House
    failed: str
    released: str
    rollout: str
    previewed: str
    door: Path


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    home = tmp_path_factory.mktemp("furnished")
    (home / "triggers.yaml").write_text(TRIGGERS.format(home=home))
    (home / "releases").mkdir()
    (home / "releases/2.3.0").write_text("old")
    services = {tenant: Service({"version": "2.4.0", "limit": 10}) for tenant in TENANTS}
    services["hooli"].deaf = True
    house = House(home, triggers=str(home / "triggers.yaml"))
    door = house.root / "door"
    begun = [_begin(house, plan) for plan in _plans(house)]
    rollout = _begin(house, _rollout(services))
    watched = house.plan(
        house.file("zone"), name="dns-cutover-of-every-resolver-in-the-second-data-centre", policy={"confirm_within": "1h"}
    )
    house.in_state(_begin(house, watched, wait=False), "confirming")
    with house.client() as client:
        client.post("/api/v1/checkpoints", json={"name": "before-audit"})
        preview = client.post("/api/v1/plans", json={"plan": _migration(house)}).json()["id"]
    _begin(house, house.plan(gate(door), house.file("held"), name="maintenance"), wait=False)
    yield Furnished(house, begun[2], begun[0], rollout, preview, door)
    door.touch()
    house.stop()
    for service in services.values():
        service.close()


def _begin(house: House, plan: Json, *, wait: bool = True) -> str:
    with house.client() as client:
        preview = client.post("/api/v1/plans", json={"plan": plan}).json()
        known = {"id": preview["id"], "digest": preview["digest"]} if "id" in preview else {"plan": plan}
        answer = client.post("/api/v1/runs", json=known)
    assert answer.status_code == 202, answer.text
    run = str(answer.json()["run"])
    if wait:
        house.ended(run)
    return run


def _plans(house: House) -> Iterator[Json]:
    yield _release(house, "2.4.1", ["true"])
    yield _release(house, "2.4.1", ["true"])
    yield _release(house, "2.5.0", ["sh", "-c", "echo 'worker 3: address already in use' >&2; exit 1"])
    yield {"holdfast": 1, "name": "dotfiles", "steps": [{"link": f"{house.root}/.vimrc", "to": f"{house.root}/missing"}]}
    yield {
        "holdfast": 1,
        "name": "reboot-edge",
        "targets": {"edge": {"ssh": f"ops@127.0.0.1:{free_port()}"}},
        "tasks": [{"name": "main", "on": "edge", "steps": [{"command": ["reboot"], "irreversible": True}]}],
    }


def _migration(house: House) -> Json:
    """Of every guarantee one, with a diff."""
    return house.plan(
        {"file": f"{house.root}/balancer.conf", "content": "backend web1\nbackend web3\n"},
        {"remove": f"{house.root}/web1/app.conf"},
        {"command": ["systemctl", "reload", "balancer"], "undo": ["systemctl", "reload", "balancer"], "id": "reload"},
        {"command": ["send-mail", "ops@example.net"], "irreversible": True, "id": "tell-everybody"},
        name="migration",
    )


def _release(house: House, version: str, restart: list[str]) -> Json:
    def web(name: str) -> Json:
        conf = f"# {name}\nrelease={version}\nworkers=8\nlisten=0.0.0.0:8080\n"
        steps = [
            {"dir": f"{house.root}/{name}"},
            {"file": f"{house.root}/{name}/app.conf", "content": conf, "mode": "0640", "id": f"{name}-conf"},
        ]
        restarted = {"command": restart if name == "web2" else ["sleep", "0.05"], "undo": ["true"], "id": f"{name}-restart"}
        stages = [{"name": "config", "steps": steps}, {"name": "restart", "steps": [restarted]}]
        return {"name": name, "needs": ["database"], "stages": stages}

    migrate = {"command": ["echo", f"migrated to {version}"], "undo": ["true"], "id": "migrate"}
    balancer = {
        "file": f"{house.root}/balancer.conf",
        "content": f"backend web1\nbackend web2\n# {version}\n",
        "id": "balancer-conf",
    }
    tasks = [{"name": "database", "steps": [migrate]}, web("web1"), web("web2")]
    return {
        "holdfast": 1,
        "name": "web-release",
        "tasks": [*tasks, {"name": "balancer", "needs": ["web1", "web2"], "steps": [balancer]}],
    }


def _rollout(services: dict[str, Service]) -> Json:
    stages = [
        {
            "name": "config",
            "steps": [
                {
                    "config": "http://${each.host}/config",
                    "id": "config-${each.tenant}",
                    "values": {"limit": 20},
                    "version": "2.4.1",
                }
            ],
        },
        {"name": "broadcast", "steps": [{"broadcast": "http://${each.host}/reload"}]},
        {
            "name": "health",
            "steps": [
                {
                    "health": ["http://${each.host}/health"],
                    "version_of": "config-${each.tenant}",
                    "interval": "10ms",
                    "attempts": 2,
                }
            ],
        },
    ]
    each = [{"tenant": tenant, "host": service.host} for tenant, service in services.items()]
    return {
        "holdfast": 1,
        "name": "trunk-settings",
        "policy": {"scope": "task"},
        "tasks": [{"name": "deploy", "each": each, "stages": stages}],
    }


@pytest.fixture
def house(furnished: Furnished) -> House:
    return furnished.house


PAGES = {
    "runs": ("runs", "trunk-settings"),
    "run": ("run/{failed}", "web2-restart"),
    "run-changes": ("run/{failed}/changes", "release=2.5.0"),
    "run-events": ("run/{failed}/events", "run.created"),
    "run-tenants": ("run/{rollout}", "deploy@hooli"),
    "plan": ("plan", "No preview yet"),
    "plan-previewed": ("plan/{previewed}", "cannot be undone"),
    "tenants": ("tenants", "umbrella"),
    "checkpoints": ("checkpoints", "before-audit"),
    "drift": ("drift", "Not looked yet"),
    "history": ("history", "95th percentile"),
    "triggers": ("triggers", "0 3 * * *"),
    "hosts": ("hosts", "unreachable"),
    "locks": ("locks", "/held"),
}


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_sound_wide_and_narrow_in_light_and_dark(
    name: str, furnished: Furnished, open_screen: OpenScreen
) -> None:
    where, seen = PAGES[name]
    screen = open_screen()
    for width, size in (("wide", WIDE), ("narrow", NARROW)):
        screen.page.set_viewport_size(size)
        screen.go(where.format(**furnished._asdict()))
        screen.see(seen)
        for scheme in ("light", "dark"):
            screen.dress(scheme)
            screen.shoot(f"{name}-{scheme}-{width}")
            if (width, scheme) in (("wide", "light"), ("narrow", "dark")):
                screen.check_accessible()
        beyond = screen.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert beyond <= 0, f"{name} is {beyond} px wider than a {width} screen"


def test_a_checkpoint_is_made_compared_restored_and_deleted(screen: Screen, furnished: Furnished) -> None:
    conf = furnished.house.root / "web1/app.conf"
    before = conf.read_text()
    screen.go("checkpoints")
    screen.press("New checkpoint")
    screen.page.get_by_label("Name").fill("evening")
    assert "Nothing is changed" in screen.answer("Create")
    row = screen.page.get_by_role("listitem").filter(has_text="evening")
    row.get_by_role("button", name="Compare").click()
    screen.see("Nothing differs")
    conf.write_text("changed by hand\n")
    row.get_by_role("button", name="Compare").click()
    row.get_by_role("button", name="Compare").click()
    screen.see("-changed by hand")
    screen.shoot("checkpoint-compared")
    row.get_by_role("button", name="Restore").click()
    assert "A run of its own" in screen.answer("Restore")
    screen.see_run("committed")
    assert conf.read_text() == before
    screen.go("checkpoints")
    row.get_by_role("button", name="Delete").click()
    screen.answer("Delete")
    expect(row).to_have_count(0)


def test_drift_is_looked_for_when_somebody_asks(screen: Screen, furnished: Furnished) -> None:
    (furnished.house.root / "balancer.conf").write_text("edited once more\n")
    screen.go("drift")
    screen.press("Compare now")
    screen.see("balancer.conf")
    screen.shoot("drift-found")
    screen.check_accessible()


def test_locks_lead_to_the_run_that_holds_them(screen: Screen) -> None:
    screen.go("locks")
    screen.page.get_by_role("row").filter(has_text="/held").get_by_role("link").click()
    screen.see_run("running")


def test_triggers_are_checked_switched_and_their_actions_fired(screen: Screen, furnished: Furnished) -> None:
    screen.go("triggers")
    screen.press("Check queue-depth")
    screen.see("It would act on")
    row = screen.page.get_by_role("row").filter(has_text="nightly")
    switch = row.get_by_role("button", name=re.compile("able nightly"))
    before = switch.inner_text()
    switch.click()
    screen.answer(before)
    expect(switch).not_to_have_text(before)
    screen.press("Fire backup")
    screen.answer("Fire")
    screen.see("left of")
    assert (furnished.house.root.parent / "backup").exists()
    screen.shoot("triggers-fired")


def test_all_of_it_works_by_keyboard(screen: Screen, furnished: Furnished) -> None:
    page = screen.page
    screen.go("runs")
    screen.see("trunk-settings")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    page.keyboard.press("Tab")
    assert page.evaluate(outline) == "solid"
    screen.go("run", furnished.failed)
    page.get_by_role("tab", name="Steps").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Timeline")).to_be_focused()
    assert screen.place.endswith("/timeline")
    page.get_by_role("button", name="Retry").focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")


def test_all_pages_share_one_stream(screen: Screen, furnished: Furnished) -> None:
    """A browser opens six connections to one server, and every tab needs some."""
    streams: list[str] = []
    screen.page.on("request", lambda asked: streams.append(asked.url) if asked.url.endswith("/events") else None)
    screen.page.reload()
    for where, seen in (
        ("history", "95th percentile"),
        ("triggers", "queue-depth"),
        (f"run/{furnished.failed}", "web2-restart"),
    ):
        screen.go(where)
        screen.see(seen)
    assert len(streams) == 1


def test_the_theme_is_what_the_system_says_until_somebody_switches_it(open_screen: OpenScreen) -> None:
    screen = open_screen(dark=True)
    theme = screen.page.locator("html")
    expect(theme).to_have_attribute("data-theme", "dark")
    screen.press("Light theme")
    expect(theme).to_have_attribute("data-theme", "light")
    screen.page.reload()
    expect(theme).to_have_attribute("data-theme", "light")


def test_who_is_not_let_in_is_told_how_to_get_in(open_screen: OpenScreen) -> None:
    screen = open_screen(None)
    screen.expected = {401}
    screen.go("runs")
    screen.see("You are not signed in")
    screen.check_accessible()
