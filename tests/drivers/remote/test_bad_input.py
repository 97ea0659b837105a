"""What goes wrong on hosts: a clear error with its code and its host, nothing under a final name, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import holdfast
from holdfast.testing import zoo
from holdfast.testing.sshd import Sshd, account
from tests.drivers.remote.hosts import plan_on
from tests.drivers.remote.shells import FLAVOURS

each_flavour = pytest.mark.parametrize("flavour", FLAVOURS)


@pytest.fixture
def hf(tmp_path: Path):
    with holdfast.open(str(tmp_path / "state")) as found:
        yield found


@contextmanager
def mounted(place: Path, *options: str) -> Iterator[Path]:
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("mounts and accounts are for root")


def first_error(result) -> tuple[str, str]:
    return result.ending, result.errors[0]["code"]


@each_flavour
def test_a_missing_directory_there_is_found_before_anything_is_touched(hf, server, root):
    result = hf.apply(plan_on(server, [{"file": f"{root}/a", "content": "x"}, {"file": f"{root}/no/such", "content": "x"}]))
    assert first_error(result) == ("refused", "parent_not_found")
    assert list(root.iterdir()) == []


@each_flavour
def test_when_there_is_no_space_everything_is_taken_back_and_nothing_is_left(hf, server, root, tmp_path, stash):
    needs_root()
    large = tmp_path / "large"
    large.write_bytes(os.urandom(700_000))
    with mounted(root / "small", "size=1m") as small:
        (small / "old").write_text("old\n")
        before = zoo.manifest(small)
        (small / "filler").write_bytes(b"x" * 500_000)
        found = zoo.manifest(small)
        steps = [
            {"file": f"{small}/old", "content": "new\n", "id": "old"},
            {"command": ["true"], "undo": ["true"], "id": "pass", "needs": ["old"]},
            {"upload": str(large), "to": f"{small}/large", "needs": ["pass"]},
        ]
        result = hf.apply(plan_on(server, steps))
        assert result.errors[0]["code"] == "no_space", result.errors
        assert result.ending in ("refused", "rolled_back")
        assert zoo.manifest(small) == found != before
    assert not stash.exists()


@each_flavour
def test_a_disk_that_fills_up_meanwhile_ends_in_a_rollback(hf, server, root, tmp_path, stash):
    needs_root()
    large = tmp_path / "large"
    large.write_bytes(os.urandom(700_000))
    with mounted(root / "small", "size=1m") as small:
        (small / "old").write_text("old\n")
        steps = [
            {"file": f"{small}/old", "content": "new\n", "id": "old"},
            {"command": ["sh", "-c", f"cat /dev/zero >{small}/filler; true"], "undo": ["rm", f"{small}/filler"], "id": "fill"},
            {"upload": str(large), "to": f"{small}/large", "needs": ["fill", "old"]},
        ]
        result = hf.apply(plan_on(server, steps))
        assert first_error(result) == ("rolled_back", "no_space"), (result.errors, result.residue)
        assert {path.name for path in small.iterdir()} == {"old"}
        assert (small / "old").read_text() == "old\n"
    assert not stash.exists()


@each_flavour
def test_a_mount_that_is_read_only_is_said_to_be_so(hf, server, root):
    needs_root()
    with mounted(root / "fixed", "ro") as fixed:
        result = hf.apply(plan_on(server, [{"file": f"{fixed}/a", "content": "x"}]))
        assert first_error(result) == ("refused", "read_only"), result.errors


@each_flavour
def test_odd_names_stay_what_they_are(hf, server, root, tmp_path):
    names = [
        " ",
        "a b",
        "-rf",
        "it's",
        '"q"',
        "$HOME",
        "new\nline",
        "`id`",
        "back\\slash",
        "%s",
        "*",
        "~",
        "ü",
        os.fsdecode(b"\xff\xfe"),
    ]
    source = tmp_path / "source"
    source.mkdir()
    for name in names:
        (source / name).write_text(name, errors="surrogateescape")
    (source / "to").symlink_to("new\nline")
    (root / "tree").mkdir()
    steps = [{"upload": str(source), "to": f"{root}/up", "id": "up"}]
    steps += [{"file": f"{root}/tree/{name}", "content": name} for name in names[:-1]]
    plan = plan_on(server, steps)
    result = hf.apply(plan)
    assert result.ending == "committed", result.errors
    assert sorted(os.listdir(root / "tree")) == sorted(names[:-1])
    assert {name: (root / "up" / name).read_bytes() for name in names} == {name: os.fsencode(name) for name in names}
    assert hf.apply(plan).ending == "unchanged"
    assert hf.rollback(result.run).ending == "rolled_back"
    assert os.listdir(root) == ["tree"]


@each_flavour
def test_a_file_that_changes_while_it_is_sent_is_refused(hf, server, root, tmp_path):
    source = tmp_path / "large"
    source.write_bytes(b"a" * 30_000_000)
    stop = threading.Event()

    def keep_writing() -> None:
        while not stop.wait(0.01):
            with source.open("r+b") as file:
                file.seek(29_000_000)
                file.write(os.urandom(16))

    plan = plan_on(server, [{"command": ["touch", f"{root}/a"], "undo": ["rm", f"{root}/a"], "id": "a"},
                            {"upload": str(source), "to": f"{root}/up", "needs": ["a"]}])  # fmt: skip
    writing = threading.Thread(target=keep_writing)
    writing.start()
    try:
        result = hf.apply(plan)
    finally:
        stop.set()
        writing.join()
    assert result.errors[0]["code"] in ("checksum_mismatch", "foreign_change"), result.errors
    assert result.ending in ("rolled_back", "refused")
    assert list(root.iterdir()) == []


# -- accounts


def test_a_locked_account_is_not_let_in(hf, root):
    needs_root()
    with account(f"hf-{os.getpid()}-l") as user, Sshd(user=user) as server:
        subprocess.run(["passwd", "--quiet", "--lock", user], check=True)
        result = hf.apply(plan_on(server, [{"file": f"{root}/a", "content": "x"}]))
    assert first_error(result) == ("refused", "auth_failed")
    assert "h1" in result.errors[0]["message"] or user in result.errors[0]["message"]


@pytest.mark.parametrize(
    ("rule", "password", "hint"),
    [("", "", "password"), ("ALL=(ALL) ALL", "wrong-one", "sudo_password"), ("", "right-one", "")],
    ids=["nothing is granted", "the password is wrong", "it is not among the sudoers"],
)
def test_who_may_not_become_root_is_told_before_anything_is_touched(hf, root, rule, password, hint, monkeypatch):
    needs_root()
    monkeypatch.setenv("SUDO", password)
    way = {"sudo": True, **({"sudo_password": {"secret": "env:SUDO"}} if password else {})}
    with account(f"hf-{os.getpid()}-p", password="right-one", sudo=rule) as user, Sshd(user=user) as server:
        result = hf.apply(plan_on(server, [{"file": f"{root}/a", "content": "x"}], way=way))
    assert first_error(result) == ("refused", "permission_denied"), result.errors
    assert "h1" in result.errors[0]["message"]
    assert hint in result.errors[0]["hint"]
    assert not password or password not in str(result.errors)
    assert list(root.iterdir()) == []


def test_a_host_without_sudo_says_so(hf, root, tmp_path):
    needs_root()
    from tests.drivers.remote.shells import tools, without_python

    path = tools(tmp_path / "bin", "coreutils")
    tmp_path.chmod(0o755)
    with account(f"hf-{os.getpid()}-b") as user:
        for above in (path, *path.parents):
            if above != Path("/") and above.stat().st_uid == os.geteuid():
                above.chmod(above.stat().st_mode | 0o055)
        with Sshd(user=user, **without_python(tmp_path / "s", path)) as server:
            result = hf.apply(plan_on(server, [{"file": f"{root}/a", "content": "x"}], way={"sudo": True}))
    assert first_error(result) == ("refused", "permission_denied"), result.errors
    assert "no sudo" in result.errors[0]["message"]
