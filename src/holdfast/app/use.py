"""What a use case is: the plan whose fleet it needs, and what it does in a session over that plan."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from holdfast.core.plan import Plan

if TYPE_CHECKING:
    from holdfast.app.apply import Session

T = TypeVar("T")

Work = Callable[["Session"], Coroutine[Any, Any, T]]
Use = tuple[Plan, Work[T]]
