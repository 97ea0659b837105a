"""The end of the journal, followed once for everybody: what any process wrote since, as public events, ready to be sent.

Each event is encoded once, however many listen, and not at all where nobody does: that costs more than all the rest.
Runs are folded on the way, because metrics and progress are folds of runs; a run is forgotten when it is over. Who
listens, and how, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec

from holdfast.app.looking.following import Alive
from holdfast.app.looking.runs import Names, documents_of, published
from holdfast.core.events import Event, Outline
from holdfast.core.evolve import evolve
from holdfast.core.run import Run
from holdfast.journal.contract import Journal, Record
from holdfast.runtime.clock import Clock
from holdfast.runtime.pulse import Pulse

OVER_MAX: Final = 20  # runs that are over and still remembered
BATCH: Final = 256  # records that are read before what was found is handed on

LOCKS: Final = frozenset({"lock.acquired", "lock.released", "lock.reclaimed"})

Tenants = tuple[str | None, ...]  # whose tasks a run is made of; None for a task that is nobody's
Watch = Callable[[Run, Sequence[Event], float], None]  # and when it was written


class Told(NamedTuple):
    """One public event as it is sent. Without a number it is not in the journal: only who listens now hears of it."""

    seq: int | None
    run: str | None
    type: str
    document: bytes
    tenants: Tenants
    last: bool  # the run is over, and nothing more will be said of it


class Heard(NamedTuple):
    """What was found at the end of the journal at once; `told` makes public events of it."""

    seq: int | None  # of its last event
    told: Callable[[], Iterator[Told]]


class Tail:
    """One reader of one journal. Calls block; they come from one thread."""

    def __init__(self, journal: Journal, watch: Watch, *, clock: Clock, alive: Alive, since: int | None = None) -> None:
        self._journal = journal
        self._watch = watch
        self._clock = clock
        self._alive = alive
        self._version = -1
        self._lives: dict[str, _Life] = {}
        self._over: dict[str, None] = {}
        self._encode = msgspec.json.Encoder().encode
        self.seq = journal.last_seq() if since is None else since

    def news(self) -> Iterator[list[Heard]]:
        """What was written since the last call, and is published now; nothing costs next to nothing."""
        version = self._journal.changed()
        if version != self._version:
            self._version = version
            yield from self._written()
        batch = [heard for life in self._lives.values() for heard in self._published(life)]
        if batch:
            yield batch

    def _written(self) -> Iterator[list[Heard]]:
        batch: list[Heard] = []
        for record in self._journal.records(after=self.seq):
            batch.append(self._hear(record))
            self.seq = record.seq + record.count - 1
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _hear(self, record: Record) -> Heard:
        life = None if record.run is None else self._life_of(record)
        last = record.seq + record.count - 1
        if life is None:
            return Heard(last, partial(self._tell, record, None, (), silent=False))
        self._watch(life.run, record.events, record.at)
        if life.run.over:
            self._forget(life.run.id)
        return Heard(last, partial(self._tell, record, life.names, life.tenants, silent=life.silent))

    def _tell(self, record: Record, names: Names | None, tenants: Tenants, *, silent: bool) -> Iterator[Told]:
        last = record.seq + record.count - 1 if silent else None
        run = None if names is None else record.run
        for document in documents_of(record, names):
            seq = document["seq"]
            yield Told(seq, run, document["type"], self._encode(document), tenants, seq == last)

    def _life_of(self, record: Record) -> _Life | None:
        """The run of a record, folded up to its end; None where the journal no longer knows how the run began."""
        assert record.run is not None
        life = self._lives.get(record.run)
        if life is not None:
            life.take(record.events, self._clock.now())
            return life
        first = record if record.events[0].type == "run.created" else next(self._journal.records(record.run, limit=1), None)
        outline = first.events[0].data.get("outline") if first and first.events[0].type == "run.created" else None
        if outline is None:
            return None
        self._lives[record.run] = life = _Life(Run.told(record.run, outline), self._clock.now())
        for earlier in [record] if first is record else self._journal.records(record.run):
            if earlier.seq > record.seq:
                break
            life.take(earlier.events, self._clock.now())
        return life

    def _forget(self, run: str) -> None:
        """Not at once: its locks are released after its last event."""
        self._over[run] = None
        while len(self._over) > OVER_MAX:
            oldest = next(iter(self._over))
            del self._over[oldest]
            if self._lives[oldest].run.over:
                del self._lives[oldest]

    def _published(self, life: _Life) -> Iterator[Heard]:
        """What nobody writes down: as long as whoever drives the run lives, its heart beats."""
        now = self._clock.now()
        due = [] if life.run.over else life.pulse.due(now)
        if not due:
            return
        row = self._journal.run(life.run.id)
        if row is None or row.owner is None or not self._alive(row.owner):
            return
        self._watch(life.run, due, now)
        for event in due:
            yield Heard(None, partial(self._publish, life, event, now))

    def _publish(self, life: _Life, event: Event, now: float) -> Iterator[Told]:
        document = self._encode(published(life.run, event, now))
        yield Told(None, life.run.id, event.type, document, life.tenants, False)


class _Life:
    """A run that is followed."""

    __slots__ = ("locked", "names", "pulse", "run", "settled", "tenants")

    def __init__(self, run: Run, now: float) -> None:
        self.run = run
        self.pulse = Pulse(run, now)
        self.names = Names(run.outline)
        self.tenants = tenants_of(run.outline)
        self.locked = False
        self.settled = False

    def take(self, events: Sequence[Event], now: float) -> None:
        for event in events:
            evolve(self.run, event)
            if event.type in LOCKS:
                self.locked = event.type == "lock.acquired"
            self.settled = self.settled or event.type == "run.settled"
        self.pulse.hear(events, now)

    @property
    def silent(self) -> bool:
        """Is this the end? A run that is over gives its locks back, and one that went back lets go of what it kept."""
        return self.run.over and not self.locked and (self.settled or self.run.ending != "rolled_back")


def tenants_of(outline: Outline) -> Tenants:
    return tuple(dict.fromkeys(task.key for task in outline.tasks))
