"""Write `docs/reference` from the code: kinds, command line, error codes, states, events.

What is said there is said once, in the code; here it only gets its shape. A page is a function that returns Markdown,
and PAGES lists them. `--check` writes nothing and fails when a page is not what the code says.
"""

from __future__ import annotations

import inspect
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

import commands
import http_api
import msgspec
import triggers

from holdfast.core import states
from holdfast.core.errors import CODES
from holdfast.core.events import EVENTS, PUBLISHED_ONLY
from holdfast.kinds.contract import Duration, Kind, Mode, Secret
from holdfast.kinds.registry import KINDS, kind_of

REFERENCE: Final = Path(__file__).parent / "reference"
INTRODUCTION: Final = """\
A step is written `KIND: VALUE`, with further arguments as keys beside it; the value is the first row of each table.
Paths are on the target, and on `local` relative to the plan file. Keys of every step: [plan file](../plan-file.md)."""
NOTICE: Final = "<!-- Written by `./dev docs` from the code; change it there. -->"


def kinds() -> str:
    """What a step can be, and what each argument means."""
    meanings = tomllib.loads((Path(__file__).parent / "arguments.toml").read_text())
    alike: dict[str, list[str]] = {}
    for name, where in KINDS.items():
        alike.setdefault(where.partition(":")[0], []).append(name)
    return "\n\n".join(["# Operation kinds", INTRODUCTION, *(_kinds(names, meanings) for names in alike.values())])


def cli() -> str:
    """Every command and option."""
    return commands.page(_table)


def error_codes() -> str:
    """The stable words for what went wrong."""
    rows = [(f"`{name}`", "yes" if code.retryable else "no", code.hint) for name, code in CODES.items()]
    introduction = "A code says to a program what a message says to a person. `retry` tells whether trying again may help."
    return "\n\n".join(["# Error codes", introduction, _table(("code", "retry", "what to do"), rows)])


def life_cycles() -> str:
    """The states of run, task, stage and step, and what leads from one to the next."""
    tables = {"Run": states.RUN, "Task": states.TASK, "Stage": states.STAGE, "Step": states.STEP}
    parts = ["# States", _prose(states)]
    for title, table in tables.items():
        parts += [f"## {title}", _diagram(table), _table(("state", "event", "next state"), _transitions(table))]
    asked = [(f"`{verb}`", _words(sorted(allowed))) for verb, allowed in sorted(states.COMMANDS.items())]
    return "\n\n".join([*parts, "## What a person may ask of a run", _table(("command", "in the states"), asked)])


def events() -> str:
    """Every fact the journal can hold."""
    introduction = (
        "An event carries `seq`, `at` and `type`; of a run also `run` and `plan_seq`; and where it belongs to one,\n"
        "`task` and `task_seq`, `stage`, `step`. The values listed here are in its `data`."
    )
    rows = [
        (f"`{name}`", _words(value.removesuffix("[]") for value in values), "no" if name in PUBLISHED_ONLY else "yes")
        for name, values in EVENTS.items()
    ]
    return "\n\n".join(["# Events", introduction, _table(("type", "data", "journaled"), rows)])


def triggers_yaml() -> str:
    """Every key of triggers.yaml."""
    return triggers.page(_table, _type, _default)


def over_http() -> str:
    """Every route of the HTTP API."""
    return http_api.page(_table)


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "kinds.md": kinds,
    "cli.md": cli,
    "error-codes.md": error_codes,
    "states.md": life_cycles,
    "events.md": events,
    "triggers.md": triggers_yaml,
    "http-api.md": over_http,
}


def main(arguments: Sequence[str]) -> int:
    pages = {REFERENCE / name: f"{NOTICE}\n\n{page()}\n" for name, page in PAGES.items()}
    pages[REFERENCE / "holdfast.1"] = f'.\\" {NOTICE}\n{commands.manual()}\n'
    if "--check" in arguments:
        stale = [file for file, text in pages.items() if not file.exists() or file.read_text() != text]
        print(
            "\n".join(f"docs/reference/{file.name} is not what the code says; run `./dev docs`" for file in stale)
            or "docs: up to date"
        )
        return 1 if stale else 0
    REFERENCE.mkdir(exist_ok=True)
    for file, text in pages.items():
        file.write_text(text)
    print(f"docs: {len(pages)} pages written")
    return 0


# -- kinds


def _kinds(names: Sequence[str], meanings: Mapping[str, Mapping[str, str]]) -> str:
    """Kinds that share a module differ in nothing that a table could show."""
    kind = kind_of(names[0])
    assert kind is not None
    title = names[0] if len(names) == 1 else names[0].partition(".")[0]
    said = {**meanings["every"], **meanings.get(title, {})}
    fields = sorted(msgspec.structs.fields(kind), key=lambda field: field.name != kind.main)
    unsaid = [field.encode_name for field in fields if field.encode_name not in said]
    if unsaid:
        raise SystemExit(f"docs/arguments.toml does not say what {_words(unsaid)} of `{title}` means")
    rows = [
        (f"`{_word(field, names)}`", _type(field.type), _default(field), said[field.encode_name] + _where(field.name, kind))
        for field in fields
    ]
    about = _prose(import_module(kind.__module__)).partition(": ")[2]
    table = _table(("argument", "type", "default", "meaning"), rows)
    listed = [_table(("kind",), [(f"`{name}`",) for name in names])] if len(names) > 1 else []
    return "\n\n".join([f"## {title}", about[:1].upper() + about[1:], *listed, table])


def _word(field: msgspec.structs.FieldInfo, names: Sequence[str]) -> str:
    """The main argument is what is written behind the kind itself."""
    kind = kind_of(names[0])
    if kind is None or field.name != kind.main:
        return field.encode_name
    return names[0] if len(names) == 1 else "KIND"


def _where(field: str, kind: type[Kind]) -> str:
    return " (where Holdfast runs; relative to the plan file)" if field in kind.here else ""


TYPES: Final[Mapping[Any, str]] = {str: "text", bool: "true or false", int: "number", float: "number", Any: "anything"}


def _type(wanted: Any) -> str:
    origin, inner = get_origin(wanted), [part for part in get_args(wanted) if part not in (type(None), ...)]
    if origin is Literal:
        return " or ".join(f"`{word}`" for word in inner)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_type(part) for part in inner))
    if origin is tuple:
        return "list" if len(inner) > 1 or get_origin(inner[0]) else f"list of {_type(inner[0])}"
    if origin is dict:
        return "mapping"
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct) and wanted is not Secret:
        return f"mapping of {_words(field.name for field in msgspec.structs.fields(wanted))}"
    return TYPES.get(wanted) or str(wanted.__name__).lower()


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "*required*"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value in (None, "", (), {}) or isinstance(value, msgspec.Struct):
        return ""
    if isinstance(value, Duration):
        return f"`{value:g}s`"
    return f"`{value:04o}`" if isinstance(value, Mode) else f"`{msgspec.json.encode(value).decode().strip(chr(34))}`"


# -- states


def _transitions(table: states.Table) -> list[tuple[str, str, str]]:
    return [(f"`{state}`", f"`{event}`", f"`{to}`") for state, events in table.items() for event, to in events.items()]


def _diagram(table: states.Table) -> str:
    """Arrows between the same two states share one label, so that the picture stays readable."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for state, events in table.items():
        for event, to in events.items():
            arrows.setdefault((state, to), []).append(event.partition(".")[2])
    lines = [f"  {state} --> {to}: {', '.join(names)}" for (state, to), names in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"  [*] --> {next(iter(table))}", *lines, "```"])


# -- shapes


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _words(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _prose(module: ModuleType) -> str:
    return inspect.cleandoc(module.__doc__ or "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
