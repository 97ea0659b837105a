"""Plans on hosts: all or nothing over all of them, programs, transfers, and what cannot be reached or is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import holdfast
from holdfast.testing import zoo
from holdfast.testing.sshd import Sshd, account, free_port
from tests.drivers.remote.hosts import plan_on
from tests.drivers.remote.shells import FLAVOURS, tools, without_python

THREE = ("h1", "h2", "h3")

each_flavour = pytest.mark.parametrize("flavour", FLAVOURS)


@pytest.fixture
def hf(tmp_path: Path):
    with holdfast.open(str(tmp_path / "state")) as found:
        yield found


def files_in(root: Path) -> list:
    return [
        {"dir": f"{root}/HOST"},
        {"file": f"{root}/HOST/conf", "content": "new\n", "mode": "0640"},
        {"link": f"{root}/HOST/current", "to": f"{root}/HOST/conf"},
        {"file": f"{root}/shared-HOST", "content": "changed\n"},
    ]


@each_flavour
def test_a_plan_on_three_hosts_is_made_and_then_unchanged(hf, server, root):
    plan = plan_on(server, files_in(root), hosts=THREE)
    assert hf.apply(plan).ending == "committed"
    assert [(root / host / "current").read_text() for host in THREE] == ["new\n"] * 3
    assert hf.apply(plan).ending == "unchanged"


@each_flavour
def test_when_one_host_fails_all_are_undone_exactly(hf, server, root, stash):
    for host in THREE:
        (root / f"shared-{host}").write_text("old\n")
    before = zoo.manifest(root)
    breaks = {"command": ["sh", "-c", "test HOST != h2"], "undo": ["true"]}
    steps = [*files_in(root), {**breaks, "needs": ["f-HOST"]}]
    steps[3]["id"] = "f-HOST"
    result = hf.apply(plan_on(server, steps, hosts=THREE))
    assert (result.ending, [error["code"] for error in result.errors]) == ("rolled_back", ["command_failed"]), result.residue
    assert zoo.manifest(root) == before
    assert not stash.exists()


@each_flavour
def test_a_committed_run_can_be_taken_back_by_hand(hf, server, root):
    (root / "shared-h1").write_text("old\n")
    before = zoo.manifest(root)
    result = hf.apply(plan_on(server, files_in(root)))
    assert hf.rollback(result.run).ending == "rolled_back"
    assert zoo.manifest(root) == before


def test_a_host_that_cannot_be_reached_is_found_before_anything_is_touched(hf, server, root):
    gone = {"ssh": f"root@127.0.0.1:{free_port()}", "config": "none"}
    document = plan_on(server, files_in(root), hosts=("h1",)).document
    plan = holdfast.parse(
        document.replace(b'"tasks":[', b'"tasks":[{"name":"gone","on":"gone","steps":[{"dir":"/x"}]},').replace(
            b'"targets":{', f'"targets":{{"gone":{str(gone).replace(chr(39), chr(34))},'.encode()
        ),
        format="json",
    )
    result = hf.apply(plan)
    assert (result.ending, result.errors[0]["code"]) == ("refused", "unreachable")
    assert list(root.iterdir()) == []


def test_an_unknown_host_key_refuses_the_run(hf, server, root, tmp_path):
    (tmp_path / "nobody").write_text("")
    result = hf.apply(plan_on(server, files_in(root), way={"known_hosts": str(tmp_path / "nobody")}))
    assert (result.ending, result.errors[0]["code"]) == ("refused", "host_key_mismatch")


def test_programs_run_on_the_host_with_their_surroundings_and_are_taken_back(hf, server, root, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cret-value")
    run = {
        "command": ["sh", "-c", 'printf "%s %s %s" "$PWD" "$TOKEN" "$(cat)" >did'],
        "cwd": str(root),
        "env": {"TOKEN": {"secret": "env:TOKEN"}},
        "stdin": "typed",
        "undo": ["rm", "did"],
    }
    result = hf.apply(plan_on(server, [run]))
    assert result.ending == "committed"
    assert (root / "did").read_text() == f"{root} s3cret-value typed"
    assert hf.rollback(result.run).ending == "rolled_back"
    assert list(root.iterdir()) == []


def test_what_a_program_said_is_kept_without_secrets(hf, server, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cret-value")
    run = {"command": ["sh", "-c", "echo it is $TOKEN; exit 3"], "env": {"TOKEN": {"secret": "env:TOKEN"}}, "undo": "true"}
    result = hf.apply(plan_on(server, [run]))
    assert "it is ***" in result.errors[0]["message"]
    assert "exit code 3" in result.errors[0]["message"]


def test_a_script_runs_with_arguments_and_leaves_no_file(hf, server, root):
    script = {"script": '#!/bin/bash\necho "bash$((1 + 1)) $1" >"$2"', "args": ["a b", f"{root}/did"], "undo": "true"}
    assert hf.apply(plan_on(server, [script])).ending == "committed"
    assert (root / "did").read_text() == "bash2 a b\n"
    assert not list(Path("/tmp").glob("holdfast-script-*"))


def test_a_check_says_that_it_is_done_already(hf, server, root):
    (root / "there").touch()
    step = {"command": ["touch", f"{root}/again"], "check": ["test", "-e", f"{root}/there"], "undo": "true"}
    assert hf.apply(plan_on(server, [step])).ending == "unchanged"
    assert not (root / "again").exists()


def test_a_program_that_takes_too_long_is_ended_on_the_host(hf, server, root):
    step = {"command": ["sh", "-c", f"sleep 60; touch {root}/late"], "timeout": "3s", "undo": "true"}
    result = hf.apply(plan_on(server, [step]))
    assert (result.ending, result.errors[0]["code"]) == ("rolled_back", "timeout")


@each_flavour
def test_health_is_asked_from_the_host(hf, server, root):
    steps = [
        {"file": f"{root}/up", "content": "x", "id": "up"},
        {"health": ["test", "-e", f"{root}/up"], "needs": ["up"], "interval": "10ms"},
        {"health": f"tcp://127.0.0.1:{server.port}", "attempts": 1},
    ]
    assert hf.apply(plan_on(server, steps)).ending == "committed"
    sick = hf.apply(plan_on(server, [*steps[:1], {"health": f"tcp://127.0.0.1:{free_port()}", "attempts": 1}]))
    assert sick.errors[0]["code"] == "unhealthy"


@each_flavour
def test_trees_and_large_files_go_up_and_come_down_and_are_taken_back(hf, server, root, tmp_path):
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "run").write_text("#!/bin/sh\n")
    (source / "run").chmod(0o755)
    (source / "sub" / "large").write_bytes(os.urandom(700_000))
    (source / "link").symlink_to("run")
    before = zoo.manifest(root)
    steps = [
        {"upload": str(source), "to": f"{root}/up", "mode": "0600"},
        {"upload": f"{source}/run", "to": f"{root}/run"},
        {"download": str(source), "to": f"{root}/down"},
        {"download": f"{source}/sub/large", "to": f"{root}/large"},
    ]
    plan = plan_on(server, steps)
    result = hf.apply(plan)
    assert result.ending == "committed", result.errors
    large = (source / "sub" / "large").read_bytes()
    assert [(root / name).read_bytes() == large for name in ("up/sub/large", "down/sub/large", "large")] == [True] * 3
    assert [oct((root / name).stat().st_mode & 0o777) for name in ("up/run", "run", "down/run")] == ["0o600", "0o755", "0o755"]
    assert hf.apply(plan).ending == "unchanged"
    assert hf.rollback(result.run).ending == "rolled_back"
    assert zoo.manifest(root) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="needs other users")
def test_a_user_becomes_root_through_sudo_with_a_password_and_leaves_nothing(hf, root, monkeypatch):
    with account("hf-sudoer", password="pa ss'word", sudo="ALL=(ALL) ALL") as name, Sshd(user=name) as server:
        monkeypatch.setenv("SUDO_PASSWORD", "pa ss'word")
        root.chmod(0o700)
        steps = [
            {"file": f"{root}/conf", "content": "x", "owner": name},
            {"command": f"touch {root}/did", "undo": f"rm {root}/did"},
        ]
        way = {"sudo": True, "sudo_password": {"secret": "env:SUDO_PASSWORD"}}
        result = hf.apply(plan_on(server, steps, way=way))
        assert result.ending == "committed", result.errors
        assert (root / "conf").owner() == name
        assert hf.rollback(result.run).ending == "rolled_back"
        monkeypatch.setenv("SUDO_PASSWORD", "wrong")
    assert list(root.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs other users")
@pytest.mark.parametrize("python", ["", "none"], ids=["with Python", "without"])
def test_an_ordinary_user_without_sudo_gets_what_it_may_do(hf, tmp_path, python):
    name = f"hf-{os.getpid()}-o"
    with account(name), Sshd(user=name, SetEnv=f"HOLDFAST_PYTHON={python}") as server:
        home = Path(f"/home/{name}")
        result = hf.apply(plan_on(server, [{"file": f"{home}/conf", "content": "x"}]))
        assert result.ending == "committed", result.errors
        assert (home / "conf").owner() == name
        refused = hf.apply(plan_on(server, [{"file": "/etc/hf-conf", "content": "x"}]))
        assert (refused.ending, refused.errors[0]["code"]) == ("refused", "permission_denied")
        asked = hf.apply(plan_on(server, [{"file": "/etc/hf-conf", "content": "x"}], way={"sudo": True}))
        assert (asked.ending, asked.errors[0]["code"]) == ("refused", "permission_denied")
        assert hf.rollback(result.run).ending == "rolled_back"
        assert sorted(path.name for path in home.iterdir() if path.name.startswith(".holdfast")) == []


def test_a_host_whose_tools_are_not_enough_says_which_are_missing(hf, root, stash, tmp_path):
    path = tools(tmp_path / "bin", "coreutils")
    (path / "stat").unlink()
    with Sshd(**without_python(stash, path)) as server:
        result = hf.apply(plan_on(server, files_in(root)))
    assert (result.ending, result.errors[0]["code"]) == ("refused", "unsupported")
    assert "h1: it has neither python3 nor stat" in result.errors[0]["message"]


@pytest.mark.parametrize("flavour", ["coreutils"])
def test_what_replaces_something_is_not_called_atomic_where_names_cannot_be_exchanged(hf, server, root):
    (root / "shared-h1").write_text("old\n")
    preview = hf.plan(plan_on(server, files_in(root)))
    labels = {change["resource"].rpartition("/")[2]: change["guarantee"] for change in preview.changes}
    assert (labels["shared-h1"], labels["conf"]) == ("reversible", "atomic")


@pytest.mark.parametrize(("flavour", "said"), [("python", True), ("coreutils", True), ("python", False)])
def test_a_host_that_gives_a_connection_one_session_is_worked_on_all_the_same(hf, root, stash, flavour, said, tmp_path):
    settings = (
        {"SetEnv": f"HOLDFAST_REMOTE={stash}"} if flavour == "python" else without_python(stash, tools(tmp_path / "b", flavour))
    )
    with Sshd(**settings, MaxSessions="1") as server:
        steps = [
            {"file": f"{root}/a", "content": "a", "id": "made"},
            {"command": ["cp", f"{root}/a", f"{root}/b"], "undo": ["rm", f"{root}/b"], "id": "copied", "needs": ["made"]},
            {"command": f"cat >{root}/c", "shell": True, "stdin": "c", "undo": ["rm", f"{root}/c"], "needs": ["copied"]},
        ]
        result = hf.apply(plan_on(server, steps, way={"max_sessions": 1} if said else {}))
    assert result.ending == "committed", result.errors
    assert [(root / name).read_text() for name in "bc"] == ["a", "c"]


@each_flavour
def test_a_tree_comes_down_in_one_stream_with_empty_large_and_odd_files(hf, server, root, tmp_path):
    (root / "tree" / "sub").mkdir(parents=True)
    contents = {"empty": b"", "also-empty": b"", "a": b"a", "sub/large": os.urandom(700_000), "z": b""}
    contents["sub/new\nline"] = b"\0\n\0"
    for name, content in contents.items():
        (root / "tree" / name).write_bytes(content)
    home = tmp_path / "home"
    home.mkdir()
    result = hf.apply(plan_on(server, [{"download": f"{root}/tree", "to": f"{home}/tree"}]))
    assert result.ending == "committed", result.errors
    assert {name: (home / "tree" / name).read_bytes() for name in contents} == contents
    assert hf.rollback(result.run).ending == "rolled_back"
    assert list(home.iterdir()) == []


def test_a_user_becomes_root_in_a_shell_through_sudo_with_a_password(hf, root, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("accounts are for root")
    monkeypatch.setenv("SUDO", "s3cret-password")
    (root / "mine").write_text("old\n")
    (root / "mine").chmod(0o600)
    rule = 'ALL=(ALL) ALL\nDefaults env_keep += "HOLDFAST_PYTHON HOLDFAST_REMOTE"'
    way = {"sudo": True, "sudo_password": {"secret": "env:SUDO"}}
    settings = {"SetEnv": f"HOLDFAST_PYTHON=none HOLDFAST_REMOTE={root}/stash"}
    with account(f"hf-{os.getpid()}-s", password="s3cret-password", sudo=rule) as user, Sshd(user=user, **settings) as server:
        result = hf.apply(plan_on(server, [{"file": f"{root}/mine", "content": "new\n"}], way=way))
        assert result.ending == "committed", result.errors
        assert [step["guarantee"] for task in result.tasks for stage in task["stages"] for step in stage["steps"]] == [
            "reversible"
        ]
        assert hf.rollback(result.run).ending == "rolled_back"
    assert (root / "mine").read_text() == "old\n"
    assert os.listdir(root) == ["mine"]


def test_what_the_runs_time_out_breaks_off_has_ended_on_the_host_and_failed(hf, server, root):
    """Its end was seen there as well; only a host that cannot be asked leaves it in doubt."""
    result = hf.apply(plan_on(server, [{"command": ["sh", "-c", f"sleep 60; touch {root}/late"], "id": "nap"}], timeout="2s"))
    assert (result.ending, [error["code"] for error in result.errors]) == ("rolled_back", ["timeout", "cancelled"])
