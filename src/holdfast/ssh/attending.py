"""What ends a command on its host when its client is gone: a small watcher beside it, in the sh of POSIX.

sshd closes a channel that nobody holds any more, but it lets the command run on. So while a command runs that is given
no input, its client keeps the channel's input open, and the watcher reads it: its end is the end of the client. A command
with an input has that to itself; there the watcher looks once a second whether its session is still there.

The watcher is nobody's child, so that `wait` does not wait for it, and it does nothing when the command is over: what
that left running on purpose goes on.
"""

from __future__ import annotations

from typing import Final

from holdfast.ssh.quoting import joined
from holdfast.ssh.values import Sudo

GRACE_S: Final = 5

_HELD: Final = (
    "exec 3<&0 </dev/null;((trap '' TERM HUP INT;while read -r _hf;do :;done <&3;{end}) >/dev/null 2>&1 &);exec 3<&-;"
)
_FED: Final = "((trap '' TERM HUP INT;while {alive}&&kill -0 $PPID;do sleep 1;done;{end}) </dev/null >/dev/null 2>&1 &);"
_END: Final = "{alive}||exit;{kill} -s TERM -- -$$;sleep {grace};{kill} -s KILL -- -$$"


def watcher(*, held: bool, sudo: Sudo | None) -> str:
    """The lines that start it. What runs behind the password of sudo cannot be ended from beside it."""
    if sudo is not None and sudo.password:
        return ""
    kill = "kill" if sudo is None else joined(["sudo", "-n", "-u", sudo.user, "--", "kill"])
    alive = "kill -0 $$" if sudo is None else "ps -p $$"
    end = _END.format(alive=alive, kill=kill, grace=GRACE_S)
    return (_HELD if held else _FED).format(alive=alive, end=end)
