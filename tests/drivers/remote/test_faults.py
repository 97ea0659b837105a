"""Whatever breaks - the link, sshd, the worker, this process - a run ends whole, and nothing is made twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import holdfast
from holdfast.testing import zoo
from tests.drivers.remote.hosts import plan_on
from tests.drivers.remote.shells import FLAVOURS

each_flavour = pytest.mark.parametrize("flavour", FLAVOURS)


@pytest.fixture
def hf(tmp_path: Path):
    with holdfast.open(str(tmp_path / "state")) as found:
        yield found


def soon(path: Path, seconds: float = 15.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if path.exists():
            return True
        time.sleep(0.02)
    return False


def gone(path: Path, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and path.exists():
        time.sleep(0.02)
    return not path.exists()


def when(path: Path, do) -> threading.Thread:
    """Do something as soon as a path is there."""
    thread = threading.Thread(target=lambda: soon(path) and do())
    thread.start()
    return thread


def test_a_command_whose_connection_is_lost_is_in_doubt_and_run_once(hf, server, root):
    step = {"command": ["sh", "-c", f"echo x >>{root}/ran; sleep 30"], "undo": ["sh", "-c", f"echo undone >>{root}/ran"]}
    cutting = when(root / "ran", server.cut)
    result = hf.apply(plan_on(server, [step]))
    cutting.join()
    assert (result.ending, result.errors[0]["code"]) == ("rolled_back", "in_doubt")
    assert (root / "ran").read_text() == "x\nundone\n"


def test_a_check_settles_the_doubt(hf, server, root):
    step = {
        "command": ["sh", "-c", f"echo x >>{root}/ran; exec sleep 30"],
        "check": ["test", "-e", f"{root}/ran"],
        "undo": ["rm", f"{root}/ran"],
    }
    cutting = when(root / "ran", server.cut)
    result = hf.apply(plan_on(server, [step]))
    cutting.join()
    assert result.ending == "committed", result.errors
    assert (root / "ran").read_text() == "x\n"


@each_flavour
def test_files_whose_worker_was_killed_are_looked_at_and_finished(hf, server, root):
    steps = [{"file": f"{root}/f{n}", "content": "x" * 300_000} for n in range(40)]
    cutting = when(root / "f0", server.cut)
    result = hf.apply(plan_on(server, steps))
    cutting.join()
    assert result.ending == "committed", result.errors
    assert {len((root / f"f{n}").read_text()) for n in range(40)} == {300_000}


@each_flavour
@pytest.mark.parametrize("stage", ["files", "command"])
def test_when_this_process_is_killed_recovery_restores_the_host_exactly(server, root, stash, tmp_path, stage):
    (root / "old").write_text("old\n")
    before = zoo.manifest(root)
    mark = tmp_path / "running"
    steps = [
        {"file": f"{root}/old", "content": "new\n", "id": "a"},
        {"dir": f"{root}/d", "id": "b"},
        {"command": ["sh", "-c", f"touch {mark}; sleep 30"], "undo": "true", "needs": ["a", "b"], "id": "c"},
    ]
    if stage == "files":
        files = [{"file": f"{root}/f{n}", "content": "y" * 300_000, "id": f"f{n}"} for n in range(40)]
        steps = [*files, {**steps[-1], "needs": [file["id"] for file in files]}]  # not over before it is killed
        mark = stash / ".runs"
    (tmp_path / "plan.json").write_bytes(plan_on(server, steps).document)
    state = str(tmp_path / "state")
    command = [sys.executable, "-m", "holdfast", "apply", str(tmp_path / "plan.json"), "--yes", "--state", state]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert soon(mark), process.stderr.read()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    with holdfast.open(state) as hf:
        assert [result.ending for result in hf.recover()] == ["rolled_back"]
    assert zoo.manifest(root) == before
    assert not subprocess.run(["pgrep", "-f", f"touch {mark}"], capture_output=True).stdout
    assert gone(stash)


# -- the dead man's switch


def guarded(server, root, *more, within="3s"):
    steps = [
        {"file": f"{root}/rules", "content": "new\n", "id": "rules"},
        {"command": ["sh", "-c", f"echo done >>{root}/log"], "undo": ["sh", "-c", f"echo undone >>{root}/log"], "id": "load"},
        *more,
    ]
    return plan_on(server, steps, confirm_within=within)


def confirm(state: str, seen: list) -> None:
    """Another process confirms as soon as it may."""
    deadline = time.monotonic() + 15
    with holdfast.open(state) as hf:
        while time.monotonic() < deadline:
            waiting = [row for row in hf.journal.runs(open_only=True) if row.state == "confirming"]
            if waiting:
                hf.ask(waiting[0].id, "confirm", by="me")
                seen.append(waiting[0].id)
                return
            time.sleep(0.05)


@each_flavour
def test_a_confirmed_run_stays_and_its_switch_never_fires(hf, server, root, stash, tmp_path):
    seen: list = []
    asking = threading.Thread(target=confirm, args=(str(tmp_path / "state"), seen))
    asking.start()
    result = hf.apply(guarded(server, root, within="30s"))
    asking.join()
    assert seen
    assert result.ending == "committed", result.errors
    assert [path for path in stash.rglob("*") if "armed" in path.name or "fired" in path.name] == []
    assert (root / "rules").read_text() == "new\n"
    assert (root / "log").read_text() == "done\n"


@each_flavour
def test_a_client_that_is_cut_off_finds_that_the_host_has_gone_back_by_itself(hf, server, root):
    (root / "rules").write_text("old\n")
    before = zoo.manifest(root)
    cut = {
        "command": ["sh", "-c", f"touch {root}/cut; sleep 1"],
        "undo": ["rm", "-f", f"{root}/cut"],
        "needs": ["rules", "load"],
    }

    def close_the_door() -> None:
        server.stop()  # the listener and every session: nobody gets in any more
        soon_old()

    def soon_old() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and (root / "rules").read_text() != "old\n":
            time.sleep(0.05)
        states.append((root / "rules").read_text())
        server.start()

    states: list[str] = []
    closing = when(root / "cut", close_the_door)
    result = hf.apply(guarded(server, root, cut))
    closing.join()
    assert states == ["old\n"]  # while nobody could reach it
    assert result.ending == "rolled_back", (result.errors, result.residue)
    assert (root / "log").read_text() == "done\nundone\n"
    (root / "log").unlink()
    assert zoo.manifest(root)["rules"] == before["rules"]
    assert not (root / "cut").exists()


@each_flavour
def test_a_client_that_dies_before_it_confirms_leaves_a_host_that_goes_back(server, root, stash, tmp_path):
    (root / "rules").write_text("old\n")
    (tmp_path / "plan.json").write_bytes(guarded(server, root, within="2s").document)
    state = str(tmp_path / "state")
    command = [sys.executable, "-m", "holdfast", "apply", str(tmp_path / "plan.json"), "--yes", "--state", state]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert soon(root / "log")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 15
    back = ("old\n", "done\nundone\n")  # the host gets there by itself, one after the other
    while time.monotonic() < deadline and ((root / "rules").read_text(), (root / "log").read_text()) != back:
        time.sleep(0.05)
    assert ((root / "rules").read_text(), (root / "log").read_text()) == back
    with holdfast.open(state) as hf:
        assert [result.ending for result in hf.recover()] == ["rolled_back"]
    assert (root / "rules").read_text() == "old\n"
    assert gone(stash)


def test_an_attempt_on_a_host_that_is_made_again_is_an_event_of_the_run(hf, server, root, tmp_path):
    """sshd is gone when the command is to be sent, and back as soon as the journal knows that."""
    steps = [
        {"file": f"{root}/there", "content": "x\n", "id": "first"},
        {"command": ["sh", "-c", f"touch {root}/stop; until [ -e {root}/stopped ]; do sleep 0.02; done"], "on": "local"},
        {"command": ["touch", f"{root}/done"], "undo": ["rm", f"{root}/done"]},
    ]
    for number, step in enumerate(steps[1:], 1):
        step |= {"id": f"s{number}", "needs": ["first" if number == 1 else "s1"], "irreversible": True}

    def restart() -> None:
        server.stop()
        (root / "stopped").touch()
        with holdfast.open(str(tmp_path / "state")) as reader:
            while not [event for event in reader.event_documents() if event["type"] == "host.retrying"]:
                time.sleep(0.01)
        server.start()

    restarting = when(root / "stop", restart)
    result = hf.apply(plan_on(server, steps))
    restarting.join()
    assert result.ending == "committed", result.errors
    facts = [event for event in hf.event_documents() if event["type"] == "host.retrying"]
    assert {event["run"] for event in facts} == {result.run}
    assert facts[0]["data"] == {"host": "h1", "code": "unreachable", "attempt": 1, "delay_s": facts[0]["data"]["delay_s"]}
    assert facts[0]["data"]["delay_s"] > 0


@each_flavour
def test_the_lock_of_a_worker_that_was_killed_goes_with_the_next_one(hf, server, root, stash):
    (stash / ".runs").mkdir(parents=True)
    stash.chmod(0o700)
    (stash / ".runs" / "h1@gone.lock").write_text("4194399 1 -\n")
    result = hf.apply(plan_on(server, [{"file": f"{root}/a", "content": "x\n"}, {"command": "false", "irreversible": True}]))
    assert result.ending in ("rolled_back", "stuck")
    assert gone(stash)
