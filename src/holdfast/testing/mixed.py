"""A plan with every kind of operation over a small tree, for crash tests: at least sixty operations.

`build` makes the tree the plan starts from; `document` is the plan over it. With `fails` its last step fails, so that
everything before it is rolled back.
"""

from __future__ import annotations

import os
from typing import Any

FILES = 8


def build(root: str, sources: str) -> None:
    """The world before: files, links, directories with odd modes, and a source tree beside it."""
    for directory in ("etc", "var", "var/old", "var/old/deep", "srv", "home", "empty"):
        os.makedirs(os.path.join(root, directory), exist_ok=True)
    os.chmod(os.path.join(root, "var/old"), 0o750)
    for number in range(FILES):
        _write(os.path.join(root, f"etc/conf{number}"), f"value={number}\n" * 20, 0o600 + number % 4)
        _write(os.path.join(root, f"var/old/deep/data{number}"), f"data {number}\n", 0o644)
        os.symlink(f"../etc/conf{number}", os.path.join(root, f"home/link{number}"))
    for directory in ("src", "src/bin", "src/lib"):
        os.makedirs(os.path.join(sources, directory), exist_ok=True)
    for number in range(4):
        _write(os.path.join(sources, f"src/bin/tool{number}"), f"#!/bin/sh\necho {number}\n", 0o755)
        _write(os.path.join(sources, f"src/lib/lib{number}"), "x" * 3000, 0o644)


def _write(path: str, text: str, mode: int) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def document(root: str, sources: str, *, fails: bool = False) -> dict[str, Any]:
    stages = [
        {"name": "files", "steps": _file_steps(root)},
        {"name": "trees", "steps": _tree_steps(root, sources)},
        {"name": "effects", "steps": _effect_steps(root)},
    ]
    if fails:
        stages.append({"name": "last", "steps": [{"id": "fails", "command": ["false"], "undo": ["true"]}]})
    return {"holdfast": 1, "name": "mixed", "tasks": [{"name": "main", "stages": stages}]}


def _file_steps(root: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [
        {"id": "opt", "dir": f"{root}/opt", "mode": "0750"},
        {"dir": f"{root}/opt/a/b/c", "parents": True},
    ]
    for number in range(FILES):
        steps.append({"id": f"new{number}", "file": f"{root}/opt/new{number}", "content": f"fresh {number}\n", "mode": "0640"})
        steps.append({"id": f"update{number}", "file": f"{root}/etc/conf{number}", "content": f"value={number + 100}\n"})
        steps.append(
            {"link": f"{root}/opt/link{number}", "to": f"{root}/opt/new{number}", "style": ("absolute", "relative")[number % 2]}
        )
    for number in range(4):
        steps.append({"link": f"{root}/home/link{number}", "to": f"{root}/opt/new{number}", "on_conflict": "overwrite"})
        steps.append({"edit": f"{root}/etc/conf{number}", "line": "added=1", "needs": [f"update{number}"]})
    return steps


def _tree_steps(root: str, sources: str) -> list[dict[str, Any]]:
    return [
        {"id": "moved", "move": f"{root}/var/old", "to": f"{root}/srv/moved"},
        {"move": f"{root}/home/link7", "to": f"{root}/home/link-moved"},
        {"copy": f"{root}/etc", "to": f"{root}/srv/etc-copy"},
        {"copy": f"{root}/etc/conf5", "to": f"{root}/etc/conf5.copy"},
        {"remove": f"{root}/empty"},
        {"remove": f"{root}/home/link6"},
        {"remove": f"{root}/opt/a", "recursive": True},
        {"attributes": f"{root}/etc/conf6", "mode": "0444"},
        {"attributes": f"{root}/srv/moved", "mode": "0700", "recursive": True, "needs": ["moved"]},
        {"tree": f"{root}/opt/app", "source": f"{sources}/src"},
        {"tree": f"{root}/home/app", "source": f"{sources}/src", "as": "links"},
        {"file": f"{root}/opt/tool", "source": f"{sources}/src/bin/tool1", "mode": "0755"},
        {"file": f"{root}/home/link5", "content": "a file now\n", "on_conflict": "backup"},
        {"edit": f"{root}/etc/conf4", "replace": "value=(\\d+)", "with": "number=\\1"},
        {"edit": f"{root}/etc/conf7", "block": "one\ntwo", "marker": "# {mark} holdfast"},
    ]


def _effect_steps(root: str) -> list[dict[str, Any]]:
    marker = f"{root}/opt/marker"
    return [
        {"id": "touch", "command": ["touch", marker], "undo": ["rm", "-f", marker], "check": ["test", "-e", marker]},
        {
            "id": "script",
            "script": f"echo done > {root}/opt/report\n",
            "undo": ["rm", "-f", f"{root}/opt/report"],
            "needs": ["touch"],
        },
        {"wait": "1ms"},
        {"health": ["true"], "needs": ["script"], "attempts": 1},
    ]
