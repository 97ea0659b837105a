"""Looking: true, fast, without a trace, and never an error for a path that cannot be seen."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.change import FACTS, Depth, Facts, Look
from holdfast.drivers.files.inspecting import umask
from holdfast.drivers.files.looking import CONTENT_BYTES_MAX
from holdfast.kinds.node import Account
from holdfast.testing import zoo
from tests.drivers.files.bench import Bench, needs_root


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def looks(bench: Bench, *keys: str, depth: Depth = Depth.NODE) -> Mapping[str, Any]:
    return asyncio.run(bench.driver.inspect([Look(key, depth) for key in keys]))


def test_facts_tell_who_we_are(bench: Bench) -> None:
    facts = looks(bench, FACTS)[FACTS]
    assert facts == Facts(os.geteuid(), os.getegid(), frozenset({*os.getgroups(), os.getegid()}), umask())


def test_the_umask_is_read_and_not_set() -> None:
    before = os.umask(0o027)
    try:
        assert umask() == 0o027
        assert umask() == 0o027
    finally:
        os.umask(before)


def test_names_of_accounts_are_answered_with_numbers(bench: Bench) -> None:
    found = looks(bench, "@user/root", "@group/root", "@user/nobody-has-this-name")
    assert found == {"@user/root": Account(0), "@group/root": Account(0), "@user/nobody-has-this-name": Account(None)}


def test_each_depth_sees_what_it_should(bench: Bench) -> None:
    (bench.root / "file").write_bytes(b"content")
    (bench.root / "dir" / "sub").mkdir(parents=True)
    (bench.root / "dir" / "sub" / "file").write_bytes(b"inner")
    node, content = bench.look("file", Depth.NODE), bench.look("file", Depth.CONTENT)
    assert (node.digest, node.content, node.xattrs) == (None, None, None)
    assert (content.digest, content.content, content.xattrs) == (sha256(b"content").hexdigest(), b"content", "")
    assert bench.look("dir", Depth.NODE).empty is None
    assert bench.look("dir", Depth.CONTENT).empty is False
    assert bench.look("dir", Depth.CONTENT).entries is None
    shape, tree = bench.look("dir", Depth.SHAPE).entries or {}, bench.look("dir", Depth.TREE).entries or {}
    assert shape["sub/file"].digest is None
    assert tree["sub/file"].digest == sha256(b"inner").hexdigest()


def test_a_large_content_is_digested_and_not_kept(bench: Bench) -> None:
    for size in (CONTENT_BYTES_MAX, CONTENT_BYTES_MAX + 1):
        (bench.root / "large").write_bytes(bytes(size))
        found = bench.look("large")
        assert found.digest == sha256(bytes(size)).hexdigest()
        assert (found.content is None) == (size > CONTENT_BYTES_MAX)


def test_what_is_absent_knows_the_time_of_its_directory(bench: Bench) -> None:
    os.utime(bench.root, ns=(1, 123_456_789))
    assert bench.look("absent").around_ns == 123_456_789
    assert bench.look("no/such/place").around_ns == 0


def test_many_keys_of_one_directory_are_answered_like_few(bench: Bench) -> None:
    for number in range(0, 100, 2):
        (bench.root / f"f{number}").write_bytes(b"x")
    keys = [bench.key(f"f{number}") for number in range(100)]
    together = looks(bench, *keys, "/", str(bench.root))
    apart = {key: looks(bench, key)[key] for key in [*keys, "/", str(bench.root)]}
    assert {key: node._replace(free=0) for key, node in together.items()} == {
        key: node._replace(free=0) for key, node in apart.items()
    }


def test_special_files_are_never_opened_and_links_never_followed(bench: Bench) -> None:
    os.mkfifo(bench.root / "pipe")  # a reader would wait for ever
    (bench.root / "loop").symlink_to("loop")
    (bench.root / "out").symlink_to("/")
    found = bench.look(".", Depth.TREE).entries or {}
    assert {name: node.type for name, node in found.items()} == {"pipe": "fifo", "loop": "link", "out": "link"}
    assert bench.look("pipe").type == "fifo"
    assert not bench.look("loop/beneath").exists


def test_looking_moves_no_access_time(bench: Bench) -> None:
    zoo.build(bench.root / "zoo")
    paths = [bench.root / "zoo", *(path for path in (bench.root / "zoo").rglob("*") if not path.is_symlink())]
    for path in paths:
        os.utime(path, ns=(1, 10**18), follow_symlinks=False)
    before = {path: path.stat().st_atime_ns for path in paths}
    bench.look("zoo", Depth.TREE)
    looks(bench, *[str(path) for path in paths], depth=Depth.CONTENT)
    assert {path: path.stat().st_atime_ns for path in paths} == before


def test_a_fresh_object_is_not_trusted_by_its_times(bench: Bench) -> None:
    (bench.root / "file").write_bytes(b"x")
    assert bench.look("file").ctime_ns == 0
    old = looks(bench, "/etc/passwd")["/etc/passwd"]
    assert old.ctime_ns == os.stat("/etc/passwd").st_ctime_ns or time.time() - os.stat("/etc/passwd").st_ctime < 3


@needs_root
def test_what_others_may_not_see_is_a_state_and_no_error(bench: Bench) -> None:
    """Asked by a process that is nobody."""
    (bench.root / "closed").mkdir()
    (bench.root / "closed" / "file").write_bytes(b"x")
    (bench.root / "closed").chmod(0)
    (bench.root / "secret").write_bytes(b"x")
    (bench.root / "secret").chmod(0)
    for path in (bench.root, *bench.root.parents):
        if path.stat().st_uid == os.geteuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o011)
    found = as_nobody(lambda: [as_seen(bench, name) for name in ("closed", "closed/file", "secret", ".", "absent")])
    assert found == [
        "dir content=None readable=False writable=False",
        "absent content=None readable=False writable=False",
        "file content=None readable=False writable=False",
        "dir content=None readable=True writable=False",
        "absent content=None readable=True writable=True",
    ]


def as_seen(bench: Bench, name: str) -> str:
    node = bench.look(name)
    return f"{node.type} content={node.content} readable={node.readable} writable={node.writable}"


def as_nobody(ask: Any) -> list[str]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        os.write(writing, "\n".join(ask()).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading) as answer:
        return answer.read().splitlines()
