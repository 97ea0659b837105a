"""The servers of these tests: also those of an ordinary user, who can make nobody else."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

import holdfast
from tests.ssh.places import Hosts

SYSTEM = "/usr/bin/python3"
LOOK = "import sys; sys.exit(sys.version_info < (3, 11))"
ENTER = """
import subprocess
from holdfast.testing.sshd import Sshd, may_make_accounts
with Sshd() as server:
    way = ["-F", "none", "-o", f"UserKnownHostsFile={server.known_hosts}", "-o", "BatchMode=yes", "-i", str(server.key)]
    subprocess.run(["ssh", *way, "-p", str(server.port), "127.0.0.1", "id -un"], check=True)
print(may_make_accounts())
"""


def usable() -> bool:
    """A Python that everybody may run."""
    return shutil.which(SYSTEM) is not None and not subprocess.run([SYSTEM, "-c", LOOK], check=False).returncode


@pytest.mark.skipif(os.geteuid() != 0 or not usable(), reason="becomes somebody else, whose Python is the system's")
def test_an_ordinary_user_has_a_server_as_well(hosts: Hosts) -> None:
    found = pwd.getpwnam(hosts.plain)
    source = str(Path(holdfast.__file__).parents[1])
    said = subprocess.run(
        [SYSTEM, "-c", ENTER],
        user=found.pw_uid,
        group=found.pw_gid,
        extra_groups=[],
        cwd="/",
        env={"PYTHONPATH": source, "PATH": os.defpath, "HOME": found.pw_dir},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.stdout.split(), said.returncode) == ([hosts.plain, "False"], 0), said.stderr
