"""Is this installation fit to be served? What `holdfast doctor` asks of tokens, triggers and limits. Nothing is changed."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Final

from holdfast.app.check import Check
from holdfast.app.home import Home
from holdfast.core.errors import HoldfastError, PlanError

FILES_MIN: Final = 2048  # descriptors: a thousand streams, and the runs
PARTS: Final = ("starlette", "uvicorn", "opentelemetry.exporter.prometheus")


def server(home: Home, environment: Mapping[str, str]) -> Iterator[Check]:
    missing = [part for part in PARTS if not installed(part)]
    if missing:
        yield Check("server", True, f"cannot be started: {', '.join(missing)} not installed")
        return
    yield _owner(home)
    yield _tokens(home)
    yield _files()
    yield from _triggers(environment)


def installed(name: str) -> bool:
    """Asked of a package within one that may be missing itself."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _owner(home: Home) -> Check:
    hint = f"remove it, and `holdfast serve` makes a new one: rm {home.api_token}"
    try:
        mode = os.stat(home.api_token).st_mode & 0o777
    except FileNotFoundError:
        return Check("server token", True, "made when the server is first started")
    return Check("server token", not mode & 0o077, f"{home.api_token}, mode {mode:04o}", hint)


def _tokens(home: Home) -> Check:
    from holdfast.app.serving.tokens import Tokens
    from holdfast.runtime.clock import SystemClock

    try:
        found = Tokens(home, SystemClock()).all()
    except HoldfastError as error:
        return Check("server tokens", False, error.message, error.hint)
    now = time.time()
    expired = [token.id for token in found if token.expires_at is not None and token.expires_at <= now]
    said = f"{len(found)} besides the owner's, {len(expired)} of them expired"
    return Check("server tokens", True, said)


def _files() -> Check:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    said = "no limit" if limit == resource.RLIM_INFINITY else f"{limit} at once"
    hint = f"for many listeners raise it: ulimit -n {FILES_MIN}, or LimitNOFILE= of the unit"
    enough = limit == resource.RLIM_INFINITY or limit >= 1024
    return Check("open files", enough, said, hint)


def _triggers(environment: Mapping[str, str]) -> Iterator[Check]:
    from holdfast.app.triggering.triggers import default_file
    from holdfast.triggers import file

    path = default_file(environment)
    if not os.path.exists(path):
        return
    try:
        found = file.load(path, home=environment.get("HOME"))
    except PlanError as error:
        yield Check("triggers", False, f"{path}: {error.problems[0].message}", error.problems[0].hint)
    else:
        yield Check("triggers", True, f"{path}: {len(found.actions)} actions, {len(found.triggers)} triggers")
