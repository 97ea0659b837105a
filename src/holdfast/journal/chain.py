"""Records are chained by a keyed digest over their raw bytes; rows of projections carry a seal of their own.

`mac = blake2b(key, mac of the record before + seq + body)`. A changed, dropped, inserted or reordered record breaks
the chain where it stands. Nothing is decoded before its digest was checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from holdfast.core.errors import WorldError
from holdfast.journal.contract import Record
from holdfast.journal.records import decode

KEY_BYTES: Final = 32
MAC_BYTES: Final = 16
SEAL_BYTES: Final = 8
ORIGIN: Final = bytes(MAC_BYTES)  # what the first record follows


class Link(NamedTuple):
    """A record as it lies in the store."""

    seq: int
    last: int  # number of its last public event
    run: str | None
    prev: bytes  # mac of the record before
    body: bytes
    mac: bytes


class Gap(NamedTuple):
    """Numbers that were compacted away, and the mac of the last record that held them."""

    first: int
    last: int
    mac: bytes


class Chain:
    __slots__ = ("_macs", "_seals")

    def __init__(self, key: bytes) -> None:
        self._macs = blake2b(key=key, digest_size=MAC_BYTES)
        self._seals = blake2b(key=key, digest_size=SEAL_BYTES, person=b"row")

    def mac(self, prev: bytes, seq: int, body: bytes) -> bytes:
        digest = self._macs.copy()
        digest.update(prev)
        digest.update(seq.to_bytes(8, "big"))
        digest.update(body)
        return digest.digest()

    def seal(self, sheet: str, key: object, body: bytes) -> bytes:
        digest = self._seals.copy()
        digest.update(f"{sheet}\0{key!r}\0".encode("utf-8", "surrogatepass"))
        digest.update(body)
        return digest.digest()

    def holds(self, link: Link) -> bool:
        """Is this what was once written under this number after that predecessor?"""
        try:
            return self.mac(link.prev, link.seq, link.body) == link.mac
        except (TypeError, OverflowError, AttributeError):  # a column that is not even of the right type
            return False

    def open(self, link: Link) -> Record:
        if not self.holds(link):
            raise corrupt(f"record {link.seq!r} is not what was written")
        record = decode(link.seq, link.body)
        if link.last != record.seq + record.count - 1 or link.run != record.run:
            raise corrupt(f"record {link.seq} is filed under a wrong run or number")
        return record


def corrupt(what: str) -> WorldError:
    return WorldError(f"the journal is damaged: {what}", code="corrupt_journal")


def follow(
    chain: Chain, links: Iterable[Link], gaps: Mapping[int, Gap], last: int, mac: bytes | None
) -> Iterator[tuple[Record, Link]]:
    """The records of consecutive links, each proved to follow the one before; `mac` is None where nothing is known."""
    for link in links:
        gap = gaps.get(last + 1)
        if gap is not None and link.seq != last + 1:
            last, mac = gap.last, gap.mac
        if link.seq != last + 1:
            raise corrupt(f"after event {last} comes record {link.seq!r}; what lies between is missing")
        record = chain.open(link)
        if mac is not None and link.prev != mac:
            raise corrupt(f"record {link.seq} does not follow the one before it")
        last, mac = link.last, link.mac
        yield record, link
