"""What changes want to run, for those who ask the appliance whether it does; and the patience that asking takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

from holdfast.core.change import Change
from holdfast.core.errors import Failure
from holdfast.drivers.opnsense.client import Client
from holdfast.drivers.opnsense.writing import as_item
from holdfast.kinds.opnsense.item import Item
from holdfast.kinds.opnsense.resources import type_of

Changes = Sequence[Change]
TRIES: Final = 5
PAUSE_S: Final = 0.5


def of_type(changes: Changes, type_name: str) -> Iterator[tuple[Item, Item]]:
    """The objects of one type as they were and as they are to be; of one object only the last change counts."""
    last = {change.key: change for change in changes}
    for change in last.values():
        found = type_of(change.key)
        if found is not None and found.name == type_name:
            yield as_item(change.before), as_item(change.after)


def enabled(item: Item) -> bool:
    return item.values is not None and item.values.get("enabled", "1") == "1"


def rejected(message: Any) -> Failure:
    return Failure(code="api_rejected", message=message)


async def rows_at(client: Client, path: str, name: str = "rows") -> list[dict[str, Any]] | None:
    """The list that an answer holds under this name; None where this key or this version cannot tell."""
    answer = await client.told(path)
    rows = answer.get(name) if isinstance(answer, dict) else answer
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


async def patiently(
    client: Client, look: Callable[[], Awaitable[Failure | None]], again: Callable[[], Awaitable[None]] | None = None
) -> Failure | None:
    """Look until nothing is wrong: what was activated may take its moment. Half way it can be activated once more."""
    flaw = await look()
    for attempt in range(1, TRIES):
        if flaw is None:
            return None
        if again is not None and attempt == TRIES // 2:
            await again()
        await client.sleep(PAUSE_S)
        flaw = await look()
    return flaw
