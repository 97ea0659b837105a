"""A small world and one batch with every form of move in it, for tests that break off in the middle."""

from __future__ import annotations

import os
from pathlib import Path

from holdfast.core.change import Change, Depth
from holdfast.drivers.contract import Move
from holdfast.kinds.content import Content
from tests.drivers.files.bench import AS_ROOT, Bench, moves_of, node

SMALL = Content.of(b"new content\n")


def build(root: Path) -> None:
    (root / "file").write_bytes(b"old content\n")
    (root / "file").chmod(0o640)
    (root / "owned").write_bytes(b"whose?")
    (root / "owned").chmod(0o4755)
    (root / "link").symlink_to("file")
    (root / "gone").write_bytes(b"to be removed")
    (root / "wanderer").write_bytes(b"to be moved")
    (root / "emigrant").write_bytes(b"to be moved far away")
    (root / "tree" / "sub").mkdir(parents=True)
    (root / "tree" / "sub" / "leaf").write_bytes(b"leaf")
    (root / "tree" / "way").symlink_to("sub")


def batch(bench: Bench, far: Path) -> tuple[Move, ...]:
    tree = node(
        "dir",
        0o750,
        entries={"a": node("dir", 0o711), "a/b": node("file", 0o600, digest=SMALL.digest), "c": node("link", target="a")},
    )
    owner = 4321 if AS_ROOT else os.geteuid()
    owned, link, emigrant = bench.look("owned"), bench.look("link"), bench.look("emigrant", Depth.TREE)
    return moves_of(
        bench.folder("made"),
        Change(bench.key("made/odd"), bench.look("made/odd"), node("dir", 0o1777)),
        Change(bench.key("made/file"), bench.look("made/file"), node("file", 0o604, digest=SMALL.digest), means=SMALL),
        bench.link("made/link", "file"),
        bench.file("file", b"replaced"),
        Change(bench.key("owned"), owned, owned._replace(mode=0o4711, uid=owner, gid=owner)),
        Change(bench.key("link"), link, link._replace(target="made")),
        bench.removal("gone"),
        bench.move("wanderer", "made/wanderer"),
        bench.removal("tree"),
        Change(bench.key("grown"), bench.look("grown"), tree, means={"a/b": SMALL}),
        Change(bench.key("fifo"), bench.look("fifo"), node("fifo", 0o600)),
        Change(str(far / "emigrant"), bench.look(far / "emigrant"), emigrant, origin=bench.key("emigrant")),
    )
