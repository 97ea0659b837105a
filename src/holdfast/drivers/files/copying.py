"""Bytes from one open file to another: shared where the file system can, holes kept as holes, always digested."""

from __future__ import annotations

import errno
import os
from hashlib import sha256
from typing import Any

from holdfast.drivers.files.calls import Calls
from holdfast.drivers.files.looking import read_digest

_CHUNK_BYTES = 1 << 20
_REFLINK_BYTES_MIN = 1 << 16  # below, asking costs more than copying
_ZEROS = bytes(_CHUNK_BYTES)


def write_all(calls: Calls, fd: int, data: bytes) -> None:
    """A write may be short."""
    done = calls.write(fd, data)
    while done < len(data):
        more = calls.write(fd, memoryview(data)[done:])
        if more == 0:
            raise OSError(errno.EIO, "nothing more could be written")
        done += more


def copy_open_file(calls: Calls, source: int, fd: int) -> str:
    """Copy a whole file; returns the digest of what arrived."""
    found = os.fstat(source)
    if found.st_size >= _REFLINK_BYTES_MIN and _share(calls, source, fd):
        return read_digest(fd)[0]  # of the copy, not of the source: that one may change
    digest = sha256()
    if found.st_blocks * 512 < found.st_size:
        _copy_segments(calls, source, fd, found.st_size, digest)
    else:
        _copy_rest(calls, source, fd, digest)
    return digest.hexdigest()


def _share(calls: Calls, source: int, fd: int) -> bool:
    try:
        calls.reflink(source, fd)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.ETXTBSY):
            return False
        raise
    return True


def _copy_rest(calls: Calls, source: int, fd: int, digest: Any) -> None:
    chunk = os.read(source, _CHUNK_BYTES)
    while chunk:
        digest.update(chunk)
        write_all(calls, fd, chunk)
        chunk = os.read(source, _CHUNK_BYTES)


def _copy_segments(calls: Calls, source: int, fd: int, size: int, digest: Any) -> None:
    """Data from segment to segment; what lies between reads as zeros and is not written."""
    at = 0
    while at < size:
        start, end = _next_segment(source, at, size)
        _digest_zeros(digest, start - at)
        os.lseek(source, start, os.SEEK_SET)
        os.lseek(fd, start, os.SEEK_SET)
        at = start
        while at < end:
            chunk = os.read(source, min(_CHUNK_BYTES, end - at))
            if not chunk:
                raise OSError(errno.EIO, "the file became shorter while it was read")
            digest.update(chunk)
            write_all(calls, fd, chunk)
            at += len(chunk)
    calls.truncate(fd, size)


def _next_segment(source: int, at: int, size: int) -> tuple[int, int]:
    try:
        start = os.lseek(source, at, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return size, size
    return min(start, size), min(os.lseek(source, start, os.SEEK_HOLE), size)


def _digest_zeros(digest: Any, count: int) -> None:
    while count > 0:
        digest.update(_ZEROS[:count] if count < _CHUNK_BYTES else _ZEROS)
        count -= _CHUNK_BYTES
