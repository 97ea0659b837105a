"""Every system call that changes or syncs something, through one door.

Tests and the crash matrix wrap this object to count, fail or kill at the n-th call; nothing else in the engine may
change the world. What the standard library lacks (renameat2, syncfs, openat2) is reached through ctypes, loaded when
first needed. Where a file system cannot exchange names, the fall-back leaves `.old` names that `mend` understands.
"""

from __future__ import annotations

import errno
import os
import stat
from functools import lru_cache
from typing import Any

NOREPLACE, EXCHANGE = 1, 2
BENEATH, NO_MAGICLINKS = 0x08, 0x02
REFLINK = 0x40049409
GET_FLAGS, SET_FLAGS = 0x80086601, 0x40086602
IMMUTABLE, APPEND_ONLY = 0x10, 0x20

_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
_RENAMEAT2 = {"x86_64": 316, "aarch64": 276, "riscv64": 276, "armv7l": 382, "i686": 353, "ppc64le": 357, "s390x": 347}
_OPENAT2 = 437
_RESOLUTIONS_MAX = 100


class Calls:
    """One method per call; names relative to a directory descriptor, links never followed."""

    def open(self, name: str, flags: int, mode: int = 0o600, dir_fd: int | None = None) -> int:
        return os.open(name, flags | os.O_CLOEXEC, mode, dir_fd=dir_fd)

    def open_beneath(self, root: int, name: str, flags: int) -> int:
        return _open_beneath(root, name, flags | os.O_CLOEXEC)

    def close(self, fd: int) -> None:
        os.close(fd)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        return os.write(fd, data)

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def reflink(self, source: int, fd: int) -> None:
        import fcntl

        fcntl.ioctl(fd, REFLINK, source)

    def mkdir(self, name: str, mode: int, dir_fd: int | None = None) -> None:
        os.mkdir(name, mode, dir_fd=dir_fd)

    def rmdir(self, name: str, dir_fd: int) -> None:
        os.rmdir(name, dir_fd=dir_fd)

    def unlink(self, name: str, dir_fd: int) -> None:
        os.unlink(name, dir_fd=dir_fd)

    def symlink(self, target: str, name: str, dir_fd: int) -> None:
        os.symlink(target, name, dir_fd=dir_fd)

    def link(self, name: str, dir_fd: int, new: str, new_fd: int) -> None:
        os.link(name, new, src_dir_fd=dir_fd, dst_dir_fd=new_fd, follow_symlinks=False)

    def mknod(self, name: str, mode: int, rdev: int, dir_fd: int) -> None:
        os.mknod(name, mode, rdev, dir_fd=dir_fd)

    def chown(self, name: str, uid: int, gid: int, dir_fd: int) -> None:
        os.chown(name, uid, gid, dir_fd=dir_fd, follow_symlinks=False)

    def chown_open(self, fd: int, uid: int, gid: int) -> None:
        os.chown(f"/proc/self/fd/{fd}", uid, gid)

    def fchmod(self, fd: int, mode: int) -> None:
        os.fchmod(fd, mode)

    def chmod(self, fd: int, mode: int) -> None:
        """Of an object opened with O_PATH as well, which `fchmod` refuses."""
        os.chmod(f"/proc/self/fd/{fd}", mode)

    def setxattr(self, path: str, name: str, value: bytes) -> None:
        os.setxattr(path, name, value, follow_symlinks=False)

    def removexattr(self, path: str, name: str) -> None:
        os.removexattr(path, name, follow_symlinks=False)

    def utime(self, name: str, atime_ns: int, mtime_ns: int, dir_fd: int) -> None:
        os.utime(name, ns=(atime_ns, mtime_ns), dir_fd=dir_fd, follow_symlinks=False)

    def set_flags(self, fd: int, flags: int) -> None:
        import fcntl
        import struct

        fcntl.ioctl(fd, SET_FLAGS, struct.pack("l", flags))

    def fsync(self, fd: int) -> None:
        os.fsync(fd)

    def syncfs(self, fd: int) -> None:
        """Everything of the file system that `fd` lies on; its writeback errors come back here."""
        libc = _libc()
        if libc is None or not hasattr(libc, "syncfs"):
            os.sync()
        elif libc.syncfs(fd) != 0:
            raise _last_error("syncfs")

    def sync(self) -> None:
        os.sync()

    def renameat2(self, name: str, dir_fd: int, new: str, new_fd: int, flags: int) -> None:
        _renameat2(dir_fd, _as_bytes(name), new_fd, _as_bytes(new), flags)

    def rename(self, name: str, dir_fd: int, new: str, new_fd: int) -> None:
        os.rename(name, new, src_dir_fd=dir_fd, dst_dir_fd=new_fd)

    def rename_noreplace(self, name: str, dir_fd: int, new: str, new_fd: int) -> None:
        """Give an object a name that nothing has yet."""
        try:
            self.renameat2(name, dir_fd, new, new_fd, NOREPLACE)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            self._occupy(name, dir_fd, new, new_fd)

    def rename_exchange(self, slot: str, slot_fd: int, name: str, dir_fd: int) -> None:
        """Swap two objects: what was in the slot stands at the name, and the other way round."""
        try:
            self.renameat2(slot, slot_fd, name, dir_fd, EXCHANGE)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            self._trade(slot, slot_fd, name, dir_fd)

    def _occupy(self, name: str, dir_fd: int, new: str, new_fd: int) -> None:
        """Fails when the new name is taken, like the real call, and overwrites nothing but an empty directory in a race."""
        if _is_directory(name, dir_fd):
            if lies(new, new_fd):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            self.rename(name, dir_fd, new, new_fd)
            return
        try:
            self.link(name, dir_fd, new, new_fd)
        except FileExistsError:
            if not _are_one(name, dir_fd, new, new_fd):
                raise  # else a crash came between the two calls, and this is the second one
        self.unlink(name, dir_fd)

    def _trade(self, slot: str, slot_fd: int, name: str, dir_fd: int) -> None:
        old = old_name(slot)
        if _is_directory(name, dir_fd) or _is_directory(slot, slot_fd):
            self.rename(name, dir_fd, old, slot_fd)
        else:
            self.link(name, dir_fd, old, slot_fd)  # so that the name is never missing
        self.rename(slot, slot_fd, name, dir_fd)
        self.rename(old, slot_fd, slot, slot_fd)

    def mend(self, slot: str, slot_fd: int, name: str, dir_fd: int) -> bool:
        """Finish or take back a trade that was interrupted. False when there was none."""
        old = old_name(slot)
        if not lies(old, slot_fd):
            return False
        if not lies(slot, slot_fd):
            self.rename(old, slot_fd, slot, slot_fd)
        elif lies(name, dir_fd):
            self.unlink(old, slot_fd)
        else:
            self.rename(old, slot_fd, name, dir_fd)
        return True


def old_name(slot: str) -> str:
    return f".{slot}.old"


def lies(name: str, dir_fd: int) -> bool:
    """Is there anything at this name?"""
    try:
        os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _is_directory(name: str, dir_fd: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode)


def _are_one(name: str, dir_fd: int, new: str, new_fd: int) -> bool:
    one = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    other = os.stat(new, dir_fd=new_fd, follow_symlinks=False)
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def flags_of(fd: int) -> int:
    """The inode flags of an open file or directory; 0 where the file system has none."""
    import fcntl
    import struct

    try:
        return int(struct.unpack("l", fcntl.ioctl(fd, GET_FLAGS, b"\0" * 8))[0])
    except OSError:
        return 0


@lru_cache(maxsize=1)
def _libc() -> Any:
    import ctypes

    try:
        libc = ctypes.CDLL(None, use_errno=True)
    except (OSError, TypeError):
        return None
    if hasattr(libc, "renameat2"):
        libc.renameat2.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return libc


def _last_error(what: str) -> OSError:
    import ctypes

    number = ctypes.get_errno()
    return OSError(number, f"{os.strerror(number)} ({what})")


def _as_bytes(name: str) -> bytes:
    """For C, where a NUL byte would silently end the name."""
    raw = os.fsencode(name)
    if b"\0" in raw:
        raise ValueError("embedded null byte")
    return raw


def _renameat2(dir_fd: int, name: bytes, new_fd: int, new: bytes, flags: int) -> None:
    libc = _libc()
    number = _RENAMEAT2.get(os.uname().machine)
    if hasattr(libc, "renameat2"):
        failed = libc.renameat2(dir_fd, name, new_fd, new, flags)
    elif libc is not None and number is not None:
        failed = libc.syscall(number, dir_fd, name, new_fd, new, flags)
    else:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if failed:
        raise _last_error("renameat2")


def _open_beneath(root: int, name: str, flags: int) -> int:
    """Resolve below a root and never out of it; the kernel answers EXDEV to who tries."""
    import ctypes

    libc = _libc()
    if libc is None or not os.path.exists("/proc/self/fd"):
        return _open_stepwise(root, name, flags)
    how = (ctypes.c_uint64 * 3)(flags, 0, BENEATH | NO_MAGICLINKS)
    for _ in range(_RESOLUTIONS_MAX):
        fd = libc.syscall(_OPENAT2, root, _as_bytes(name), ctypes.byref(how), ctypes.sizeof(how))
        if fd >= 0:
            return int(fd)
        error = _last_error("openat2")
        if error.errno != errno.EAGAIN:
            break  # else somebody renamed something on the way while the kernel followed a `..`
    if error.errno in (errno.ENOSYS, errno.EPERM):
        return _open_stepwise(root, name, flags)
    raise error


def _open_stepwise(root: int, name: str, flags: int) -> int:
    """Without openat2: one component at a time, and no link on the way at all."""
    fd = os.dup(root)
    for part in name.split("/"):
        try:
            below = os.open(part, flags | os.O_NOFOLLOW, dir_fd=fd)
        finally:
            os.close(fd)
        fd = below
    return fd
