"""Faults as data: which request, at which moment, what happens. And the named ones, each a row.

A rule counts the requests it matches; it works from the `nth` on, `times` times, for ever where that is 0.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from holdfast.testing.opnsense.wire import Request

PHASES: Final = ("before_auth", "before_action", "after_lock", "after_save", "before_response", "mid_response")
WRITES: Final = r"^/api/\w+/\w+/(add|set|del|toggle|move)"
DEEDS: Final = r"^/api/\w+/\w+/(add|set|del|toggle|move|apply|reconfigure)"
ACTIVATIONS: Final = r"^/api/\w+/\w+/(apply|reconfigure)"
_BETWEEN: Final = {"nth": 2}


@dataclass(frozen=True, slots=True)
class Match:
    method: str = "POST"
    path: str = ""  # a regular expression over path and query
    nth: int = 1
    times: int = 1
    header: Mapping[str, str] = field(default_factory=dict)
    body_contains: str = ""
    reused: bool = False  # only a request that is not the first of its connection

    def covers(self, request: Request) -> bool:
        return (
            self.method in ("", request.method)
            and bool(re.search(self.path, request.uri))
            and all(request.headers.get(name.lower()) == value for name, value in self.header.items())
            and self.body_contains.encode() in request.body
            and (not self.reused or request.served > 1)
        )


@dataclass(frozen=True, slots=True)
class Rule:
    match: Match
    phase: str
    do: tuple[Mapping[str, Any], ...]
    name: str = ""

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Rule:
        """A rule as it comes through the control port."""
        phase = str(written.get("phase", "before_action"))
        if phase not in PHASES:
            raise ValueError(f"no phase {phase!r}: known are {', '.join(PHASES)}")
        match = {name: value for name, value in written.get("match", {}).items() if value is not None}
        return cls(Match(**match), phase, tuple(written.get("do", ())), str(written.get("name", "")))


class Faults:
    """The rules that are armed, and how often each has matched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.armed: list[Rule] = []
        self._seen: list[int] = []

    def put(self, rules: Sequence[Rule]) -> None:
        with self._lock:
            self.armed, self._seen = list(rules), [0] * len(rules)

    def add(self, rule: Rule) -> None:
        with self._lock:
            self.armed.append(rule)
            self._seen.append(0)

    def meant(self, request: Request) -> list[Rule]:
        """The rules that work on this request; asked once for each request."""
        found = []
        with self._lock:
            for index, rule in enumerate(self.armed):
                if rule.match.covers(request):
                    self._seen[index] += 1
                    late = self._seen[index] - rule.match.nth
                    if late >= 0 and (rule.match.times == 0 or late < rule.match.times):
                        found.append(rule)
        return found


def named(name: str, *, do: Mapping[str, Any] | None = None, **match: Any) -> Rule:
    """A named fault, at another request or with other values than its own."""
    if name not in SCENARIOS:
        raise ValueError(f"no fault {name!r}: known are {', '.join(SCENARIOS)}")
    rule = SCENARIOS[name]
    given = tuple({**effect, **(do or {})} for effect in rule.do)
    return replace(rule, match=replace(rule.match, **match), do=given, name=name)


def _rule(path: str, phase: str, effect: Mapping[str, Any], **match: Any) -> Rule:
    return Rule(Match(path=path, **match), phase, (effect,))


SCENARIOS: Final[Mapping[str, Rule]] = {
    "http_500_before_write": _rule(DEEDS, "before_action", {"status": 500, "body": "json-generic"}),
    "http_500_after_write": _rule(DEEDS, "after_save", {"status": 500, "body": "json-generic"}),
    "timeout_before_write": _rule(DEEDS, "before_action", {"hang": True}),
    "timeout_after_write": _rule(DEEDS, "after_save", {"hang": True}),
    "reset_before_request_read": _rule(DEEDS, "before_auth", {"reset": "rst"}),
    "reset_after_write": _rule(DEEDS, "after_save", {"reset": "rst"}),
    "truncated_success_body": _rule(DEEDS, "before_response", {"truncate": 9}),
    "html_502": _rule(DEEDS, "before_action", {"status": 502, "body": "html"}),
    "html_200": _rule(DEEDS, "before_response", {"status": 200, "body": "html"}),
    "slow_response": _rule(DEEDS, "before_response", {"drip": {"bytes": 64, "every": 0.02}}),
    "slow_lock": _rule(WRITES, "after_lock", {"delay": 0.5}),
    "validation_failure": _rule(WRITES, "before_action", {"validations": {"description": "refused by the fault"}}),
    "in_use_refusal": _rule(r"/del", "before_action", {"status": 500, "body": "json-usererror"}),
    "ok_without_writing": _rule(WRITES, "before_action", {"save": False}),
    "ok_without_activating": _rule(ACTIVATIONS, "before_action", {"lies": 1}),
    "auth_401_midway": _rule(DEEDS, "before_auth", {"revoke": True}, **_BETWEEN),
    "forbidden_403_on_undo": _rule(r"/del", "before_auth", {"status": 403, "body": "forbidden"}, times=0),
    "read_only_user": _rule("", "before_auth", {"read_only": True}, method=""),
    "configd_down": _rule(ACTIVATIONS, "before_action", {"backend": "down"}),
    "configd_timeout": _rule(ACTIVATIONS, "before_action", {"backend": "timeout"}),
    "pf_load_fails": _rule(r"/(apply|alias/reconfigure)", "before_action", {"pf_failures": 1}),
    "haproxy_invalid": _rule(r"/haproxy/service/reconfigure", "before_action", {"haproxy_failures": 1}),
    "service_flaps": _rule(r"/service/reconfigure", "before_action", {"flap": True}),
    "foreign_write_between": _rule(DEEDS, "before_action", {"foreign": {"do": "set"}}, **_BETWEEN),
    "foreign_delete_of_ours": _rule(DEEDS, "before_action", {"foreign": {"do": "del"}}, **_BETWEEN),
    "foreign_apply_of_half_state": _rule(DEEDS, "before_action", {"foreign": {"do": "apply"}}, **_BETWEEN),
    "reboot_mid_commit": _rule(DEEDS, "before_action", {"reboot": True}, **_BETWEEN),
    "history_pruned": _rule(DEEDS, "before_action", {"keep_revisions": 1}, **_BETWEEN),
    "version_upgrade_between_plan_and_apply": _rule(DEEDS, "before_auth", {"profile": "26.7"}),
    "keepalive_race": _rule("", "before_auth", {"reset": "rst"}, reused=True, times=0),
    "duplicate_delivery": _rule(DEEDS, "before_action", {"duplicate": True}),
}
