"""The dead man's switch of an appliance: over a real sshd that stands for its SSH, and a command that reloads it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast import Holdfast, Plan, PlanError
from holdfast.testing.opnsense import Simulator
from holdfast.testing.sshd import Sshd
from tests.opnsense.conftest import PlanOf, calls, plans_for, ports, rule

SHUT = {
    "opnsense.firewall.rule": "Block everybody",
    "values": {"interface": "lan", "action": "block", "protocol": "any", "sequence": 1},
}
RELOAD = "import sys, urllib.request as u; u.urlopen(u.Request(sys.argv[1], data=b'{}', method='POST')).read()"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Simulator]:
    with Simulator(config_file=tmp_path / "config.json") as simulator:
        yield simulator


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(SetEnv=f"HOLDFAST_REMOTE={tmp_path / 'stash'}") as found:
        yield found


@pytest.fixture
def plan_of(box: Simulator, server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlanOf:
    reload = [sys.executable, "-c", RELOAD, f"{box.control_url}/reload"]
    make = plans_for(box, monkeypatch, switch="box", config=str(tmp_path / "config.json"), reload=reload)
    way = {"key": str(server.key), "known_hosts": str(server.known_hosts), "config": "none"}
    shell = {"ssh": f"{server.user}@127.0.0.1:{server.port}", **way}

    def plan(*steps: dict[str, Any], **more: Any) -> Plan:
        return make(*steps, also={"box": shell}, **more)

    return plan


@pytest.fixture
def hf(tmp_path: Path) -> Iterator[Holdfast]:
    """Wired as for everybody, with the way to the box."""
    with holdfast.open(str(tmp_path / "state")) as engine:
        yield engine


def copies(tmp_path: Path) -> list[str]:
    return [path.name for path in tmp_path.glob("config.json.holdfast*")]


def test_a_run_that_is_confirmed_stays_and_the_switch_is_gone(
    hf: Holdfast, box: Simulator, plan_of: PlanOf, tmp_path: Path
) -> None:
    first = hf.apply(plan_of(rule("ssh", 22)))
    assert first.ending == "committed"
    run = subprocess.Popen(_apply(tmp_path, plan_of(rule("ssh", 2222), policy={"confirm_within": "20s"})))
    try:
        waiting = _until(lambda: next((row for row in hf.journal.runs(limit=1) if row.state == "confirming"), None))
        assert ports(box) == {"ssh": "2222"} and copies(tmp_path)
        hf.control(waiting.id, "confirm")
        assert run.wait(20) == 0
    finally:
        run.kill()
    assert (ports(box), copies(tmp_path)) == ({"ssh": "2222"}, [])


def test_the_box_takes_back_what_nobody_lives_to_confirm(hf: Holdfast, box: Simulator, plan_of: PlanOf, tmp_path: Path) -> None:
    hf.apply(plan_of(rule("ssh", 22)))
    before = box.store.config
    run = subprocess.Popen(_apply(tmp_path, plan_of(SHUT, rule("ssh", 2222), policy={"confirm_within": "4s"})))
    try:
        _until(lambda: calls(box, "filter/apply") > 1 or None)  # once for the first run
        run.send_signal(signal.SIGKILL)
        assert not box.admits("127.0.0.1")
        _until(lambda: box.admits("127.0.0.1") or None, 30)
    finally:
        run.kill()
        run.wait()
    _until(lambda: not box.pending or None)
    assert (box.store.config, copies(tmp_path)) == (before, [])
    assert [result.ending for result in hf.recover()] == ["rolled_back"]
    assert box.store.config == before


def test_a_rollback_that_nobody_answers_lets_the_switch_fire(hf: Holdfast, box: Simulator, plan_of: PlanOf) -> None:
    hf.apply(plan_of(rule("ssh", 22)))
    before = box.store.config
    box.arm("keepalive_race")  # what was opened before the lock-out does not help
    result = hf.apply(plan_of(SHUT, policy={"confirm_within": "60s"}, name="mistake"))
    assert (result.ending, result.residue) == ("rolled_back", [])
    assert (box.store.config, box.pending) == (before, [])
    assert box.admits("127.0.0.1")


@pytest.mark.parametrize(
    ("target", "words"),
    [({"switch": "nowhere"}, "no SSH target"), ({"switch": "edge"}, "no SSH target"), ({"config": "/x"}, "there is none")],
)
def test_a_switch_that_cannot_be_is_refused(
    target: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch, box: Simulator
) -> None:
    with pytest.raises(PlanError) as caught:
        plans_for(box, monkeypatch, **target)(rule("ssh", 22))
    assert words in str(caught.value.problems)


def _apply(tmp_path: Path, plan: Plan) -> list[str]:
    path = tmp_path / "plan.json"
    path.write_text(plan.document if isinstance(plan.document, str) else plan.document.decode())
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document))
    return [sys.executable, "-m", "holdfast", "--state", str(tmp_path / "state"), "apply", str(path), "--yes"]


def _until(found: Any, seconds: float = 15.0) -> Any:
    deadline = time.monotonic() + seconds
    while (now := found()) is None:
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)
    return now
