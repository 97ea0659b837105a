"""What others would do the same work with: pyinfra, ansible-core, parallel-ssh, Fabric; the same commands on the same hosts.

They live in an environment of their own, found by the path; where one is missing, it gives no contender.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from measure import Contender, Sample, run

if TYPE_CHECKING:
    from ssh import Site

PARALLEL_SSH = """
import json, sys
from pssh.clients import ParallelSSHClient
said = json.loads(sys.argv[1])
client = ParallelSSHClient(said["hosts"], user=said["user"], port=said["port"], pkey=said["key"], pool_size=50)
for _ in range(said["times"]):
    output = client.run_command("true")
    client.join(output)
    assert all(each.exit_code == 0 for each in output)
"""

FABRIC = """
import json, sys
from fabric import Config, ThreadingGroup
said = json.loads(sys.argv[1])
way = {"key_filename": said["key"]}
group = ThreadingGroup(*said["hosts"], user=said["user"], port=said["port"], connect_kwargs=way, config=Config(lazy=True))
for _ in range(said["times"]):
    assert not group.run("true", hide=True).failed
"""

PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - command: "true"
      loop: "{{{{ range({times}) | list }}}}"
"""

PYINFRA_COMMANDS = """
from pyinfra.operations import server
for number in range({times}):
    server.shell(name=f"c{{number}}", commands=["true"])
"""


def rivals(where: Site, hosts: Sequence[str], times: int) -> Iterator[Contender]:
    """One contender each for so many commands on each host."""
    said = where.said(hosts, times)
    found = shutil.which("pyinfra")
    if found is None:
        return
    python = str(Path(found).with_name("python"))
    yield Contender("pyinfra", lambda: _pyinfra(where, hosts, PYINFRA_COMMANDS.format(times=times)))
    yield Contender("ansible", lambda: _ansible(where, hosts, times))
    yield Contender("parallel-ssh", lambda: [python, "-c", PARALLEL_SSH, said])
    yield Contender("Fabric", lambda: [python, "-W", "ignore", "-c", FABRIC, said])


def once(contenders: Iterable[Contender]) -> dict[str, Sample]:
    """Each a single time: some take minutes. Who fails gives no figure."""
    found = {}
    for contender in contenders:
        try:
            found[contender.name] = run(contender.prepare())
        except RuntimeError as error:
            sys.stderr.write(f"{contender.name}: {error}\n")
    return found


def _pyinfra(where: Site, hosts: Sequence[str], deploy: str) -> list[str]:
    server = where.server
    way = ["--ssh-user", server.user, "--ssh-port", str(server.port), "--ssh-key", str(server.key)]
    known = ["--data", f"ssh_known_hosts_file={server.known_hosts}"]
    inventory = where.place.write("inventory.py", f"everywhere = {list(hosts)!r}\n")
    command = ["pyinfra", "-y", "--parallel", "50", *way, *known, inventory, where.place.write("deploy.py", deploy)]
    return ["env", "-C", where.place.base, *command]  # it writes where it is run


def _ansible(where: Site, hosts: Sequence[str], times: int) -> list[str]:
    inventory = where.place.write("hosts", "\n".join(hosts) + "\n")
    playbook = where.place.write("play.yaml", PLAYBOOK.format(times=times))
    settings = ["ANSIBLE_PIPELINING=1", f"ANSIBLE_SSH_ARGS=-F {where.config} -C -o ControlMaster=auto -o ControlPersist=60s"]
    interpreter = ["-e", "ansible_python_interpreter=/usr/bin/python3"]
    return ["env", *settings, "ansible-playbook", "-i", inventory, "-f", "50", *interpreter, playbook]
