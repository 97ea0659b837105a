"""Take one safety out of the code at a time, and see a test go red: `./dev mutants`.

Each row removes a sync, a digest check or a flag of a rename from a copy of the source and runs the tests that should
notice. A row whose text is no longer in the source is an error, so the table cannot rot.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Mutant(NamedTuple):
    what: str
    file: str  # beneath src/holdfast
    text: str
    instead: str
    tests: str


FILES, JOURNAL = "tests/drivers/files", "tests/journal"
DURABLE = f"{FILES}/test_durability.py"

MUTANTS: Sequence[Mutant] = (
    Mutant(
        "no sync of a new object before it gets its name, few objects",
        "drivers/files/barrier.py",
        'self._sync_alone([(stash.fd, one.name) for one in mine if one.kind in ("file", "dir")])',
        "pass",
        DURABLE,
    ),
    Mutant(
        "no sync of new objects before they get their names, many objects",
        "drivers/files/barrier.py",
        "                self._sync_whole(stash.fd)\n",
        "                pass\n",
        DURABLE,
    ),
    Mutant(
        "no sync of the directories whose names changed",
        "drivers/files/barrier.py",
        "                self._sync(place.fd) if place.syncable else self._sync_whole(place.fd)",
        "                pass",
        DURABLE,
    ),
    Mutant(
        "no sync of directories when there are many",
        "drivers/files/barrier.py",
        "                self._sync_whole(any_place.fd)\n",
        "                pass\n",
        DURABLE,
    ),
    Mutant(
        "no sync of objects whose attributes changed",
        "drivers/files/barrier.py",
        "            self._sync_alone(inodes)\n",
        "            pass\n",
        DURABLE,
    ),
    Mutant(
        "a failed sync is taken for a good one",
        "drivers/files/barrier.py",
        "            if error.errno not in (errno.EINVAL, errno.ENOTSUP):\n"
        "                raise not_durable(error) from None\n",
        "            pass\n",
        f"{FILES}/test_faults.py",
    ),
    Mutant("a new name may overwrite", "drivers/files/calls.py", "new, new_fd, NOREPLACE)", "new, new_fd, 0)", FILES),
    Mutant("a replacement is no exchange", "drivers/files/calls.py", "name, dir_fd, EXCHANGE)", "name, dir_fd, 0)", FILES),
    Mutant(
        "the digest of what is written is not checked",
        "drivers/files/making.py",
        'raise Trouble("checksum_mismatch"',
        'Trouble("checksum_mismatch"',
        FILES,
    ),
    Mutant(
        "a new file follows a link that stands in its way",
        "drivers/files/making.py",
        "_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW",
        "_NEW_FILE = os.O_RDWR | os.O_CREAT",
        FILES,
    ),
    Mutant(
        "the journal is not synced",
        "journal/database.py",
        "                fdatasync(self._log.fd)\n",
        "                pass\n",
        JOURNAL,
    ),
    Mutant(
        "the name of a new log is not synced",
        "journal/database.py",
        "                    sync_directory(self._log.path)\n",
        "                    pass\n",
        JOURNAL,
    ),
    Mutant(
        "the chain of records is not checked",
        "journal/chain.py",
        "return self.mac(link.prev, link.seq, link.body) == link.mac",
        "return True",
        JOURNAL,
    ),
    Mutant(
        "a record need not follow the one before",
        "journal/chain.py",
        "if mac is not None and link.prev != mac:",
        "if False:",
        JOURNAL,
    ),
    Mutant(
        "a journal may be shorter than its anchor says",
        "journal/opening.py",
        'if anchored.writes > tip["writes"] or anchored.last > tip["last"]:',
        "if False:",
        JOURNAL,
    ),
    Mutant(
        "what a checkpoint keeps is not synced",
        "app/keeping/objects.py",
        "            for part in self._parts.values():\n                _sync_file(part)\n            return",
        "            return",
        "tests/app/test_objects.py",
    ),
)


def copied(base: Path) -> Path:
    copy = base / "src"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT / "src", copy)
    return copy


def killed(mutant: Mutant, base: Path) -> bool:
    """Do the tests go red on a copy of the source without this safety?"""
    copy = copied(base)
    path = copy / "holdfast" / mutant.file
    source = path.read_text(encoding="utf-8")
    if mutant.text not in source:
        raise SystemExit(f"the table is out of date: {mutant.file} no longer has {mutant.text!r}")
    path.write_text(source.replace(mutant.text, mutant.instead, 1), encoding="utf-8")
    return not green(mutant.tests, copy)


def green(tests: str, copy: Path) -> bool:
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests.split()]
    found = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if found.returncode not in (0, 1):
        raise SystemExit(f"the tests could not run: {found.stdout[-2000:]}{found.stderr[-2000:]}")
    return found.returncode == 0


def main() -> int:
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="holdfast-mutants-") as base:
        for tests in dict.fromkeys(mutant.tests for mutant in MUTANTS):
            if not green(tests, copied(Path(base))):
                raise SystemExit(f"{tests} is red without any mutation, so it proves nothing")
        for mutant in MUTANTS:
            red = killed(mutant, Path(base))
            survivors += not red
            sys.stdout.write(f"| {mutant.what} | `{mutant.file}` | {'killed' if red else 'SURVIVED'} |\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(MUTANTS) - survivors} of {len(MUTANTS)} killed\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
