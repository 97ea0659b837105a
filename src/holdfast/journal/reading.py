"""Records out of the tables, each proved: to be what was written, and that nothing between them is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from holdfast.journal.chain import ORIGIN, Gap, Link, corrupt, follow
from holdfast.journal.contract import Record
from holdfast.journal.folds import head_of, number_of
from holdfast.journal.rows import SqliteRows

LINKS: Final = "SELECT seq, last, run, prev, body, mac FROM records "
MANY: Final = 10_000  # events from which on a faster parser saves more than loading it takes: 3 us each against 20 ms
_FROM: Final = "seq >= (SELECT ifnull(max(seq), 0) FROM records WHERE seq <= ?) AND last > ? ORDER BY seq LIMIT ?"


class Place(NamedTuple):
    """Where reading goes on: after this event; with the mac of its record, or the next number within the run."""

    after: int
    mac: bytes | None = None
    expected: int | None = None


def start(after: int) -> Place:
    return Place(0, ORIGIN, 1) if after == 0 else Place(after)


def all_records(rows: SqliteRows, place: Place, wanted: int) -> tuple[list[Record], Place]:
    links = [Link(*row) for row in rows.connection.execute(f"{LINKS} WHERE {_FROM}", (place.after + 1, place.after, wanted))]
    gaps = gaps_of(rows)
    last = _before(links, gaps, place.after)
    mac = place.mac if last == place.after else None
    records = [record for record, _ in follow(rows.chain, links, {gap.first: gap for gap in gaps}, last, mac)]
    reached = links[-1].last if links else place.after
    if len(links) < wanted and reached < rows.need("@tip", "tip")["last"]:
        raise corrupt(f"after event {reached} records are missing")
    return records, Place(reached, links[-1].mac if links else place.mac)


def walk(rows: SqliteRows, after: int) -> Iterator[Record]:
    """All records after an event, in one pass, proved to end where the journal ends."""
    tip = rows.need("@tip", "tip")
    if tip["last"] - after >= MANY:
        import msgspec  # noqa: F401  where it is loaded, records are parsed by it
    found = rows.connection.execute(LINKS + "WHERE seq > ? ORDER BY seq", (after,))
    last, mac = after, None if after else ORIGIN
    for record, link in follow(rows.chain, map(Link._make, found), {gap.first: gap for gap in gaps_of(rows)}, last, mac):
        last, mac = link.last, link.mac
        yield record
    if last != tip["last"] or (mac is not None and mac.hex() != tip["mac"]):
        raise corrupt(f"it ends with event {last}, but {tip['last']} had been recorded")


def run_records(rows: SqliteRows, run: str, place: Place, wanted: int) -> tuple[list[Record], Place]:
    """Numbers within a run have no gaps, so they prove that nothing is missing."""
    values = (run, place.after + 1, place.after, wanted)
    links = [Link(*row) for row in rows.connection.execute(f"{LINKS} WHERE run = ? AND {_FROM}", values)]
    records = [rows.chain.open(link) for link in links]
    expected = place.expected
    for record in records:
        if expected is not None and record.plan_seq != expected and not _is_compacted(rows, run):
            raise corrupt(f"event {expected} of run {run} is missing")
        expected = record.plan_seq + record.count
    if len(links) < wanted:
        _check_end(rows, run, expected)
    return records, Place(links[-1].last if links else place.after, None, expected)


def _before(links: Sequence[Link], gaps: Sequence[Gap], after: int) -> int:
    """The event that the first of these follows, when everything up to `after` was read."""
    if links and links[0].seq <= after + 1:
        return links[0].seq - 1
    return next((gap.first - 1 for gap in gaps if gap.first <= after + 1 <= gap.last), after)


def gaps_of(rows: SqliteRows) -> list[Gap]:
    return [Gap(first, last, bytes.fromhex(mac)) for first, last, mac in rows.get("@gaps", "all") or ()]


def _check_end(rows: SqliteRows, run: str, following: int | None) -> None:
    if following is not None and not _is_compacted(rows, run) and head_of(rows, run)["plan_seq"] != following - 1:
        raise corrupt(f"events at the end of run {run} are missing")


def _is_compacted(rows: SqliteRows, run: str) -> bool:
    number = number_of(rows, run)
    return number is not None and bool(rows.need("run", number).get("compacted"))
