"""A driver from what a plan says of an appliance."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from logging import getLogger
from typing import Any

from holdfast.drivers.http.door import Door
from holdfast.drivers.http.trust import Trust
from holdfast.drivers.opnsense.client import LIMITS, Client, Limits, Sleep
from holdfast.drivers.opnsense.driver import ApplianceDriver
from holdfast.drivers.opnsense.veil import Veil
from holdfast.drivers.secrets import Secrets
from holdfast.kinds.contract import Secret


def appliance_at(
    declared: Mapping[str, Any],
    secrets: Secrets,
    *,
    limits: Limits = LIMITS,
    sleep: Sleep = asyncio.sleep,
    door: type[Door] = Door,
) -> ApplianceDriver:
    """The key is resolved here, at the last moment; an appliance whose certificate nobody checks is complained about."""
    url, verify = declared["opnsense"], declared.get("verify", True)
    if not verify:
        getLogger("holdfast").warning("certificate_not_verified", extra={"url": url})
    key, secret = (secrets.value(Secret(declared[name]["secret"])) for name in ("key", "secret"))
    ca = declared.get("ca")
    trust = Trust(ca=ca and os.path.expanduser(ca), fingerprint=declared.get("fingerprint"), verify=verify)
    way = door(trust, auth=(key, secret))
    return ApplianceDriver(Client(url, way, Veil(secrets), profile=declared.get("profile"), sleep=sleep, limits=limits))
