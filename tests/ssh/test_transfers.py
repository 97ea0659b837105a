"""Files and trees, there and back: whole or not at all, with their attributes, and nothing left where it broke."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.core.errors import WorldError
from holdfast.ssh import Executor, Transfer, Transferred
from holdfast.ssh.archive import Tree, pack, unpack
from holdfast.ssh.far_side import sent
from holdfast.ssh.front import Front
from holdfast.testing.sshd import Sshd
from tests.ssh.places import QUICK, Hosts

ODD = "it's a\nname \udcff $x"


@pytest.fixture(scope="module")
def ssh() -> Iterator[Front]:
    with Front(QUICK) as front:
        yield front


@pytest.fixture
def far(hosts: Hosts) -> Iterator[Path]:
    """A directory on the host, which here can be seen from outside as well."""
    place = hosts.home() / "far"
    subprocess.run(["install", "-d", "-o", hosts.plain, place], check=True)
    yield place
    left = list(place.rglob(".holdfast-*"))
    subprocess.run(["rm", "-rf", place], check=True)
    assert left == []


@pytest.fixture
def near(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    assert not list(tmp_path.rglob(".holdfast-*"))


def a_tree(root: Path) -> Path:
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "empty").mkdir(mode=0o700)
    for number in range(20):
        (root / "sub" / f"f{number}").write_text(str(number))
    (root / "sub" / "f1").chmod(0o755)
    (root / ODD).write_bytes(b"odd")
    (root / "link").symlink_to("sub/f1")
    os.utime(root / "sub", (1_000_000_000, 1_000_000_000))
    return root


def given_to(user: str, root: Path) -> None:
    subprocess.run(["chown", "-R", user, root], check=True)


def manifest(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        what = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        time = int(status.st_mtime) if not path.is_symlink() else 0
        found[str(path.relative_to(root))] = (stat.S_IMODE(status.st_mode), time, what)
    return found


def up(ssh: Front, hosts: Hosts, source: Path, to: Path | str, **more: Any) -> Transferred:
    return ssh.transfer(Transfer(**{"host": hosts.address(), "source": str(source), "to": str(to), **more}))


def down(ssh: Front, hosts: Hosts, source: Path, to: Path | str, **more: Any) -> Transferred:
    return up(ssh, hosts, source, to, download=True, **more)


def code(found: Transferred) -> str | None:
    return found.error.code if found.error else None


# -- files


def test_a_file_arrives_whole_with_mode_and_time(ssh: Front, hosts: Hosts, near: Path, far: Path) -> None:
    source = near / ODD
    source.write_bytes(os.urandom(3_000_000))
    source.chmod(0o640)
    os.utime(source, (1_000_000_000, 1_000_000_000))
    told: list[tuple[int, int]] = []
    asked = Transfer(host=hosts.address(), source=str(source), to=str(far))
    found = ssh.transfer(asked, lambda done, whole: told.append((done, whole)))
    there = far / ODD
    assert there.read_bytes() == source.read_bytes()
    assert (stat.S_IMODE(there.stat().st_mode), there.stat().st_mtime) == (0o640, 1_000_000_000)
    assert found.checksum == hashlib.sha256(source.read_bytes()).hexdigest()
    assert told[-1] == (3_000_000, 3_000_000)
    back = down(ssh, hosts, there, near / "back")
    assert (near / "back").read_bytes() == source.read_bytes()
    assert (stat.S_IMODE((near / "back").stat().st_mode), back.checksum) == (0o640, found.checksum)


def test_an_empty_file_and_one_named_like_an_option(ssh: Front, hosts: Hosts, near: Path, far: Path) -> None:
    (near / "-rf").touch()
    assert up(ssh, hosts, near / "-rf", far).success
    assert (far / "-rf").read_bytes() == b""


def test_mode_owner_and_group_as_they_are_wanted(ssh: Front, hosts: Hosts, near: Path, far: Path) -> None:
    (near / "f").write_text("x")
    found = up(
        ssh,
        hosts,
        near / "f",
        far / "f",
        host=hosts.address(hosts.admin),
        sudo=True,
        mode=0o4750,
        owner="nobody",
        group="daemon",
    )
    assert found.success
    assert (stat.S_IMODE((far / "f").stat().st_mode), (far / "f").owner(), (far / "f").group()) == (0o4750, "nobody", "daemon")


@pytest.mark.parametrize("direction", [up, down])
def test_what_stands_there_is_treated_as_it_was_said(ssh: Front, hosts: Hosts, near: Path, far: Path, direction: Any) -> None:
    source, place = (near / "new", far) if direction is up else (far / "new", near)
    source.write_text("new")
    there = place / "old"
    for policy, error, content in (("fail", "conflict", "old"), ("skip", None, "old"), ("overwrite", None, "new")):
        subprocess.run(["install", "-o", hosts.plain, "/dev/stdin", there], input=b"old", check=True)
        found = direction(ssh, hosts, source, there, on_conflict=policy)
        assert (code(found), there.read_text(), found.skipped) == (
            error,
            content,
            policy == "skip" or (policy == "fail" and found.skipped),
        )
    there.write_text("old")
    assert direction(ssh, hosts, source, there, on_conflict="backup").success
    (kept,) = place.glob("old.*.bak")
    assert (kept.read_text(), there.read_text()) == ("old", "new")


@pytest.mark.parametrize(
    ("to", "error"), [("/root/x", "permission_denied"), ("no/such", "parent_not_found"), ("no/", "parent_not_found")]
)
def test_where_it_cannot_go_is_said(ssh: Front, hosts: Hosts, near: Path, far: Path, to: str, error: str) -> None:
    (near / "f").write_text("x")
    assert code(up(ssh, hosts, near / "f", to if to.startswith("/") else f"{far}/{to}")) == error
    assert code(down(ssh, hosts, Path("/etc/passwd"), f"{near}/no/x")) == "parent_not_found"


def test_what_is_not_there_or_may_not_be_read_is_said(ssh: Front, hosts: Hosts, near: Path, far: Path) -> None:
    assert code(up(ssh, hosts, near / "none", far)) == "source_not_found"
    assert code(down(ssh, hosts, far / "none", near / "x")) == "source_not_found"
    assert code(down(ssh, hosts, Path("/etc/shadow"), near / "x")) == "permission_denied"
    assert list(near.iterdir()) == []


def test_a_full_disk_leaves_nothing_half_written(ssh: Front, hosts: Hosts, near: Path) -> None:
    (near / "big").write_bytes(os.urandom(3_000_000))
    small = Path("/tmp") / f"holdfast-small-{os.getpid()}"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "none", small], check=True)
    try:
        assert code(up(ssh, hosts, near / "big", small / "big")) == "no_space"
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)
        small.rmdir()


def test_a_broken_upload_goes_on_where_it_ended(hosts: Hosts, near: Path, far: Path) -> None:
    source = near / "big"
    source.write_bytes(os.urandom(1024 * 1024) * 48)
    cut: list[int] = []

    async def go(server: Sshd) -> Transferred:
        async with Executor(QUICK) as ssh:

            def progress(done: int, whole: int) -> None:
                if done > whole // 2 and not cut:
                    cut.append(done)
                    server.cut()

            return await ssh.transfer(Transfer(host=server.address(), source=str(source), to=str(far / "big")), progress)

    with Sshd(user=hosts.plain) as server:
        found = asyncio.run(go(server))
    assert found.success
    assert (found.attempts, found.resumed_at > 0) == (2, True)
    assert (far / "big").read_bytes() == source.read_bytes()


def test_a_file_that_grows_while_it_is_sent_is_not_taken_for_whole(ssh: Front, hosts: Hosts, near: Path, far: Path) -> None:
    source = near / "growing"
    source.write_bytes(bytes(4 * 1024 * 1024))

    def grow(done: int, whole: int) -> None:
        with source.open("ab") as file:
            file.write(b"more")

    found = ssh.transfer(Transfer(host=hosts.address(), source=str(source), to=str(far / "f")), grow)
    assert code(found) == "checksum_mismatch"
    assert not (far / "f").exists()


# -- trees


def test_a_tree_goes_there_and_comes_back_the_same(ssh: Front, hosts: Hosts, near: Path, far: Path) -> None:
    tree = a_tree(near / "tree")
    found = up(ssh, hosts, tree, far / "tree")
    assert found.files == 21
    assert manifest(far / "tree") == manifest(tree)
    back = down(ssh, hosts, far / "tree", near / "back")
    assert manifest(near / "back") == manifest(tree)
    assert back.checksum == found.checksum


@pytest.mark.parametrize("direction", [up, down])
def test_a_tree_is_merged_into_one_that_is_there(ssh: Front, hosts: Hosts, near: Path, far: Path, direction: Any) -> None:
    base = (near, far) if direction is up else (far, near)
    tree, there = a_tree(base[0] / "tree"), base[1] / "there"
    given_to(hosts.plain, far)
    assert direction(ssh, hosts, tree, there).success
    (there / "extra").write_text("stays")
    (tree / "sub" / "f0").write_text("changed")
    (tree / "new").mkdir()
    (tree / "new" / "f").write_text("new")
    given_to(hosts.plain, far)
    assert direction(ssh, hosts, tree, there).success
    assert (there / "extra").read_text() == "stays"
    assert (there / "sub" / "f0").read_text() == "changed"
    assert (there / "new" / "f").read_text() == "new"


@pytest.mark.parametrize("direction", [up, down])
def test_a_file_where_a_directory_should_be_stops_a_merge_before_it_begins(
    ssh: Front, hosts: Hosts, near: Path, far: Path, direction: Any
) -> None:
    base = (near, far) if direction is up else (far, near)
    tree, there = a_tree(base[0] / "tree"), base[1] / "there"
    given_to(hosts.plain, far)
    assert direction(ssh, hosts, tree, there).success
    (there / "sub" / "f3").unlink()
    (there / "sub" / "f3").mkdir()
    (tree / "sub" / "f0").write_text("changed")
    before = manifest(there)
    assert code(direction(ssh, hosts, tree, there)) == "conflict"
    assert manifest(there) == before


def test_modes_of_a_tree_as_they_are_wanted(ssh: Front, hosts: Hosts, near: Path, far: Path) -> None:
    assert up(ssh, hosts, a_tree(near / "tree"), far / "tree", mode=0o640).success
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (far / "tree").rglob("*") if path.is_file()}
    assert (modes, stat.S_IMODE((far / "tree" / "sub").stat().st_mode)) == ({0o640}, 0o750)


@pytest.mark.parametrize(
    "entry",
    [
        ("../out", tarfile.REGTYPE, ""),
        ("/etc/out", tarfile.REGTYPE, ""),
        ("link", tarfile.SYMTYPE, "/etc/passwd"),
        ("a/link", tarfile.SYMTYPE, "../../out"),
        ("dev", tarfile.CHRTYPE, ""),
        ("hard", tarfile.LNKTYPE, "../x"),
    ],
)
def test_what_a_host_sends_never_leads_out_of_its_directory(tmp_path: Path, entry: tuple[str, bytes, str]) -> None:
    name, kind, target = entry
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        header = tarfile.TarInfo(name)
        header.type, header.linkname = kind, target
        archive.addfile(header)
    stream.seek(0)
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(WorldError) as caught:
        unpack(stream, str(inside), None, times=True)
    assert caught.value.code in ("outside_root", "unsupported")
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


def test_set_id_bits_of_a_host_do_not_come_along(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        header = tarfile.TarInfo("f")
        header.mode = 0o6755
        archive.addfile(header)
    stream.seek(0)
    unpack(stream, str(tmp_path), None, times=True)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o755


def test_a_part_of_a_tree_that_may_not_be_read_is_an_error(ssh: Front, hosts: Hosts, near: Path, far: Path) -> None:
    a_tree(far / "tree")  # one directory of it is for root alone
    assert code(down(ssh, hosts, far / "tree", near / "back")) == "permission_denied"
    assert list(near.iterdir()) == []


@pytest.mark.parametrize("name", ["f", "d/f", "x" * 99, "x" * 100, "y" * 99 + "/" + "z" * 200, "日", "\udcff", "a\nb"])
def test_an_archive_is_one_that_anybody_can_read(tmp_path: Path, name: str) -> None:
    file = tmp_path / "tree" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"content")
    file.chmod(0o640)
    stream = io.BytesIO(b"".join(pack(str(tmp_path / "tree"), Tree(), None, times=True)))
    with tarfile.open(fileobj=stream, encoding="utf-8", errors="surrogateescape") as archive:
        found = archive.getmember(name)
        assert archive.extractfile(found).read() == b"content"  # type: ignore[union-attr]
        assert (found.mode, found.mtime, found.isreg()) == (0o640, int(file.stat().st_mtime), True)
        assert all(entry.isdir() for entry in archive.getmembers() if entry is not found)


def test_a_disk_that_refuses_at_the_end_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "sync").write_text('#!/bin/sh\necho "sync: error syncing: Input/output error" >&2\nexit 1\n')
    (tmp_path / "sync").chmod(0o755)
    text = f"{sent('common.sh')}\ndurable -f /; echo went on\n"
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    found = subprocess.run(["sh", "-c", text, "sh", "mark"], env=path, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("mark failed ")


@pytest.mark.parametrize("direction", [up, down])
def test_a_file_of_two_names_stays_one_file(ssh: Front, hosts: Hosts, near: Path, far: Path, direction: Any) -> None:
    base = (near, far) if direction is up else (far, near)
    (base[0] / "tree" / "sub").mkdir(parents=True)
    (base[0] / "tree" / "a").write_text("content")
    os.link(base[0] / "tree" / "a", base[0] / "tree" / "sub" / "b")
    given_to(hosts.plain, far)
    found = direction(ssh, hosts, base[0] / "tree", base[1] / "there")
    assert (found.error, found.files) == (None, 2)
    assert (base[1] / "there" / "a").samefile(base[1] / "there" / "sub" / "b")
