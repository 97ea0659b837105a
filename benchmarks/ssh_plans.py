"""Plans on hosts, against the least that could be done: one tar sent to each host over OpenSSH.

Two hundred steps (directories, files, links) on each of ten hosts, journal on, whole processes, all in one session.
`python benchmarks/ssh_plans.py [ROUNDS] [HOSTS]` prints the table; `rows` gives it to whoever prints more.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)

from measure import Contender, Sample, alternate, machine  # noqa: E402
from ssh_rivals import once  # noqa: E402

from holdfast.testing.sshd import Sshd, account  # noqa: E402

STEPS = 200
_FOLDERS = 20


PYINFRA = """
import io, json
from pyinfra import host
from pyinfra.operations import files
for step in json.load(open({steps!r}))[host.name]:
    if "dir" in step:
        files.directory(path=step["dir"])
    elif "file" in step:
        files.put(src=io.StringIO(step["content"]), dest=step["file"])
    else:
        files.link(path=step["link"], target=step["to"])
"""


def figures(rounds: int = 5, hosts: int = 10) -> dict[str, Sample]:
    """Every contender; the one that takes long only once."""
    listen = [f"127.0.0.{number}" for number in range(1, hosts + 1)]
    with account(f"hfb{os.getpid()}") as user, Sshd(user=user, listen=listen) as server:
        base = Path("/home") / user
        found = alternate(list(_contenders(server, base, listen)), rounds)
        if shutil.which("pyinfra"):
            found |= once([Contender("pyinfra", lambda: _pyinfra(server, base, listen))])
    return found


def rows(rounds: int = 5, hosts: int = 10) -> list[tuple[str, float, str]]:
    """What was measured, how many seconds it took, and what that is of one tar to each."""
    found = figures(rounds, hosts)
    tar = found["tar to each at once"].seconds
    return [(name, sample.seconds, f"{sample.seconds / tar:.2f} x") for name, sample in found.items()]


def _contenders(server: Sshd, base: Path, hosts: Sequence[str]) -> list[Contender]:
    numbers = count(1)
    applied: list[Sequence[str]] = []

    def fresh() -> Path:
        folder = base / f"round{next(numbers)}"
        folder.mkdir()
        for host in hosts:
            _give(folder / host, server.user)
        return folder

    def first() -> Sequence[str]:
        folder = fresh()
        plan = folder / "plan.json"
        plan.write_text(json.dumps(plan_for(server, hosts, folder)))
        command = [sys.executable, "-m", "holdfast", "apply", str(plan), "--yes", "--state", str(folder / "state")]
        applied[:] = [command]
        return command

    def tar(parallel: str) -> Sequence[str]:
        folder = fresh()
        source = folder / "source"
        _make_source(source)
        way = shlex.join(_ssh(server))
        lines = [f"tar -C {source} -c . | {way} {host} tar -C {folder / host} -x {parallel}" for host in hosts]
        return ["sh", "-ec", "\n".join([*lines, "wait"])]

    return [
        Contender("holdfast, first", first),
        Contender("holdfast, the same again", lambda: applied[0]),
        Contender("tar to each at once", lambda: tar("&")),
        Contender("tar to one after the other", lambda: tar("")),
    ]


def _pyinfra(server: Sshd, base: Path, hosts: Sequence[str]) -> list[str]:
    folder = base / "pyinfra"
    for host in hosts:
        _give(folder / host, server.user)
    steps, deploy = folder / "steps.json", folder / "deploy.py"
    steps.write_text(json.dumps({host: list(_steps(folder / host)) for host in hosts}))
    deploy.write_text(PYINFRA.format(steps=str(steps)))
    way = ["--ssh-user", server.user, "--ssh-port", str(server.port), "--ssh-key", str(server.key)]
    known = ["--data", f"ssh_known_hosts_file={server.known_hosts}"]
    return ["env", "-C", str(folder), "pyinfra", "-y", *way, *known, ",".join(hosts), str(deploy)]


def _give(folder: Path, user: str) -> None:
    """Where one host is to be worked on."""
    folder.mkdir(parents=True)
    shutil.chown(folder, user)


def plan_for(server: Sshd, hosts: Sequence[str], folder: Path) -> dict[str, object]:
    way = {"key": str(server.key), "known_hosts": str(server.known_hosts), "config": "none"}
    targets = {f"h{n}": {"ssh": f"{server.user}@{host}:{server.port}", **way} for n, host in enumerate(hosts)}
    tasks = [{"name": f"t{n}", "on": f"h{n}", "steps": list(_steps(folder / host))} for n, host in enumerate(hosts)]
    return {"holdfast": 1, "name": "bench", "targets": targets, "tasks": tasks}


def _steps(top: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = [{"dir": str(top / f"d{n}")} for n in range(_FOLDERS)]
    rest = STEPS - _FOLDERS
    for n in range(rest // 2):
        file = top / f"d{n % _FOLDERS}" / f"f{n}"
        found += [{"file": str(file), "content": _content(n)}, {"link": f"{file}.link", "to": str(file)}]
    return found


def _content(number: int) -> str:
    return f"setting {number}\n" * 20


def _make_source(source: Path) -> None:
    for n in range(_FOLDERS):
        (source / f"d{n}").mkdir(parents=True)
    for n in range((STEPS - _FOLDERS) // 2):
        file = source / f"d{n % _FOLDERS}" / f"f{n}"
        file.write_text(_content(n))
        (file.parent / f"{file.name}.link").symlink_to(file.name)


def _ssh(server: Sshd) -> list[str]:
    options = (f"UserKnownHostsFile={server.known_hosts}", "BatchMode=yes", "StrictHostKeyChecking=yes")
    words = [word for option in options for word in ("-o", option)]
    return ["ssh", "-F", "none", *words, "-i", str(server.key), "-p", str(server.port), "-l", server.user]


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:3]]
    print(machine())
    for name, seconds, ratio in rows(*given):
        print(f"{name:<30} {seconds:7.3f} s  {ratio}")
