"""`holdfast ssh`: what a person types, what a program reads, and the exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast.cli import main
from holdfast.testing.sshd import free_port
from tests.ssh.places import Hosts


def run(hosts: Hosts, *words: str, said: bytes = b"", way: bool = True) -> subprocess.CompletedProcess[str]:
    server = hosts.server
    options = ["--key", str(server.key), "--known-hosts", str(server.known_hosts), "--port", str(server.port)] if way else []
    command = ["ssh", words[0], *options, *words[1:]]
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", TextIOWrapper(BytesIO(said)))
        code = main(command)
        return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def document(hosts: Hosts, *words: str) -> tuple[int, Any]:
    found = run(hosts, words[0], "--json", *words[1:])
    return found.returncode, json.loads(found.stdout)


def test_exec_prints_lines_with_their_host_and_json_one_entry_each(hosts: Hosts) -> None:
    both = (f"{hosts.plain}@127.0.0.1", f"{hosts.admin}@127.0.0.1")
    found = run(hosts, "exec", *both, "--", "printf", "%s\\n", "a  b", "$HOME")
    assert found.returncode == 0
    assert sorted(found.stdout.splitlines()) == sorted(f"{host} | {text}" for host in both for text in ("a  b", "$HOME"))
    code, entries = document(hosts, "exec", *both, "--shell", "--", f"test $(id -un) = {hosts.plain}; exit $?")
    assert code == 1
    assert [(entry["host"], entry["exit_code"]) for entry in entries] == [(both[0], 0), (both[1], 1)]
    names = {"host", "exit_code", "signal", "stdout", "stderr", "truncated", "duration_s", "attempts", "error"}
    assert set(entries[0]) == names


def test_a_host_that_cannot_be_reached_makes_it_three(hosts: Hosts) -> None:
    code, (entry,) = document(hosts, "exec", f"{hosts.plain}@127.0.0.1", "--port", str(free_port()), "--", "true")
    assert (code, entry["exit_code"], entry["error"]["code"]) == (3, None, "unreachable")


def test_a_script_gets_its_arguments_and_its_input(hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / "script").write_text('echo "$1/$V"; cat')
    words = ("--arg", "a b", "--env", "V=v", "--stdin")
    found = run(hosts, "script", f"{hosts.plain}@127.0.0.1", str(tmp_path / "script"), *words, said=b"input\n")
    assert [line.split(" | ")[1] for line in found.stdout.splitlines()] == ["a b/v", "input"]


def test_copy_goes_both_ways(hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("content")
    there = f"{hosts.plain}@127.0.0.1:copied"
    code, said = document(hosts, "copy", str(tmp_path / "f"), there)
    assert (code, said["files"], said["bytes"], set(said)) == (0, 1, 7, {"files", "bytes", "duration_s", "checksum"})
    assert run(hosts, "copy", there, str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back").read_text() == "content"
    assert run(hosts, "copy", str(tmp_path / "f"), there, "--on-conflict", "fail").returncode == 1


def test_a_port_may_stand_between_the_host_and_the_path(hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("content")
    there = f"{hosts.plain}@127.0.0.1:{hosts.server.port}:by-port"
    assert run(hosts, "copy", str(tmp_path / "f"), there, "--port", "1").returncode == 0
    assert run(hosts, "copy", f"{hosts.plain}@127.0.0.1:by-port", str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back").read_text() == "content"


def test_check_says_who_we_are_there(hosts: Hosts) -> None:
    code, (entry,) = document(hosts, "check", f"{hosts.plain}@127.0.0.1")
    assert (code, entry["ok"], entry["user"]) == (0, True, hosts.plain)


@pytest.mark.parametrize(
    "words",
    [
        ("exec", "h"),
        ("exec", "h", "--shell", "--", "a", "b"),
        ("exec", "bad host", "--", "true"),
        ("exec", "h", "--env", "x", "--", "true"),
        ("copy", "a", "b"),
        ("copy", "h:a", "h:b"),
        ("copy", "a", "h:b", "--mode", "rw"),
        ("exec", "h", "--sudo", "--sudo-password", "hunter2", "--", "true"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(hosts: Hosts, words: tuple[str, ...]) -> None:
    found = run(hosts, *words)
    assert (found.returncode, "Traceback" in found.stderr) == (2, False)
    assert "hunter2" not in found.stderr


def inventories(hosts: Hosts) -> dict[str, str]:
    server = hosts.server
    ansible = {"ansible_host": "127.0.0.1", "ansible_port": server.port, "ansible_user": hosts.plain}
    ansible["ansible_ssh_private_key_file"] = str(server.key)
    target = {"ssh": f"{hosts.plain}@127.0.0.1:{server.port}", "key": str(server.key), "known_hosts": str(server.known_hosts)}
    return {
        "plan": json.dumps({"holdfast": 1, "name": "p", "targets": {"web": target}}),
        "groups": json.dumps({"all": {"children": {"webs": {"hosts": {"web": None}, "vars": ansible}}}}),
        "listing": json.dumps(
            {"_meta": {"hostvars": {"web": ansible}}, "webs": {"hosts": ["web"]}, "all": {"children": ["webs"]}}
        ),
    }


@pytest.mark.parametrize(("form", "name"), [("plan", "web"), ("groups", "webs"), ("listing", "all"), ("listing", "web")])
def test_names_come_from_an_inventory(hosts: Hosts, tmp_path: Path, form: str, name: str) -> None:
    (tmp_path / "hosts.yaml").write_text(inventories(hosts)[form])
    known = ["--known-hosts", str(hosts.server.known_hosts)]
    found = run(hosts, "exec", name, "-i", str(tmp_path / "hosts.yaml"), *known, "--", "id", "-un", way=False)
    assert found.stdout == f"web | {hosts.plain}\n"


def test_what_is_written_with_a_host_counts_more_than_the_options(hosts: Hosts) -> None:
    server = hosts.server
    own = f"{hosts.admin}@127.0.0.1:{server.port}"
    options = ("--user", hosts.plain, "--port", str(free_port()))
    code, entries = document(hosts, "exec", own, f"127.0.0.1:{server.port}", *options, "--", "id", "-un")
    assert (code, [entry["stdout"].strip() for entry in entries]) == (0, [hosts.admin, hosts.plain])


def test_a_host_that_is_named_twice_is_asked_once(hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text(inventories(hosts)["groups"])
    words = ("exec", "webs", "web", "-i", str(tmp_path / "hosts.yaml"), "--", "true")
    code, entries = document(hosts, *words)
    assert (code, [entry["host"] for entry in entries]) == (0, ["web"])


def test_a_name_of_ssh_config_is_a_host(hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = hosts.server
    said = {"HostName": "127.0.0.1", "Port": server.port, "User": hosts.plain, "IdentityFile": server.key}
    lines = [f"{name} {value}" for name, value in {**said, "UserKnownHostsFile": server.known_hosts}.items()]
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("\n  ".join(["Host web", *lines, ""]))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = run(hosts, "exec", "web", "--", "id", "-un", way=False)
    assert (found.stdout, found.returncode) == (f"web | {hosts.plain}\n", 0)


def test_output_comes_while_the_command_runs(hosts: Hosts) -> None:
    server = hosts.server
    way = ["--key", str(server.key), "--known-hosts", str(server.known_hosts), "--port", str(server.port)]
    command = [sys.executable, "-m", "holdfast", "ssh", "exec", f"{hosts.plain}@127.0.0.1", *way, "--timeout", "20s", "--shell"]
    with subprocess.Popen([*command, "--", "echo one; sleep 60"], stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == f"{hosts.plain}@127.0.0.1 | one\n"
        client.send_signal(signal.SIGINT)
    assert client.returncode == 130


def test_a_key_that_was_accepted_is_in_the_journal(hosts, tmp_path):
    server = hosts.server
    known, state = tmp_path / "known", str(tmp_path / "state")
    place = f"{server.user}@127.0.0.1:{server.port}"
    words = ["ssh", "exec", place, "--key", str(server.key), "--known-hosts", str(known), "--accept-new", "--state", state]
    for _ in range(2):  # the second time there is nothing to accept
        assert main([*words, "--", "true"]) == 0
    with holdfast.open(state) as hf:
        facts = [event["data"] for event in hf.event_documents() if event["type"] == "host.accepted"]
    assert len(facts) == 1
    assert "accepted its host key SHA256:" in facts[0]["said"]
    assert facts[0]["by"]
