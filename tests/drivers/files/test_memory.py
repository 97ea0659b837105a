"""The world in memory: seeded from what was seen, copied, compared, with links as a real one has them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.change import FACTS, Change, Depth, Facts, Look
from holdfast.drivers.contract import Batch, Ending, Outcome
from holdfast.drivers.files.local import Local
from holdfast.drivers.files.memory import Memory
from holdfast.kinds.content import Content
from holdfast.kinds.node import ABSENT, Account, Node
from holdfast.testing import zoo
from tests.drivers.files.bench import moves_of, undoing

FILE = Node("file", 0o644, content=b"content", digest=Content.of(b"content").digest, size=7)


def seen(memory: Memory, *keys: str, depth: Depth = Depth.CONTENT) -> Mapping[str, Any]:
    return asyncio.run(memory.inspect([Look(key, depth) for key in keys]))


def apply(memory: Memory, *changes: Change) -> Sequence[Outcome]:
    return asyncio.run(memory.apply(Batch(moves_of(*changes))))


def test_a_world_is_grown_from_what_was_seen() -> None:
    memory = Memory.from_nodes({
        "/etc/app.conf": FILE,
        "/etc/absent": ABSENT,
        "/srv": Node("dir", 0o750, entries={"sub": Node("dir", 0o711), "sub/file": FILE}),
        FACTS: Facts(uid=7),
        "@user/deploy": Account(1234),
    })  # fmt: skip
    found = seen(memory, "/etc/app.conf", "/etc", "/etc/absent", "/srv/sub/file", FACTS, "@user/deploy", "@user/nobody")
    assert found["/etc/app.conf"] == FILE
    assert found["/etc"].type == "dir"
    assert not found["/etc/absent"].exists
    assert found["/srv/sub/file"].content == b"content"
    assert found[FACTS] == Facts(uid=7)
    assert found["@user/deploy"] == Account(1234)
    assert found["@user/nobody"] == Account(None)


def test_what_was_seen_through_a_link_is_where_the_link_leads() -> None:
    memory = Memory.from_nodes({"/way": Node("link", target="real/place"), "/way/file": FILE})
    assert seen(memory, "/real/place/file")["/real/place/file"].digest == FILE.digest
    assert seen(memory, "/way/file")["/way/file"].digest == FILE.digest


LEADING, NOT_LEADING = ("real", "/real", "./real", "a/../real"), ("loop", "gone", "file")


@pytest.mark.parametrize("target", [*LEADING, *NOT_LEADING])
def test_links_in_parents_are_followed_as_on_a_real_file_system(target: str) -> None:
    leads = target in LEADING
    states: dict[str, Node] = {
        "/real": Node("dir", 0o755),
        "/real/inner": FILE,
        "/a": Node("dir", 0o755),
        "/file": FILE,
        "/loop": Node("link", target="loop"),
        "/way": Node("link", target=target),
    }
    memory = Memory.from_nodes(states)
    assert seen(memory, "/way/inner")["/way/inner"].exists is leads
    outcome = apply(memory, Change("/way/new", ABSENT, Node("link", target="x")))[0]
    assert (outcome.ending is Ending.DONE) is leads
    assert seen(memory, "/real/new")["/real/new"].exists is leads


def test_a_copy_goes_its_own_way() -> None:
    memory = Memory.from_nodes({"/file": FILE})
    moves = moves_of(Change("/file", FILE, ABSENT))
    asyncio.run(memory.apply(Batch(moves)))
    twin = memory.copy()
    assert twin.manifest() == memory.manifest()
    assert asyncio.run(twin.apply(Batch(undoing(*moves))))[0].ending is Ending.DONE
    assert twin.manifest() != memory.manifest()
    assert seen(twin, "/file")["/file"].content == b"content"
    assert asyncio.run(memory.apply(Batch(undoing(*moves))))[0].ending is Ending.DONE


def test_content_may_come_from_where_holdfast_runs(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"from disk")
    content = Content(path=str(tmp_path / "source"))
    assert apply(Memory(), Change("/file", ABSENT, Node("file", 0o644), means=content))[0].ending is Ending.DONE
    lost = apply(Memory(), Change("/file", ABSENT, Node("file", 0o644), means=Content(path=str(tmp_path / "gone"))))[0]
    assert lost.failure is not None
    assert lost.failure.code == "source_not_found"
    given = Memory(source=lambda path: FILE)
    assert apply(given, Change("/file", ABSENT, Node("file", 0o644), means=content))[0].ending is Ending.DONE
    assert seen(given, "/file")["/file"].content == b"content"


def test_a_directory_cannot_be_moved_into_itself() -> None:
    memory = Memory.from_nodes({"/a/b": Node("dir", 0o755)})
    before = memory.manifest()
    outcome = apply(memory, Change("/a/b/c", ABSENT, Node("dir", 0o755), origin="/a"))[0]
    assert outcome.failure is not None
    assert outcome.failure.code == "invalid_value"
    assert memory.manifest() == before


def test_a_zoo_looks_in_memory_as_it_does_on_disk(tmp_path: Path) -> None:
    zoo.build(tmp_path / "zoo")
    local = Local(tmp_path / "stash")
    root = str(tmp_path / "zoo")
    on_disk = asyncio.run(local.inspect([Look(root, Depth.TREE)]))[root]
    assert isinstance(on_disk, Node)
    in_memory = seen(Memory.from_nodes({root: on_disk}), root, depth=Depth.TREE)[root]
    assert in_memory.same(on_disk)
    assert set(in_memory.entries) == set(on_disk.entries or ())
