"""Plan files: bytes become a `Plan`, or every problem with its place and a hint.

Nothing is executed while a plan is read, and nothing is looked at but the file itself and what `each` takes from a file
beside it. This module imports no more than it needs: each command line pays for it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from holdfast.collecting import undisturbed
from holdfast.core.plan import Plan
from holdfast.planfile.paths import Anchor
from holdfast.planfile.reader import read
from holdfast.planfile.source import Source, Spot, meant

Format = Literal["yaml", "json", "toml"]

__all__ = ["Format", "from_canonical", "load", "parse", "schema"]


def load(
    path: str | os.PathLike[str],
    *,
    env: Mapping[str, str] | None = None,
    roots: Sequence[str] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan in a file; `-` reads YAML from standard input. Raises PlanError with all problems.

    `given` are values for `vars` that the plan declares, instead of those in the file.
    """
    name = os.fspath(path)
    base = os.getcwd() if name == "-" else os.path.dirname(os.path.abspath(name))
    with undisturbed():
        source = Source.of_file(name)
        if given:
            _give(source, given)
        return _read(source, base, env, roots)


def parse(
    text: str | bytes | Mapping[str, Any],
    *,
    format: Format = "yaml",
    name: str = "<text>",
    base: str | None = None,
    env: Mapping[str, str] | None = None,
    roots: Sequence[str] | None = None,
) -> Plan:
    """The plan in a text, or in a mapping that was read elsewhere. Raises PlanError with all problems.

    Relative paths are relative to `base`; without one they are a problem. With `roots`, so is every local path elsewhere.
    """
    with undisturbed():
        source = Source.of_text(text, format, name) if isinstance(text, (str, bytes)) else Source.of_value(text, name)
        return _read(source, base, env, roots)


def from_canonical(document: bytes) -> Plan:
    """The plan whose `document` this is, without a look at the environment or at any file."""
    from msgspec import json

    from holdfast.planfile.canonical import escape, unescape

    with undisturbed():
        value = json.decode(unescape(document))
        canonical = escape(json.encode(value, order="sorted"))  # bytes that were written elsewhere may differ in spaces
        return read(Source("<document>", value), Anchor(), {}, literal=True, document=canonical)


def schema() -> dict[str, Any]:
    """The JSON Schema of plan files."""
    from holdfast.planfile.json_schema import plan_schema

    return plan_schema()


def _read(source: Source, base: str | None, env: Mapping[str, str] | None, roots: Sequence[str] | None) -> Plan:
    env = os.environ if env is None else env
    return read(source, Anchor(base=base, home=env.get("HOME"), roots=roots), env)


def _give(source: Source, given: Mapping[str, Any]) -> None:
    """Values as they were given: a reference in one of them is only text, whoever wrote it."""
    if not isinstance(source.value, dict):
        return
    declared = source.value.get("vars")
    declared = declared if isinstance(declared, dict) else {}
    for name, value in given.items():
        if name not in declared:
            hint = meant(name, declared) or "declare it under `vars`"
            problem = Spot(source, ("vars",)).problem("undefined_variable", f"the plan has no variable `{name}`", hint)
            source.problems.append(problem)
        declared = {**declared, name: value.replace("${", "$${") if isinstance(value, str) else value}
    source.value["vars"] = declared
