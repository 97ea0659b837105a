"""From what a plan says about a host to the way in. Secrets become values here, when the host is first needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from holdfast.drivers.remote.host import Way
from holdfast.drivers.secrets import Secrets
from holdfast.kinds.contract import Secret

_PATHS: Final = ("known_hosts", "config")
_TEXTS: Final = ("host_key", "jump")


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
