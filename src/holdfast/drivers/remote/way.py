"""From what a plan says about a host to the way in. Secrets become values here, when the host is first needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from holdfast.drivers.secrets import Secrets
from holdfast.kinds.contract import Secret

if TYPE_CHECKING:
    from holdfast.ssh.address import Address

_PATHS: Final = ("known_hosts", "config")
_TEXTS: Final = ("host_key", "jump")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What a plan says about a host, with its secrets resolved."""

    address: Address
    sudo: bool = False
    sudo_password: str = field(default="", repr=False)
    shell: str = ""
    python: str = ""  # one to be used; else the first that is young enough


def way_of(declared: Mapping[str, Any], secrets: Secrets) -> Way:
    from holdfast.ssh.address import Address

    def secret(key: str) -> str:
        found = declared.get(key)
        return "" if found is None else secrets.value(Secret(found["secret"]))

    said = {key: declared[key] for key in _TEXTS if declared.get(key)}
    said |= {key: os.path.expanduser(declared[key]) for key in _PATHS if declared.get(key)}
    if declared.get("key"):
        said["identity"] = (os.path.expanduser(declared["key"]),)
    said["sessions_max"] = declared.get("max_sessions") or 0
    address = Address.parse(declared["ssh"], **said, password=secret("password"))
    return Way(
        address=address,
        sudo=declared.get("sudo", False),
        sudo_password=secret("sudo_password"),
        shell=declared.get("shell") or "",
    )
