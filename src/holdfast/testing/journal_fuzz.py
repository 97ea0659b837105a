"""Random damage to journals: nothing damaged may be read as if it were sound, and nothing may crash.

    python -m holdfast.testing.journal_fuzz --records 1000000 --pages 3000 --seed 1

Records are damaged in memory, where a trial takes microseconds; pages in the files of a real journal. A trial counts as
`told` when reading says that the journal is damaged, as `harmless` when it gives what was written, else as a misread.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from holdfast.core.errors import WorldError
from holdfast.core.events import Event
from holdfast.journal.chain import ORIGIN, Chain, Link, corrupt, follow
from holdfast.journal.contract import Record
from holdfast.journal.database import Writer
from holdfast.journal.place import ANCHOR, DATABASE, KEY
from holdfast.journal.records import encode, encode_events
from holdfast.journal.sqlite import SqliteJournal
from holdfast.testing.journal_suite.builders import created, fill, plain

Damage = Callable[[random.Random, bytes], bytes]
WINDOW: Final = 4  # consecutive records that one trial damages and reads
POOL: Final = 256


@dataclass
class Tally:
    trials: int = 0
    told: int = 0
    harmless: int = 0
    misread: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.misread and not self.crashed

    def __str__(self) -> str:
        rest = f"{len(self.misread)} silent misreads, {len(self.crashed)} crashes"
        return f"{self.trials} corruptions: {self.told} told, {self.harmless} harmless, {rest}"


# -- damage to bytes


def flip(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def truncate(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def zero(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    length = min(len(data) - at, chance.choice((1, 8, 64, 512, 4096)))
    return data[:at] + bytes(length) + data[at + length :]


def swap(chance: random.Random, data: bytes) -> bytes:
    length = min(len(data) // 2, chance.choice((1, 8, 64, 512, 4096)))
    one, other = sorted((chance.randrange(len(data) - length + 1), chance.randrange(len(data) - length + 1)))
    if other < one + length:
        return flip(chance, data)
    first, second = data[one : one + length], data[other : other + length]
    return data[:one] + second + data[one + length : other] + first + data[other + length :]


def splice(chance: random.Random, data: bytes) -> bytes:
    length = min(len(data), chance.choice((1, 8, 64, 512, 4096)))
    source, at = chance.randrange(len(data) - length + 1), chance.randrange(len(data) - length + 1)
    return data[:at] + data[source : source + length] + data[at + length :]


BYTES: Final[Sequence[Damage]] = (flip, truncate, zero, swap, splice)


# -- records


def pool(chain: Chain) -> list[Link]:
    """Consecutive records of several runs, of all shapes."""
    links: list[Link] = []
    mac, seq, numbers = ORIGIN, 1, dict.fromkeys(("A", "B", "C"), 1)
    for position in range(POOL):
        run = ("A", "B", "C", None)[position % 4]
        events = _events(position)
        total = sum(event.count for event in events)
        record = Record(
            seq, total, run, numbers[run] if run else 0, {0: position} if position % 3 else {}, position / 7, events
        )
        body = encode(record, encode_events(events))
        links.append(Link(seq, seq + total - 1, run, mac, body, chain.mac(mac, seq, body)))
        mac, seq = links[-1].mac, seq + total
        if run:
            numbers[run] += total
    return links


def _events(position: int) -> tuple[Event, ...]:
    size = position % 17 + 1
    steps = Event("step.applied", {"duration_s[]": [0.25] * size}, task=0, stage=0, steps=range(position, position + size))
    return (steps,) if position % 4 else (created(sizes=(size,)), steps)


def _with(link: Link, name: str, value: Any) -> Link:
    return link._replace(**{name: value})


def damage_links(chance: random.Random, links: list[Link]) -> list[Link]:
    """One change to a few consecutive records: to a field, or to their order."""
    at, other = chance.randrange(len(links)), chance.randrange(len(links))
    link = links[at]
    match chance.randrange(10):
        case 0:
            links[at], links[other] = links[other], links[at]
        case 1:
            del links[at]
        case 2:
            links.insert(other, link)
        case 3:
            links[at] = link._replace(body=links[other].body)
        case 4:
            links[at] = links[other]._replace(seq=link.seq, last=link.last)
        case 5:
            links[at] = _with(
                link, chance.choice(("seq", "last")), chance.choice((link.seq ^ 1 << chance.randrange(40), -1, None))
            )
        case 6:
            links[at] = _with(link, chance.choice(("prev", "mac")), chance.choice((links[other].mac, None, "", ORIGIN)))
        case 7:
            links[at] = _with(link, chance.choice(("prev", "mac")), chance.choice(BYTES)(chance, link.mac))
        case _:
            links[at] = link._replace(body=chance.choice(BYTES)(chance, link.body))
    return links


def read_links(chain: Chain, links: list[Link], before: tuple[int, bytes], after: tuple[int, bytes]) -> list[Record]:
    """As a journal reads: each record proved, and the end where the tip says."""
    reached, records = before, []
    for record, link in follow(chain, links, {}, *before):
        records.append(record)
        reached = (link.last, link.mac)
    if reached != after:
        raise corrupt("records at the end are missing")
    return records


def fuzz_records(trials: int, seed: int = 1) -> Tally:
    chance, chain, tally = random.Random(seed), Chain(b"fuzz" * 8), Tally()
    links = pool(chain)
    sound = [record for record, _ in follow(chain, links, {}, 0, ORIGIN)]
    for number in range(trials):
        start = chance.randrange(POOL - WINDOW)
        before = (links[start - 1].last, links[start - 1].mac) if start else (0, ORIGIN)
        after = (links[start + WINDOW - 1].last, links[start + WINDOW - 1].mac)
        damaged = damage_links(chance, links[start : start + WINDOW])
        _judge(
            tally,
            f"trial {number} of seed {seed}",
            lambda damaged=damaged, before=before, after=after: read_links(chain, damaged, before, after),  # type: ignore[misc]
            sound[start : start + WINDOW],
        )
        tally.trials += 1
    return tally


def _judge(tally: Tally, name: str, read: Callable[[], Any], expected: Any) -> bool:
    """True when the damage was told."""
    try:
        found = read()
    except WorldError as error:
        if error.code != "corrupt_journal":
            tally.crashed.append(f"{name}: {error.code}: {error}")
        tally.told += 1
        return True
    except Exception as error:  # that nothing but a word about damage comes out is what is tried here
        tally.crashed.append(f"{name}: {type(error).__name__}: {error}")
        return False
    if found == expected:
        tally.harmless += 1
    else:
        tally.misread.append(name)
    return False


# -- pages


def readings(journal: SqliteJournal, runs: Sequence[str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Everything that can be asked of a journal, one by one."""
    yield "records", lambda: plain(journal.records())
    yield "runs", lambda: journal.runs(limit=1000)
    yield "open runs", lambda: journal.runs(open_only=True)
    yield "committed runs", lambda: journal.runs(ending="committed")
    yield "runs of a plan", lambda: journal.runs(plan="web")
    yield "executions", lambda: journal.executions(limit=1000)
    yield "in flight", journal.in_flight
    yield "cleanups", journal.cleanups
    yield "stats", journal.stats
    yield "endings", journal.endings
    yield "locks", journal.locks
    yield "plan", lambda: journal.plan("sha256:web")
    yield "document", lambda: journal.get("checkpoints", "before")
    yield "names", lambda: journal.names("checkpoints")
    yield "last", journal.last_seq
    for run in runs:
        yield f"records of {run}", lambda run=run: plain(journal.records(run))  # type: ignore[misc]
        yield f"run {run}", lambda run=run: journal.run(run)  # type: ignore[misc]
        yield f"runs like {run}", lambda run=run: journal.find_runs(run)  # type: ignore[misc]


def _prepared(directory: str) -> tuple[dict[str, bytes], dict[str, Any], list[str]]:
    """A journal with a bit of everything, partly in its log; its files, and what it answers."""
    journal = SqliteJournal.open(directory)
    fill(journal)
    journal.compact(keep_runs=4, at=50.0)
    fill(journal, prefix="more-")
    journal.lock("more-R7", "me", ["local:/srv"], at=60.0)
    runs = [row.id for row in journal.runs(limit=1000)]
    expected = {name: read() for name, read in readings(journal, runs)}
    while not os.path.getsize(os.path.join(directory, f"{DATABASE}-wal")) or not journal.get("end", "anchored"):
        journal.put("end", "anchored", b"everything before is durable, and the anchor knows")
    journal.close()
    files = {}
    for name in (DATABASE, f"{DATABASE}-wal", KEY, ANCHOR):
        with open(os.path.join(directory, name), "rb") as file:
            files[name] = file.read()
    return files, expected, runs


def _folded(directory: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """The same journal without a log."""
    _write(directory, files)
    writer = Writer(os.path.join(directory, DATABASE), 1.0)
    writer.fold_log(0)
    writer.close()
    with open(os.path.join(directory, DATABASE), "rb") as file:
        return {DATABASE: file.read(), KEY: files[KEY], ANCHOR: files[ANCHOR]}


def _write(directory: str, files: dict[str, bytes]) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    os.mkdir(directory, 0o700)
    for name, content in files.items():
        fd = os.open(os.path.join(directory, name), os.O_WRONLY | os.O_CREAT, 0o600)
        with open(fd, "wb") as file:
            file.write(content)


def fuzz_pages(trials: int, seed: int = 1) -> Tally:
    chance, tally = random.Random(seed), Tally()
    with tempfile.TemporaryDirectory() as base:
        directory = os.path.join(base, "state")
        logged, expected, runs = _prepared(directory)
        folded = _folded(directory, logged)
        for number in range(trials):
            files = dict(chance.choice((logged, folded)))
            name = chance.choice([*files, *[victim for victim in files if victim.startswith(DATABASE)] * 8])
            files[name] = chance.choice(BYTES)(chance, files[name])
            _write(directory, files)
            _try_pages(tally, directory, expected, runs, f"trial {number} of seed {seed} ({name})")
            tally.trials += 1
    return tally


def _try_pages(tally: Tally, directory: str, expected: dict[str, Any], runs: Sequence[str], name: str) -> None:
    one = Tally()
    try:
        journal = SqliteJournal.open(directory, read_only=True)
    except Exception as error:
        tally.crashed.append(f"{name}: {type(error).__name__}: {error}")
        return
    for part, read in readings(journal, runs):
        _judge(one, f"{name}, {part}", read, expected[part])
    journal.close()
    tally.told += one.told > 0 or journal.damage is not None
    tally.harmless += one.ok and not one.told and journal.damage is None
    tally.misread += one.misread if journal.damage is None else []  # what says that it is damaged does not misread silently
    tally.crashed += one.crashed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Damage journals at random; nothing damaged may be read as if it were sound.")
    parser.add_argument("--records", type=int, default=100_000, help="corruptions of records")
    parser.add_argument("--pages", type=int, default=300, help="corruptions of files")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    tallies = {"records": fuzz_records(chosen.records, chosen.seed), "pages": fuzz_pages(chosen.pages, chosen.seed)}
    for name, tally in tallies.items():
        sys.stdout.write(f"{name}: {tally}\n")
        for line in (*tally.misread, *tally.crashed):
            sys.stdout.write(f"  {line}\n")
    return 0 if all(tally.ok for tally in tallies.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
