"""What goes into the engine and what comes out: plain values, and one table from OSError to error code."""

from __future__ import annotations

import errno
from typing import Any, NamedTuple

from holdfast.kinds.node import Node

DONE, UNCHANGED, FAILED, IN_DOUBT, SKIPPED = "done", "unchanged", "failed", "in_doubt", "skipped"


class Order(NamedTuple):
    """One change to one path, as the engine takes it. With `undo`, `before` and `after` are already reversed."""

    id: str
    key: str
    before: Node
    after: Node
    origin: str | None = None  # the other end of a move
    means: Any = None  # Content; for a tree a mapping from relative path to Content
    undo: bool = False
    needs: tuple[int, ...] = ()


class Report(NamedTuple):
    """How one order ended."""

    ending: str
    code: str = ""
    message: str = ""
    kept: str = ""  # where a before-image can be found, when something was left behind
    duration_s: float = 0.0


class Trouble(Exception):
    """One order cannot be carried out; caught at the edge of the order and turned into its report."""

    def __init__(self, code: str, message: str, kept: str = "", ending: str = FAILED) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.kept = kept
        self.ending = ending


class NotDurable(Exception):
    """A sync failed: nothing written since the last good one may be believed. Never caught in the engine."""


_CODES = {
    errno.ENOENT: "not_found",
    errno.ENOTDIR: "conflict",
    errno.EISDIR: "conflict",
    errno.EEXIST: "conflict",
    errno.ENOTEMPTY: "not_empty",
    errno.EACCES: "permission_denied",
    errno.EPERM: "permission_denied",
    errno.ENOSPC: "no_space",
    errno.EDQUOT: "no_space",
    errno.EFBIG: "no_space",
    errno.EROFS: "read_only",
    errno.ENOTSUP: "unsupported",
    errno.ENOSYS: "unsupported",
    errno.EXDEV: "unsupported",
    errno.ENAMETOOLONG: "invalid_value",
    errno.EINVAL: "invalid_value",
}


def trouble_of(error: OSError, path: str, **special: str) -> Trouble:
    """What an OSError means; `special` says it for names of errno that mean more where it happened."""
    name = errno.errorcode.get(error.errno or 0, "")
    code = special.get(name) or _CODES.get(error.errno or 0, "io_error")
    return Trouble(code, f"{path}: {os_message(error)}")


def not_durable(error: OSError) -> NotDurable:
    return NotDurable(f"a write could not be made durable: {os_message(error)}")


def os_message(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()
