"""One API call under way: who asks for what, and the only way an action reads and writes the configuration."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from holdfast.testing.opnsense.profile import Profile
from holdfast.testing.opnsense.store import Author, Config, Store
from holdfast.testing.opnsense.users import User
from holdfast.testing.opnsense.wire import Request, Response, escaped
from holdfast.testing.opnsense.world import World


class Interrupted(Exception):
    """The call ends here with this answer, whatever the action was about to do."""

    def __init__(self, response: Response) -> None:
        self.response = response


class Refused(Exception):
    """A deliberate refusal: answered with 500 and a title."""


@dataclass
class Call:
    request: Request
    user: User
    params: tuple[str, ...]
    body: Mapping[str, Any]
    store: Store
    profile: Profile
    phase: Callable[[str], None]
    race_delay_s: float = 0.0
    saves: bool = True
    stale: bool = False
    twice: bool = False
    backend: str = ""
    complaints: dict[str, str] = field(default_factory=dict)

    @property
    def is_post(self) -> bool:
        return self.request.method == "POST"

    @property
    def first(self) -> str:
        return self.params[0] if self.params else ""

    @property
    def second(self) -> str:
        return self.params[1] if len(self.params) > 1 else ""

    @property
    def asked(self) -> Mapping[str, Any]:
        """What a search asks for, in the query or in the body."""
        return {**dict(parse_qsl(self.request.uri.partition("?")[2], keep_blank_values=True)), **self.body}

    def chosen(self, name: str) -> set[str]:
        """The values that a search is narrowed to; empty when it is not."""
        values = self.asked.get(name) or []
        return {str(value) for value in values} if isinstance(values, list) else {str(values)}

    @property
    def config(self) -> Config:
        return self.store.previous if self.stale else self.store.config

    @property
    def world(self) -> World:
        return self.seeing(self.config)

    def seeing(self, config: Config) -> World:
        return World(config, self.profile)

    @contextmanager
    def writing(self, *, locked: bool = True, early: Sequence[str] = ()) -> Iterator[World]:
        """What a writer sees: read again under the lock, but for what it read too early, or all of it without a lock."""
        before = self.store.config
        if not locked or early:
            time.sleep(self.race_delay_s)
        with self.store.lock if locked else nullcontext():
            self.phase("after_lock")
            fresh = {**self.store.config, **{path: before[path] for path in early if path in before}}
            yield self.seeing(fresh if locked else before)

    def save(self, config: Config) -> None:
        if self.user.read_only:
            raise Refused("this user may not change the configuration")
        if self.saves:
            uri = self.request.uri
            self.store.save(config, Author(self.user.name, self.request.peer, self.user.key, uri))
        self.phase("after_save")


def refusal(reason: str) -> Response:
    return Response.json({"errorMessage": escaped(reason), "errorTitle": "Refused"}, 500)


def failure(reason: str, status: int = 500) -> Response:
    return Response.json({"errorMessage": escaped(reason)}, status)
