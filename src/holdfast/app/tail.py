"""The end of the journal, followed once for everybody: what any process wrote since, as public events, ready to be sent.

Each event is encoded once, however many listen. Runs are folded on the way, because metrics and progress are folds of
runs; a run is forgotten when it is over. Who listens, and how, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from holdfast.app.runs import Names, documents_of
from holdfast.core.events import Event, Outline
from holdfast.core.run import SETTLED, Run, evolve
from holdfast.core.times import iso
from holdfast.journal.contract import Journal, Record

PROGRESS_S: Final = 1.0  # a run tells how far it has come this often at most
OVER_MAX: Final = 20  # runs that are over and still remembered
BATCH: Final = 256  # records that are read before what was found is handed on

LOCKS: Final = frozenset({"lock.acquired", "lock.released", "lock.reclaimed"})

Watch = Callable[[Run, Sequence[Event], float], None]  # and when it was written


class Told(NamedTuple):
    """One public event as it is sent. Without a number it is not in the journal: only who listens now hears of it."""

    seq: int | None
    run: str | None
    type: str
    document: bytes
    tenants: tuple[str | None, ...]
    last: bool  # the run is over, and nothing more will be said of it


class Tail:
    """One reader of one journal. Calls block; they come from one thread."""

    def __init__(self, journal: Journal, watch: Watch, *, since: int | None = None) -> None:
        self._journal = journal
        self._watch = watch
        self._version = -1
        self._lives: dict[str, _Life] = {}
        self._over: dict[str, None] = {}
        self._encode = msgspec.json.Encoder().encode
        self.seq = journal.last_seq() if since is None else since

    def news(self) -> Iterator[list[Told]]:
        """What was written since the last call; nothing when nothing was, which costs next to nothing."""
        version = self._journal.changed()
        if version == self._version:
            return
        self._version = version
        batch: list[Told] = []
        for number, record in enumerate(self._journal.records(after=self.seq)):
            batch += self._tell(record)
            self.seq = record.seq + record.count - 1
            if number % BATCH == BATCH - 1:
                yield batch
                batch = []
        if batch:
            yield batch

    def _tell(self, record: Record) -> Iterator[Told]:
        life = None if record.run is None else self._life_of(record)
        if life is None:
            for document in documents_of(record, None):
                yield Told(document["seq"], None, document["type"], self._encode(document), (), False)
            return
        self._watch(life.run, record.events, record.at)
        last = record.seq + record.count - 1 if life.silent else None
        for document in documents_of(record, life.names):
            seq = document["seq"]
            yield Told(seq, record.run, document["type"], self._encode(document), life.tenants, seq == last)
        if life.run.over:
            self._forget(life.run.id)
        elif record.at >= life.told_at + PROGRESS_S and any(event.steps for event in record.events):
            life.told_at = record.at
            yield self._progress(life, record.at)

    def _life_of(self, record: Record) -> _Life | None:
        """The run of a record, folded up to its end; None where the journal no longer knows how the run began."""
        assert record.run is not None
        life = self._lives.get(record.run)
        if life is not None:
            life.take(record.events)
            return life
        first = record if record.events[0].type == "run.created" else next(self._journal.records(record.run, limit=1), None)
        outline = first.events[0].data.get("outline") if first and first.events[0].type == "run.created" else None
        if outline is None:
            return None
        self._lives[record.run] = life = _Life(Run.told(record.run, outline))
        for earlier in [record] if first is record else self._journal.records(record.run):
            if earlier.seq > record.seq:
                break
            life.take(earlier.events)
        return life

    def _forget(self, run: str) -> None:
        """Not at once: its locks are released after its last event."""
        self._over[run] = None
        while len(self._over) > OVER_MAX:
            oldest = next(iter(self._over))
            del self._over[oldest]
            if self._lives[oldest].run.over:
                del self._lives[oldest]

    def _progress(self, life: _Life, at: float) -> Told:
        run = life.run
        done, total = sum(1 for state in run.steps if state in SETTLED), len(run.steps)
        data = {"done": done, "total": total, "percent": round(100 * done / total, 1) if total else 100.0}
        document = {"seq": None, "at": iso(at), "type": "run.progress", "run": run.id, "plan_seq": None, "data": data}
        return Told(None, run.id, "run.progress", self._encode(document), life.tenants, False)


class _Life:
    """A run that is followed."""

    __slots__ = ("locked", "names", "run", "settled", "tenants", "told_at")

    def __init__(self, run: Run) -> None:
        self.run = run
        self.names = Names(run.outline)
        self.tenants = tenants_of(run.outline)
        self.told_at = 0.0
        self.locked = False
        self.settled = False

    def take(self, events: Sequence[Event]) -> None:
        for event in events:
            evolve(self.run, event)
            if event.type in LOCKS:
                self.locked = event.type == "lock.acquired"
            self.settled = self.settled or event.type == "run.settled"

    @property
    def silent(self) -> bool:
        """Is this the end? A run that is over gives its locks back, and one that went back lets go of what it kept."""
        return self.run.over and not self.locked and (self.settled or self.run.ending != "rolled_back")


def tenants_of(outline: Outline) -> tuple[str | None, ...]:
    """Whose tasks a run is made of; None for a task that is nobody's."""
    return tuple(dict.fromkeys(task.key for task in outline.tasks))
