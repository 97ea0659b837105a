"""What is to be in a file: the means by which a driver makes a node that has content.

Pure and standard library only, because the file worker carries this module with it. Exactly one of `data`, `path`,
`origin`, `secret` and `feed` is set, or none for what has no content but `xattrs`. Below a directory the same value means a
whole tree: what stands at the same relative path.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, NamedTuple


class Content(NamedTuple):
    data: bytes | None = None
    path: str | None = None  # read from here, on the machine where Holdfast runs
    origin: str | None = None  # copied from here, on the target itself, with its extended attributes
    digest: str | None = None  # what must have been read; the copy is refused when it differs
    size: int = 0
    secret: str | None = None  # what this reference means: the driver asks for it at the last moment
    xattrs: tuple[tuple[str, bytes], ...] = ()  # extended attributes as they were recorded, for a node that wants them
    feed: Any = None  # from elsewhere: a target and a path there; for the engine, what hands it to a writer and digests it

    @classmethod
    def of(cls, data: bytes) -> Content:
        return cls(data=data, digest=digest_of(data), size=len(data))

    def below(self, relative: str) -> Content:
        """The content at a relative path below a root; its digest is the node's business."""
        if self.path is not None:
            return Content(path=f"{self.path}/{relative}")
        if self.feed is not None:
            return Content(feed=(self.feed[0], f"{self.feed[1]}/{relative}"))
        return Content(origin=f"{self.origin}/{relative}")


def digest_of(data: bytes) -> str:
    """The digest of a node: sha256 in hexadecimal digits."""
    return sha256(data).hexdigest()
