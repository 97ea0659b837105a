"""What SSH costs: our whole processes against plain asyncssh, OpenSSH's own programs and other tools, on a real sshd.

Hosts are addresses of the loopback network, one server behind all of them.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from measure import Contender, Sample, alternate, run
from places import Place, holdfast, python
from ssh_rivals import once, rivals

from holdfast.testing.sshd import Sshd, account

HOSTS = [f"127.0.77.{number}" for number in range(1, 51)]
MIB = 1024 * 1024

PLAIN = """
import asyncio, asyncssh, json, sys
said = json.loads(sys.argv[1])
async def one(host, times):
    async with asyncssh.connect(host, said["port"], username=said["user"], client_keys=[said["key"]],
                                known_hosts=said["known"], config=None) as connection:
        gate = asyncio.Semaphore(4)
        async def run():
            async with gate:
                assert (await connection.run("true")).exit_status == 0
        await asyncio.gather(*(run() for _ in range(times)))
async def main():
    await asyncio.gather(*(one(host, said["times"]) for host in said["hosts"]))
asyncio.run(main())
"""

OURS = """
import json, sys
from holdfast import ssh
said = json.loads(sys.argv[1])
way = dict(port=said["port"], user=said["user"], identity=(said["key"],), known_hosts=said["known"], config="none")
commands = [ssh.Command("true", host=ssh.Address(host=host, **way)) for host in said["hosts"] for _ in range(said["times"])]
with ssh.open() as executor:
    assert all(result.success for result in executor.run_all(commands, parallel=90))
"""
BRIEF = OURS.replace('ssh.Command("true",', 'ssh.Command(("true",), brief=True,').replace("parallel=90", "parallel=8")


class Figure(NamedTuple):
    work: str
    value: float | None  # how many times the other; None: the other is not installed
    limit: float | None  # None: no target, but good to know
    against: str


class Site:
    """One server, and how each contender is told about it."""

    def __init__(self, server: Sshd, place: Place) -> None:
        self.server = server
        self.place = place
        keys = {"IdentityFile": server.key, "UserKnownHostsFile": server.known_hosts, "User": server.user, "Port": server.port}
        lines = [f"{name} {value}" for name, value in keys.items()]
        self.config = place.write("ssh_config", "\n".join(["Host *", *lines, "BatchMode yes", "LogLevel ERROR", ""]))

    def said(self, hosts: Sequence[str], times: int) -> str:
        server = self.server
        way = {"port": server.port, "user": server.user, "key": str(server.key), "known": str(server.known_hosts)}
        return json.dumps({**way, "hosts": list(hosts), "times": times})

    def ours(self, *words: str) -> list[str]:
        server = self.server
        way = ["--user", server.user, "--port", str(server.port), "--key", str(server.key)]
        return holdfast(self.place.path("state"), "ssh", words[0], *way, "--known-hosts", str(server.known_hosts), *words[1:])

    @property
    def login(self) -> str:
        return f"{self.server.user}@{HOSTS[0]}"

    @property
    def home(self) -> str:
        return f"/home/{self.server.user}"


@contextmanager
def site() -> Iterator[Site]:
    with Place() as place, account(f"hfb{os.getpid()}") as user, Sshd(user=user, listen=HOSTS) as server:
        yield Site(server, place)


def measure(rounds: int) -> Iterator[Figure]:
    with site() as where:
        for work in COMMANDS:
            yield from commands(where, work, rounds)
        yield from one_large_file(where, rounds)
        yield from many_small_files(where, rounds)
    yield from plans(rounds)
    yield from a_thousand_hosts()


class Commands(NamedTuple):
    """So many short commands on each of so many hosts, and how many times the others we may take."""

    work: str
    hosts: int
    times: int
    limits: Mapping[str, float]


COMMANDS = (
    Commands("one command on each of 50 hosts", 50, 1, {"plain": 1.5, "pyinfra": 1.0, "ansible": 1 / 8}),
    Commands("500 commands on one host", 1, 500, {"plain": 1.3, "pyinfra": 1 / 10, "ansible": 1 / 40}),
    Commands("20 commands on each of 10 hosts", 10, 20, {"plain": 1.6, "pyinfra": 1 / 2, "ansible": 1 / 25}),
)
NAMES = {"plain": "plain asyncssh"}
OTHERS = ("parallel-ssh", "Fabric")  # without a target; it is good to know


def commands(where: Site, asked: Commands, rounds: int) -> Iterator[Figure]:
    """Whole processes; those that take minutes are measured once."""
    hosts = HOSTS[: asked.hosts]
    said = where.said(hosts, asked.times)
    one = ["exec", *hosts, "--quiet", "--parallel", "50", "--", "true"]
    contenders = [
        Contender("plain", lambda: python(PLAIN, said)),
        Contender("ours", lambda: where.ours(*one) if asked.times == 1 else python(OURS, said)),
    ]
    if asked.hosts == 1:
        contenders.append(Contender("brief", lambda: python(BRIEF, said)))
    found = alternate(contenders, rounds)
    if "brief" in found:
        yield Figure(f"{asked.work}, in shells that stay open", found["brief"].seconds / found["ours"].seconds, 0.5, "the same")
    found |= once(rivals(where, hosts, asked.times))
    for name in (*asked.limits, *OTHERS):
        value = found["ours"].seconds / found[name].seconds if name in found else None
        yield Figure(asked.work, value, asked.limits.get(name), NAMES.get(name, name))


def plans(rounds: int) -> Iterator[Figure]:
    """Two hundred file steps on each of ten hosts."""
    from ssh_plans import figures

    work = "200 file steps on each of 10 hosts"
    found = figures(rounds)
    ours, again = found["holdfast, first"].seconds, found["holdfast, the same again"].seconds
    yield Figure(work, ours / found["tar to each at once"].seconds, 2.0, "one tar to each")
    pyinfra = found.get("pyinfra")
    yield Figure("the same", ours / pyinfra.seconds if pyinfra else None, 1 / 20, "pyinfra")
    yield Figure("the same, unchanged", again / ours, 0.5, "the first")


def a_thousand_hosts() -> Iterator[Figure]:
    """One command each; every host is a connection of its own, with a handshake of its own."""
    hosts = [f"127.0.{78 + number // 250}.{number % 250 + 1}" for number in range(1000)]
    with Place() as place, account(f"hfb{os.getpid()}") as user, Sshd(user=user, listen=hosts) as server:
        where = Site(server, place)

        def one_each(count: int) -> Sample:
            return run(where.ours("exec", *hosts[:count], "--quiet", "--parallel", "100", "--", "true"))

        half, whole = one_each(500), one_each(1000)
        yield Figure("1,000 hosts, one command each", whole.seconds / half.seconds, 2.3, "500 hosts")
        yield Figure("the same, peak memory in MiB", whole.peak_mib, 381, "MiB (400 MB)")


def one_large_file(where: Site, rounds: int) -> Iterator[Figure]:
    big = where.place.path("big")
    with open(big, "wb") as file:
        for _ in range(256):
            file.write(os.urandom(MIB))
    batch = where.place.write("batch", f"put {big} {where.home}/sftp\n")
    durable = where.place.write("durable", f"put -f {big} {where.home}/sftp\n")
    contenders = [
        Contender("sftp", lambda: ["sftp", "-q", "-F", where.config, "-b", batch, where.login]),
        Contender("sftp -f", lambda: ["sftp", "-q", "-F", where.config, "-b", durable, where.login]),
        Contender("ours", lambda: where.ours("copy", "--quiet", big, f"{where.login}:{where.home}/ours")),
    ]
    found = alternate(contenders, rounds)
    ours = found["ours"].seconds
    yield Figure("one file of 256 MiB up", ours / found["sftp"].seconds, 1.2, "sftp, which neither verifies nor syncs")
    yield Figure("the same", ours / found["sftp -f"].seconds, 1.2, "sftp with put -f, which syncs")


def many_small_files(where: Site, rounds: int) -> Iterator[Figure]:
    small = where.place.fresh("small")
    for number in range(2000):
        with open(f"{small}/f{number}", "wb") as file:
            file.write(os.urandom(4096))
    count = iter(range(10_000))
    tar = f"tar -C {small} -cf - . | ssh -F {where.config} {where.login} 'mkdir tar-$$ && tar -C tar-$$ -xf -'"
    contenders = [
        Contender("tar", lambda: ["sh", "-c", tar]),
        Contender("scp", lambda: ["scp", "-q", "-r", "-F", where.config, small, f"{where.login}:scp-{next(count)}"]),
        Contender("ours", lambda: where.ours("copy", "--quiet", small, f"{where.login}:ours-{next(count)}")),
    ]
    if shutil.which("rsync"):
        way = f"ssh -F {where.config}"
        contenders.append(
            Contender("rsync", lambda: ["rsync", "-a", "-e", way, f"{small}/", f"{where.login}:rs-{next(count)}"])
        )
    found = alternate(contenders, rounds)
    ours = found["ours"].seconds
    for name, limit in (("tar", 1.5), ("scp", 1.0), ("rsync", 1.0)):
        yield Figure("2,000 files of 4 KiB up", ours / found[name].seconds if name in found else None, limit, name)


if __name__ == "__main__":
    for figure in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
        print(figure, flush=True)
