"""All derived rows as one compressed document: what a replay begins with once records were compacted away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from holdfast.core.errors import WorldError
from holdfast.journal.chain import corrupt
from holdfast.journal.folds import begin
from holdfast.journal.records import decode_small, encode_small
from holdfast.journal.sheets import DictSheets, Key

FORMAT: Final = 1
SNAPSHOT: Final = ("@journal", "snapshot")  # shelf and name of the document
Entry = tuple[str, Key, Any]


def pack(entries: Iterable[Entry]) -> bytes:
    import zlib  # only where something is compacted: `runs` must start quickly

    squeeze = zlib.compressobj(6)
    parts = [squeeze.compress(encode_small({"format": FORMAT}) + b"\n")]
    parts += [squeeze.compress(encode_small(entry) + b"\n") for entry in entries]
    return b"".join([*parts, squeeze.flush()])


def restored(document: bytes | None) -> DictSheets:
    """What a replay begins with: the rows of a snapshot, if there is one, or nothing but counts."""
    sheets = DictSheets()
    begin(sheets)
    for sheet, key, row in () if document is None else unpack(document):
        sheets.put(sheet, key, row)
    return sheets


def unpack(document: bytes) -> Iterator[Entry]:
    import zlib

    try:
        head, *lines = zlib.decompress(document).splitlines()
    except zlib.error as error:
        raise corrupt(f"its snapshot cannot be unpacked: {error}") from error
    version = decode_small(head)["format"]
    if version > FORMAT:
        raise WorldError(f"the snapshot has format {version}; this program reads up to {FORMAT}", code="unsupported")
    for line in lines:
        sheet, key, row = decode_small(line)
        yield sheet, key, row
