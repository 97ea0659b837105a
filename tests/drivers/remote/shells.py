"""Hosts without Python: a real sshd whose sessions see a directory of links to plain tools, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

_TOOLS = (
    *("sh", "stat", "sha256sum", "readlink", "mv", "ln", "cp", "rm", "mkdir", "rmdir", "chmod", "chown", "touch", "cat", "id"),
    *("sleep", "sync", "date", "base64", "mkfifo", "mknod", "setsid", "timeout", "env", "test", "true", "echo", "uname"),
    *("grep", "cut"),  # for commands that outlived their connection
    "curl",  # for health that is asked at an address
)
_BUSYBOX = "busybox"
FLAVOURS = ("python", "coreutils", _BUSYBOX)


def tools(folder: Path, flavour: str) -> Path:
    """A directory for PATH: with those of coreutils and dash, or with busybox for everything."""
    folder.mkdir()
    for tool in _TOOLS:
        where = _BUSYBOX if flavour == _BUSYBOX and tool != "curl" else {"sh": "dash"}.get(tool, tool)
        found = shutil.which(where)
        assert found is not None, f"{where} is not installed"
        (folder / tool).symlink_to(found)
    return folder


def without_python(stash: Path, path: Path) -> dict[str, str]:
    """Settings of a server whose sessions see nothing but these tools, whatever the user's profile says."""
    forced = f'export PATH={path}; exec sh -c "$SSH_ORIGINAL_COMMAND"'
    return {"SetEnv": f"HOLDFAST_REMOTE={stash} HOLDFAST_PYTHON=none", "ForceCommand": forced}
