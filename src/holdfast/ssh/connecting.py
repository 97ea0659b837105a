"""From an address to a live connection: ssh_config, keys, agent, host key, jump.

The only place that knows asyncssh's options.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final

from holdfast.core.errors import WorldError
from holdfast.ssh.address import NO_CONFIG, Address
from holdfast.ssh.configuration import ExecutorConfig
from holdfast.ssh.connection import Connection
from holdfast.ssh.host_keys import HostKeys, Judge, files_of
from holdfast.ssh.library import asyncssh
from holdfast.ssh.troubles import translated

# Both ends have it in hardware; the library's own first choice costs several times as much.
CIPHERS: Final = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
)
WINDOW: Final = 8 * 1024 * 1024
_QUIET: Final = {"agent_forwarding": False, "x11_forwarding": False, "request_pty": False, "encoding": None, "window": WINDOW}


class Ways:
    """Works out how to get to hosts, and remembers what it read of keys and known hosts."""

    def __init__(self, accepted: Callable[[str], None]) -> None:
        self._host_keys = HostKeys()
        self._accepted = accepted
        self._pairs: dict[tuple[str, ...], Any] = {}

    def configured(self, address: Address) -> tuple[Any, str]:
        """What ssh_config says and asyncssh does not do as we want it: files of known hosts, and the jump."""
        configs = _configs(address)
        if not configs:
            return None, address.jump
        given = {name: value for name, value in (("port", address.port), ("username", address.user)) if value}
        read = asyncssh.SSHClientConnectionOptions(host=address.host, config=configs, client_keys=None, **given)
        return read.known_hosts, address.jump or (read.tunnel if isinstance(read.tunnel, str) else "")

    def judge(self, address: Address, configured: Any) -> Judge:
        files = files_of(address, configured)
        return Judge(address, self._host_keys.known(files), files, self._accepted)

    def options(self, address: Address, config: ExecutorConfig, judge: Judge) -> dict[str, Any]:
        optional = {
            "port": address.port,
            "username": address.user,
            "client_keys": self._keys(address.identity),
            "password": address.password,
        }
        return {
            "config": _configs(address),
            "client_factory": lambda: judge,
            "known_hosts": judge.trusted,
            "encryption_algs": CIPHERS,
            "login_timeout": config.connect_timeout_s,
            "keepalive_interval": config.keepalive_s,
            "keepalive_count_max": config.keepalives_missed_max,
            **_QUIET,
            **{name: value for name, value in optional.items() if value},
        }

    def _keys(self, identity: tuple[str, ...]) -> Any:
        if not identity:
            return ()
        kept = self._pairs.get(identity)
        if kept is None:
            kept = self._pairs[identity] = asyncssh.load_keypairs([os.path.expanduser(file) for file in identity])
        return kept


async def connect(
    address: Address, config: ExecutorConfig, ways: Ways, tunnel: Callable[[str], Awaitable[Connection]]
) -> Connection:
    """Raises WorldError with what stood in the way. `tunnel` gives a connection to the jump host of this name."""
    judge: Judge | None = None
    try:
        with translated(address):
            configured, jump = ways.configured(address)
            judge = ways.judge(address, configured)
            options = ways.options(address, config, judge)
            if jump:
                options["tunnel"] = (await tunnel(jump)).raw
            async with asyncio.timeout(config.connect_timeout_s):
                raw = await asyncssh.connect(address.host, **options)
    except WorldError as error:
        raise (judge.refusal if judge is not None and judge.refusal is not None else error) from error
    return Connection(address, raw, judge, output_bytes_max=config.output_bytes_max)


def _configs(address: Address) -> Any:
    if address.config == NO_CONFIG:
        return None
    if address.config:
        return [os.path.expanduser(address.config)]
    files = [os.path.expanduser("~/.ssh/config"), "/etc/ssh/ssh_config"]
    return [file for file in files if os.access(file, os.R_OK)] or None
