"""The page about triggers.yaml: its layout from the structs that check it, its meaning from triggers.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from holdfast.triggers import layout

INTRODUCTION: Final = """\
What may stand in `triggers.yaml`, and what is done when nothing is said. How to use it: [Have things done by
themselves](../howto/triggers.md). Unknown keys are problems; all problems of a file are told at once."""

Table = Callable[[Sequence[str], Iterable[Sequence[str]]], str]
Told = Callable[[Any], str]


def page(table: Table, type_of: Told, default_of: Told) -> str:
    meanings = tomllib.loads((Path(__file__).parent / "triggers.toml").read_text())
    sections = [_section(name, said, table, type_of, default_of) for name, said in meanings.items()]
    return "\n\n".join(["# triggers.yaml", INTRODUCTION, *sections])


def _section(name: str, said: dict[str, str], table: Table, type_of: Told, default_of: Told) -> str:
    fields = msgspec.structs.fields(getattr(layout, name))
    keys = {field.encode_name for field in fields}
    if keys != said.keys() - {"title", "about"}:
        raise SystemExit(f"docs/triggers.toml and `{name}` differ in {sorted(keys ^ (said.keys() - {'title', 'about'}))}")
    rows = [(f"`{field.encode_name}`", type_of(field.type), default_of(field), said[field.encode_name]) for field in fields]
    about = [said["about"]] if said["about"] else []
    return "\n\n".join([f"## {said['title']}", *about, table(("key", "type", "default", "meaning"), rows)])
