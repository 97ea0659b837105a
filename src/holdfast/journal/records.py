"""A record as bytes: one line of JSON, numbered and dated, with the events of one append.

What repeats is not written per step: steps are ranges (`"0-9999"`), kinds are runs of equal words, absent values are
left out. Events are encoded by msgspec, which whoever applies a plan has loaded anyway. All else is done by msgspec where
it is loaded, nine times as fast, and else by the standard library: `show` and `runs` must start quickly (5 ms against
24 ms). Both write and read the same format.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Any, Final

from holdfast.core.errors import Bug
from holdfast.core.events import EVENTS, NOTHING, PUBLISHED_ONLY, Event, Outline, StageOutline, TaskOutline
from holdfast.journal.contract import Record

Encode = Callable[[object], bytes]
_parse_slowly: Final = json.JSONDecoder().decode
_compact: Final = json.JSONEncoder(separators=(",", ":")).encode


def check(events: Iterable[Event]) -> tuple[Event, ...]:
    """The events as they may be journaled; those that stand for no step at all say nothing and are left out."""
    kept = tuple(event for event in events if event.count)
    for event in kept:
        if event.type not in EVENTS or event.type in PUBLISHED_ONLY:
            raise Bug(f"`{event.type}` is not an event that a journal keeps")
        for name, values in event.data.items():
            if name.endswith("[]") and len(values) != event.count:
                raise Bug(f"`{event.type}` has {len(values)} values of `{name}` for {event.count} steps")
    return kept


# -- encoding


def encode_events(events: Sequence[Event]) -> bytes:
    """The expensive part of a record. It holds no number, so it is made before the journal is locked."""
    return _encode([_event_out(event) for event in events])


def encode(record: Record, events: bytes) -> bytes:
    head: dict[str, Any] = {"at": record.at, "count": record.count}
    if record.run is not None:
        head["run"] = record.run
        head["plan_seq"] = record.plan_seq
    if record.task_seqs:
        head["tasks"] = {str(task): seq for task, seq in record.task_seqs.items()}
    return b'%s,"events":%s}' % (_compact(head)[:-1].encode(), events)


def encode_small(value: object) -> bytes:
    """For rows and commands: small values, not worth loading a faster encoder for."""
    return _encode(value) if "msgspec" in sys.modules else _compact(value).encode()


def _encode(value: object) -> bytes:
    try:
        return _fast()(value)
    except UnicodeEncodeError:  # a path that is not UTF-8 travels as lone surrogates, which only escapes can carry
        return json.dumps(value, separators=(",", ":"), default=_plain).encode()


@lru_cache(maxsize=1)
def _fast() -> Encode:
    import msgspec

    return msgspec.json.Encoder(enc_hook=_plain).encode


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, range):
        return list(value)
    if hasattr(value, "plain"):
        return value.plain()
    raise Bug(f"a journal cannot hold a {type(value).__name__}")


def _event_out(event: Event) -> dict[str, Any]:
    out: dict[str, Any] = {"type": event.type}
    if event.task is not None:
        out["task"] = event.task
    if event.stage is not None:
        out["stage"] = event.stage
    if event.steps is not None:
        out["steps"] = pack_steps(event.steps)
    if event.data:
        out["data"] = _shaped(_PACK, event.type, event.data)
    return out


# -- decoding


def decode(seq: int, body: bytes) -> Record:
    fields = decode_small(body)
    tasks = fields.get("tasks")
    return Record(
        seq,
        fields["count"],
        fields.get("run"),
        fields.get("plan_seq", 0),
        {int(task): first for task, first in tasks.items()} if tasks else {},
        fields["at"],
        tuple([_event_in(event) for event in fields["events"]]),
    )


def decode_small(body: bytes) -> Any:
    if "msgspec" in sys.modules:
        try:
            return _quick_parser()(body)
        except ValueError:  # a lone surrogate, which it does not read
            return _parse_slowly(body.decode())
    return _parse_slowly(body.decode())


@lru_cache(maxsize=1)
def _quick_parser() -> Callable[[bytes], Any]:
    import msgspec

    return msgspec.json.Decoder().decode


def _event_in(fields: dict[str, Any]) -> Event:
    kind, steps, data = fields["type"], fields.get("steps"), fields.get("data", NOTHING)
    if kind in _UNPACK:
        data = _shaped(_UNPACK, kind, data)
    return Event(kind, data, fields.get("task"), fields.get("stage"), None if steps is None else unpack_steps(steps))


# -- steps


def pack_steps(steps: Sequence[int]) -> str | list[int]:
    """Ranges where they are shorter, plain numbers where they are not; the order is kept, columns follow it."""
    first, last = steps[0], steps[-1]
    straight = range(first, last + 1)
    if steps == straight or (len(steps) == len(straight) and tuple(steps) == tuple(straight)):
        return f"{first}-{last}"
    cuts = [at for at, (one, other) in enumerate(pairwise(steps), 1) if other - one != 1]
    if len(cuts) * 2 > len(steps):
        return list(steps)
    edges = [0, *cuts, len(steps)]
    return ",".join(f"{steps[start]}-{steps[end - 1]}" for start, end in pairwise(edges))


def unpack_steps(packed: str | list[int]) -> tuple[int, ...]:
    if not isinstance(packed, str):
        return tuple(packed)
    if "," not in packed:
        first, _, last = packed.partition("-")
        return tuple(range(int(first), int(last) + 1))
    steps: list[int] = []
    for part in packed.split(","):
        first, _, last = part.partition("-")
        steps.extend(range(int(first), int(last) + 1))
    return tuple(steps)


# -- values that have a shape of their own


def _pack_outline(outline: Outline) -> list[Any]:
    return [
        [task.name, task.target, task.key, [[stage.name, stage.ids, _pack_words(stage.kinds)] for stage in task.stages]]
        for task in outline.tasks
    ]


def _unpack_outline(packed: list[Any]) -> Outline:
    return Outline(
        tuple(
            TaskOutline(name, target, tuple(StageOutline(n, tuple(ids), _unpack_words(kinds)) for n, ids, kinds in stages), key)
            for name, target, key, stages in packed
        )
    )


def _pack_words(words: Sequence[str]) -> list[Any]:
    return [(word, len(list(same))) for word, same in groupby(words)]


def _unpack_words(packed: Iterable[Any]) -> tuple[str, ...]:
    return tuple(word for word, count in packed for _ in range(count))


def _pack_changes(rows: Iterable[Sequence[Any]]) -> list[Any]:
    """States become plain here, because their classes may hold what must never be written: contents, secrets."""
    return [[value.plain() if hasattr(value, "plain") else value for value in row] for row in rows]


Shape = Callable[[Any], Any]

_PACK: Final[Mapping[str, tuple[str, Shape]]] = {
    "run.created": ("outline", _pack_outline),
    "run.prepared": ("changes", _pack_changes),
}
_UNPACK: Final[Mapping[str, tuple[str, Shape]]] = {"run.created": ("outline", _unpack_outline)}


def _shaped(shapes: Mapping[str, tuple[str, Shape]], kind: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
    if kind not in shapes:
        return data
    name, shape = shapes[kind]
    return {**data, name: shape(data[name])} if name in data else data
