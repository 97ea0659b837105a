"""Which SQLite the interpreter brings, for who asks whether an installation is sound."""

from __future__ import annotations

import sqlite3
from typing import Final

VERSION: Final[tuple[int, ...]] = tuple(sqlite3.sqlite_version_info)
VERSION_MIN: Final = (3, 37, 0)
