"""What ends a command on its host when its client is gone: an attendant beside it, in the sh of POSIX.

sshd closes a channel that nobody holds any more, but it lets the command run on. The first commands of a connection have
an attendant each: it reads the input of the channel, which the client keeps open, and the end of that is the end of the
client; beside a command with an input of its own it looks once a second whether the session is still there.

Where more commands come, one attendant is sent for that all later ones share. They write the number of their process
into its input, through a door that only Linux has; where that is shut, they have their own. None is anybody's child,
so that `wait` does not wait for it, and none does anything when its command is over: what that left running goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Final

from holdfast.ssh.dialogue import Dialogue
from holdfast.ssh.quoting import joined
from holdfast.ssh.values import Sudo

GRACE_S: Final = 5
SHARED_FROM: Final = 3  # commands of one connection: for fewer another session is not worth it

_HELD: Final = (
    "exec 3<&0 </dev/null;( (trap '' TERM HUP INT;while read -r _hf;do :;done <&3;{end}) >/dev/null 2>&1 &);exec 3<&-;"
)
_FED: Final = "( (trap '' TERM HUP INT;while {alive}&&kill -0 $PPID;do sleep 1;done;{end}) </dev/null >/dev/null 2>&1 &);"
_END: Final = "{alive}||exit;{kill} -s TERM -- -$$;sleep {grace};{kill} -s KILL -- -$$"
_SHARING: Final = "if {{ echo $$ >>{door};}} 2>/dev/null;then {shut}else {own}fi;"

# Only a shell that speaks as POSIX says gets through this line; so whoever answers needs no other shell between.
START: Final = '[ "${hf_-x}" = x ]&&exec /bin/sh'
# Numbers of processes come again: each is kept with the time at which it came, and ends only what began before. Shut, the
# door keeps out whoever would not be heard any more; who is within it then is heard still.
_SHARED: Final = """\
{{
trap '' TERM HUP INT
clock() {{ read -r t _ </proc/uptime;t=${{t%.*}}${{t#*.}};}}
began() {{ b=;read -r b </proc/$1/stat;set -- ${{b##*) }};b=${{20}};}}
hear() {{ while read -r p signal;do
if [ -n "$signal" ];then kill -s "$signal" -- "-$p";continue;fi
clock;still=;for each in $all;do [ ! -d /proc/${{each%:*}} ]||still="$still $each";done;all="$still $p:$t"
done;}}
end() {{ some=1;for each in $all;do began ${{each%:*}};if [ -n "$b" ]&&[ "$b" -le ${{each#*:}} ];then
kill -s $1 -- -${{each%:*}}&&some=0;fi;done;return $some;}}
all=;clock&&began $$&&[ "$b" -le "$t" ]&&[ $((t-b)) -lt 1000 ]||exit
exec 3<&0;echo {mark} at /proc/$$/fd/3 >&2;exec >/dev/null 2>&1
hear;exec 3<&-;hear
end TERM&&sleep {grace}&&end KILL;exit
}}
"""


class Attendant:
    """The near end of one that is shared. Its channel is closed only while nobody is in its charge."""

    def __init__(self) -> None:
        self.dialogue = Dialogue(lambda error, data: None)
        self.charges = 0
        self._door = ""
        mark = f"hf-{token_hex(12)}"
        self.dialogue.expect(mark, self._note)
        self.text = _SHARED.format(mark=mark, grace=GRACE_S).encode()

    def _note(self, word: str, value: str) -> None:
        self._door = value

    @property
    def there(self) -> bool:
        return bool(self._door) and not self.dialogue.exited.is_set()

    @contextmanager
    def attending(self) -> Iterator[None]:
        self.charges += 1
        try:
            yield
        finally:
            self.charges -= 1

    def tell(self, group: int, signal: str) -> None:
        self.dialogue.write(f"{group} {signal}\n".encode())

    def sharing(self, own: str, *, held: bool) -> str:
        return _SHARING.format(door=self._door, shut="exec </dev/null;" if held else ":;", own=own)


def attendance(shared: Attendant | None, *, held: bool, sudo: Sudo | None) -> str:
    """The lines that see to it, before a command. What runs behind the password of sudo cannot be ended from beside it."""
    if sudo is not None and sudo.password:
        return ""
    kill = "kill" if sudo is None else joined(["sudo", "-n", "-u", sudo.user, "--", "kill"])
    alive = "kill -0 $$" if sudo is None else "ps -p $$"
    end = _END.format(alive=alive, kill=kill, grace=GRACE_S)
    own = (_HELD if held else _FED).format(alive=alive, end=end)
    return own if shared is None or sudo is not None else shared.sharing(own, held=held)
