"""A list as comma-separated lines, one per item: taken down whole, taken up line by line.

What is taken up is saved as far as it is valid, and the rest is passed over: no transaction can be built on it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, Final

from holdfast.testing.opnsense.call import Call
from holdfast.testing.opnsense.collection import FAILED, UUID4, Answer, Collection, Handler
from holdfast.testing.opnsense.store import Config
from holdfast.testing.opnsense.wire import Response

ID: Final = "@uuid"
Line = dict[str, str]


def sheet(collection: Collection, noun: str, *keys: str) -> dict[str, tuple[Handler, int]]:
    """The two actions of a list; `keys` are the columns by which a line without an id finds its item."""
    return {
        f"download_{noun}": (lambda call: _taken_down(collection, call), 0),
        f"upload_{noun}": (lambda call: _taken_up(collection, call, keys), 0),
    }


def _taken_down(collection: Collection, call: Call) -> Answer:
    names = list(collection.resource.stored_fields(call.profile))
    text = io.StringIO()
    lines = csv.DictWriter(text, [ID, *names], restval="", extrasaction="ignore", lineterminator="\n")
    lines.writeheader()
    lines.writerows({ID: uuid, **item} for uuid, item in call.config.get(collection.resource.path, {}).items())
    return Response(200, text.getvalue().encode(), "text/csv; charset=UTF-8")


def _taken_up(collection: Collection, call: Call, keys: tuple[str, ...]) -> Answer:
    payload = call.body.get("payload")
    if not call.is_post or not isinstance(payload, str):
        return FAILED
    uuids: list[str] = []
    refused: list[dict[str, Any]] = []
    with call.writing() as world:
        config = world.config
        for number, line in enumerate(csv.DictReader(io.StringIO(payload)), 1):
            uuid = next(_meant(collection, config, line, keys), "") or _fresh_id(collection, line)
            base = config.get(collection.resource.path, {}).get(uuid) or collection.numbered(call.seeing(config))
            item = collection.resource.taken_in(base, {name: value for name, value in line.items() if name != ID}, call.profile)
            wrong = collection.complaints(item, uuid, call.seeing(config))
            if wrong:
                refused.append({"sequence": number, "message": wrong})
            else:
                config = collection.stored(config, uuid, item)
                uuids.append(uuid)
        known = world.listing(collection.resource.path)
        call.save(config)
    updated = sum(uuid in known for uuid in uuids)
    return {"inserted": len(uuids) - updated, "updated": updated, "uuids": uuids, "validations": refused}


def _meant(collection: Collection, config: Config, line: Line, keys: tuple[str, ...]) -> Iterator[str]:
    items = config.get(collection.resource.path, {})
    if line.get(ID, "") in items:
        yield line[ID]
    if keys:
        yield from (uuid for uuid, item in items.items() if all(item.get(key) == line.get(key) for key in keys))


def _fresh_id(collection: Collection, line: Line) -> str:
    given = line.get(ID, "")
    return given if UUID4.fullmatch(given) else collection.new_uuid()
