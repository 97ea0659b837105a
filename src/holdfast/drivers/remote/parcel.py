"""What is sent to a host so that a worker runs there: the modules it needs, in one piece, and the few words that start them.

The modules travel as source and as the byte code of this Python; a host with the same one saves the compiling. Nothing
of it is written to the host's disk.
"""

from __future__ import annotations

import marshal
import zlib
from functools import lru_cache
from importlib.abc import InspectLoader
from importlib.util import MAGIC_NUMBER, find_spec
from typing import Final

START: Final = b"holdfast begins here\n"  # what stands before it was meant for sudo
OLDEST: Final = (3, 8)
NO_PYTHON: Final = 86  # exit code when there is none, or only older ones

_PACKAGES: Final = (
    "holdfast",
    "holdfast.core",
    "holdfast.drivers",
    "holdfast.drivers.files",
    "holdfast.drivers.remote",
    "holdfast.kinds",
)
_MODULES: Final = (
    *(f"holdfast.kinds.{name}" for name in ("node", "content")),
    *(
        f"holdfast.drivers.files.{name}"
        for name in (
            *("calls", "values", "forms", "looking", "places", "copying", "stash", "barrier", "making", "grip"),
            *("attributes", "moving", "switching", "inspecting", "engine"),
        )
    ),
    *(f"holdfast.drivers.remote.{name}" for name in ("wire", "keeping", "switch", "asking", "worker")),
)

# It takes no byte more than it needs, because what follows are frames.
_BOOT: Final = """\
import os,sys
if sys.version_info<{oldest!r}:sys.exit({none})
def take(n):
 b=b""
 while len(b)<n:
  p=os.read(0,n-len(b))
  if not p:sys.exit(0)
  b+=p
 return b
line=b""
while not line.endswith({start!r}):line+=take(1)
import marshal,zlib
parts=[take(int(take(10)))for _ in range(4)]
exec(zlib.decompress(parts[0]))
"""

_LOADER: Final = """\
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER
packages = {packages!r}
known = marshal.loads(zlib.decompress(parts[3 if parts[1] == MAGIC_NUMBER else 2]))
class Carried:
    def find_spec(self, name, path=None, target=None):
        if name in known or name in packages:
            return ModuleSpec(name, self, is_package=name in packages)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        code = known.get(module.__name__, "")
        exec(compile(code, module.__name__, "exec", dont_inherit=True) if isinstance(code, str) else code, module.__dict__)
sys.meta_path.insert(0, Carried())
from holdfast.drivers.remote.worker import main
main()
"""


# The first Python that is young enough. The system's own comes first: what a profile puts before it in PATH is often a
# script that looks for one, and takes ten times as long. Who runs the host may name another one, as for HOLDFAST_REMOTE.
# One that is too old says so before it has taken anything off its input.
_FIND: Final = """\
for p in ${{HOLDFAST_PYTHON:-/usr/bin/python3 python3 python}}; do
command -v "$p" >/dev/null 2>&1 || continue
"$p" -I -S -X utf8 -c "$0"
code=$?
case $code in 2|{none}) ;; *) exit $code; esac
done
exit {none}"""


def command(python: str = "") -> tuple[str, ...]:
    """The words that start a worker, which then waits for its parcel."""
    boot = _BOOT.format(start=START, oldest=OLDEST, none=NO_PYTHON)
    if python:
        return (python, "-I", "-S", "-X", "utf8", "-c", boot)
    return ("sh", "-c", _FIND.format(none=NO_PYTHON), boot)


def shell() -> tuple[str, ...]:
    """The words that start a shell, which then waits for its calls. A password that sudo did not ask for is no call."""
    return ("sh", "-c", 'while read -r line; do [ "$line" != "$0" ] || exec sh; done', START.decode().strip())


def modules() -> tuple[str, ...]:
    """What travels."""
    return _MODULES


@lru_cache(maxsize=1)
def parcel() -> bytes:
    """Everything the worker is made of. Byte code of another Python is not looked at."""
    sources, codes = {}, {}
    for name in _MODULES:
        spec = find_spec(name)
        assert spec is not None and isinstance(spec.loader, InspectLoader)
        sources[name], codes[name] = spec.loader.get_source(name), spec.loader.get_code(name)
    parts = (
        zlib.compress(_LOADER.format(packages=_PACKAGES).encode()),
        MAGIC_NUMBER,
        zlib.compress(marshal.dumps(sources, 2), 1),  # to pack it tighter takes longer than to send it
        zlib.compress(marshal.dumps(codes), 1),
    )
    return START + b"".join(b"%010d" % len(part) + part for part in parts)
