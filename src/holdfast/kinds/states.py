"""States as they come out of a journal, and how closely to look to compare with one."""

from __future__ import annotations

from typing import Any

from holdfast.core.change import Depth, Effect, State
from holdfast.kinds.document import Document, Reported
from holdfast.kinds.node import Node
from holdfast.kinds.opnsense.item import OBJECT, Item


def parse_state(plain: Any) -> State:
    """The state that `plain()` wrote down; a state that never left the process passes through."""
    if plain is None or (isinstance(plain, dict) and "type" in plain):
        return Node.parse(plain)
    if isinstance(plain, dict) and "done" in plain:
        return Reported(**plain) if "version" in plain else Effect(plain["done"])
    if isinstance(plain, dict) and "document" in plain:
        return Document.parse(plain)
    if isinstance(plain, dict) and OBJECT in plain:
        return Item.parse(plain)
    state: State = plain
    return state


def is_recorded(state: State) -> bool:
    """Can a resource be compared with this state later, and brought back to it?"""
    return isinstance(state, (Node, Item))


def depth_of(state: State) -> Depth:
    """The depth at which a look tells whether a resource is in this state."""
    if not isinstance(state, Node):
        return Depth.NODE
    if state.entries is not None:
        return Depth.TREE
    return Depth.CONTENT if state.digest is not None or state.xattrs is not None else Depth.NODE
