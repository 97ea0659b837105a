"""The signs and colours of actions, states, endings and guarantees: one row each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from holdfast.cli.lines import Span
from holdfast.cli.words import said

ACTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "delete": ("-", "red"),
    "move": (">", "cyan"),
    "run": ("!", "magenta"),
    "none": ("=", "dim"),
}

GUARANTEES: Final[Mapping[str, str]] = {"atomic": "dim", "reversible": "dim", "compensable": "yellow", "irreversible": "alarm"}

# Of runs, tasks, stages and steps: a word has one colour wherever it stands.
STATES: Final[Mapping[str, tuple[str, str]]] = {
    "committed": ("✓", "green"),
    "completed": ("✓", "green"),
    "applied": ("✓", "green"),
    "unchanged": ("=", "dim"),
    "rolled_back": ("↶", "yellow"),
    "undone": ("↶", "yellow"),
    "cancelled": ("↶", "yellow"),
    "refused": ("✗", "magenta"),
    "failed": ("✗", "red"),
    "partial": ("✗", "red"),
    "stuck": ("✗", "alarm"),
    "undo_failed": ("✗", "alarm"),
    "rollback_failed": ("✗", "alarm"),
    "in_doubt": ("?", "alarm"),
    "interrupted": ("?", "alarm"),
    "skipped": ("·", "dim"),
    "pending": ("·", "dim"),
}
UNDER_WAY: Final = ("…", "cyan")


def action(name: str) -> Span:
    return Span(*ACTIONS[name])


def guarantee(name: str) -> Span:
    return Span(name, GUARANTEES[name])


def mark(state: str) -> Span:
    return Span(*STATES.get(state, UNDER_WAY))


def state(name: str) -> Span:
    return Span(said(name), STATES.get(name, UNDER_WAY)[1])
