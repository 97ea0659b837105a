"""Handing over what is at a path: its content into an open file, and its extended attributes."""

from __future__ import annotations

import errno
import os
import stat

from holdfast.drivers.contract import Fetched
from holdfast.drivers.files.calls import Calls
from holdfast.drivers.files.copying import copy_open_file
from holdfast.drivers.files.looking import open_file, xattrs_of


def fetch(path: str, into: int | None) -> Fetched:
    """A link is not followed, and a special file is not opened."""
    if into is None:
        return Fetched(None, xattrs_of(path))
    fd = open_file(path, None)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "not a regular file any more", path)
        return Fetched(copy_open_file(Calls(), fd, into), xattrs_of(fd))
    finally:
        os.close(fd)
