"""The reader of inventories: the `targets` of a plan, a YAML inventory as Ansible reads it, or `ansible-inventory --list`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from holdfast.app.hosts import Host, Inventory
from holdfast.core.errors import PlanError, Problem, Refused
from holdfast.drivers.remote.way import way_of
from holdfast.drivers.secrets import Secrets
from holdfast.planfile.source import Source
from holdfast.planfile.targets import Ssh
from holdfast.ssh.address import Address
from holdfast.ssh.values import Sudo

# What Ansible calls it -> what an address calls it.
_ANSIBLE: Final = {
    "ansible_host": "host",
    "ansible_ssh_host": "host",
    "ansible_user": "user",
    "ansible_ssh_user": "user",
    "ansible_port": "port",
    "ansible_ssh_port": "port",
    "ansible_ssh_private_key_file": "key",
    "ansible_private_key_file": "key",
    "ansible_become": "sudo",
    "ansible_become_user": "sudo_user",
}


def read(path: str) -> Inventory:
    """Raises PlanError with every problem, Refused when nothing in it is a host."""
    source, secrets = Source.of_file(path), Secrets()
    if source.problems:
        raise PlanError(source.problems)
    document = source.value
    if not isinstance(document, dict):
        raise PlanError([Problem(code="invalid_value", message=f"{path} is not an inventory", where=path)])
    if isinstance(document.get("targets"), dict):
        hosts = {name: host for name, said in document["targets"].items() if (host := _of_target(name, said, secrets))}
        found = Inventory(hosts=hosts)
    elif isinstance(document.get("_meta"), dict):
        found = _of_listing(document)
    else:
        found = _of_groups(document)
    if not found.hosts:
        raise Refused(f"there is no host in {path}", code="not_found", hint="it may hold `targets`, or groups with `hosts`")
    return found


# -- targets of a plan


def _of_target(name: str, said: Any, secrets: Secrets) -> Host | None:
    if not isinstance(said, dict) or "ssh" not in said:
        return None
    try:
        msgspec.convert(said, Ssh)
    except msgspec.ValidationError as error:
        raise PlanError([Problem(code="invalid_value", message=f"the target `{name}`: {error}")]) from error
    way = way_of(said, secrets)
    sudo = Sudo(password=way.sudo_password) if way.sudo else None
    return Host(address=replace(way.address, name=name), sudo=sudo)


# -- Ansible


def _of_listing(document: Mapping[str, Any]) -> Inventory:
    """`ansible-inventory --list`: groups with their hosts, and the variables of all hosts in one place."""
    variables = document["_meta"].get("hostvars") or {}
    groups = {name: said for name, said in document.items() if name != "_meta" and isinstance(said, dict)}
    names = dict.fromkeys([*variables, *(host for said in groups.values() for host in said.get("hosts") or ())])
    members = {name: _members(name, groups, ()) for name in groups}
    return Inventory(hosts={name: _of_variables(name, variables.get(name) or {}) for name in names}, groups=members)


def _members(name: str, groups: Mapping[str, Any], above: tuple[str, ...]) -> list[str]:
    said = groups.get(name) or {}
    inner = [child for child in said.get("children") or () if child not in above]
    found = [*(said.get("hosts") or ()), *(host for child in inner for host in _members(child, groups, (*above, name)))]
    return list(dict.fromkeys(found))


def _of_groups(document: Mapping[str, Any]) -> Inventory:
    """A YAML inventory: groups in groups, each with hosts and variables. `hosts` at the top is one group alone."""
    hosts: dict[str, dict[str, Any]] = {}
    groups: dict[str, list[str]] = {}
    top = {"all": document} if "hosts" in document else document
    for name, said in top.items():
        _enter(name, said if isinstance(said, dict) else {}, {}, hosts, groups)
    return Inventory(hosts={name: _of_variables(name, said) for name, said in hosts.items()}, groups=groups)


def _enter(
    name: str, said: Mapping[str, Any], above: Mapping[str, Any], hosts: dict[str, dict[str, Any]], groups: dict[str, list[str]]
) -> list[str]:
    variables = {**above, **(said.get("vars") or {})}
    listed = said.get("hosts") or {}
    own = listed if isinstance(listed, dict) else dict.fromkeys(listed)
    for host, more in own.items():
        hosts[host] = {**hosts.get(host, {}), **variables, **(more or {})}
    inner = [
        member
        for child, more in (said.get("children") or {}).items()
        for member in _enter(child, more or {}, variables, hosts, groups)
    ]
    groups[name] = list(dict.fromkeys([*groups.get(name, ()), *own, *inner]))
    return groups[name]


def _of_variables(name: str, said: Mapping[str, Any]) -> Host:
    found = {word: said[key] for key, word in _ANSIBLE.items() if key in said}
    given: dict[str, Any] = {"user": str(found.get("user", "")), "port": int(found.get("port", 0))}
    if "key" in found:
        given["identity"] = (os.path.expanduser(str(found["key"])),)
    sudo = Sudo(user=str(found.get("sudo_user", "root"))) if found.get("sudo") else None
    return Host(address=Address(host=str(found.get("host", name)), name=name, **given), sudo=sudo)
