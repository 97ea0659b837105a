"""The manual page, made from the commands themselves: `python -m holdfast.cli.manpage > holdfast.1`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import click

from holdfast import __version__
from holdfast.cli.codes import MEANINGS
from holdfast.cli.root import SECTIONS, cli

ENVIRONMENT: Final[Mapping[str, str]] = {
    "HOLDFAST_STATE": "The state directory, where `--state` does not name one.",
    "XDG_STATE_HOME": "Where state directories are; default: ~/.local/state.",
    "NO_COLOR": "Anything but nothing: no colours.",
}

FILES: Final[Mapping[str, str]] = {
    "$XDG_STATE_HOME/holdfast": "The state directory: the journal, and what is kept so that runs can be undone. Private.",
}

EXAMPLES: Final[Mapping[str, str]] = {
    "holdfast plan release.yaml": "Show what would change; touch nothing.",
    "holdfast apply release.yaml": "Show it, ask, then commit or roll back.",
    "holdfast plan release.yaml --out release.saved && holdfast apply release.saved --yes": "Apply exactly what was reviewed.",
    "holdfast rollback last": "Undo the newest run.",
    "holdfast runs --json": "The list of runs for a program.",
}


def page() -> str:
    context = click.Context(cli, info_name="holdfast", **cli.context_settings)
    return "".join(f"{line}\n" for line in _page(context))


def _page(context: click.Context) -> Iterator[str]:
    summary, *rest = _paragraphs(cli.help or "")
    yield f'.TH HOLDFAST 1 "" "Holdfast {__version__}" "User Commands"'
    yield from (".SH NAME", f"holdfast \\- {_roff(summary[:1].lower() + summary[1:].rstrip('.'))}")
    yield from (".SH SYNOPSIS", ".B holdfast", _roff("[OPTIONS] COMMAND [ARGUMENTS]"))
    yield ".SH DESCRIPTION"
    yield from _text(rest)
    yield ".SH OPTIONS"
    yield "They stand before or after the command."
    yield from _options(cli, context)
    for section, entries in SECTIONS.items():
        yield f".SH {section.upper()}"
        for name in entries:
            yield from _command(name, context)
    yield from _terms("EXIT STATUS", {str(code): f"{meaning}." for code, meaning in MEANINGS.items()})
    yield from _terms("ENVIRONMENT", ENVIRONMENT)
    yield from _terms("FILES", FILES)
    yield from _terms("EXAMPLES", EXAMPLES)


def _command(name: str, parent: click.Context) -> Iterator[str]:
    assert isinstance(parent.command, click.Group)
    command = parent.command.get_command(parent, name)
    assert command is not None
    context = click.Context(command, info_name=name, parent=parent)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f".SS {_roff(usage)}"
    yield from _text(_paragraphs(command.help or ""))
    yield from _options(command, context)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            yield from _command(inner, context)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and record[1] and "--help" not in parameter.opts:
            yield from _term(*record)


def _terms(title: str, terms: Mapping[str, str]) -> Iterator[str]:
    yield f".SH {title}"
    for term, meaning in terms.items():
        yield from _term(term, meaning)


def _term(term: str, meaning: str) -> Iterator[str]:
    yield from (".TP", f".B {_roff(term)}", _roff(meaning))


def _text(paragraphs: Iterable[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        yield ".PP"
        if paragraph.startswith("\b"):  # click's mark for lines that stay as they are
            yield from (".nf", *map(_roff, paragraph.splitlines()[1:]), ".fi")
        else:
            yield _roff(" ".join(paragraph.split()))


def _paragraphs(text: str) -> list[str]:
    return inspect.cleandoc(text).split("\n\n")


def _roff(text: str) -> str:
    """Text that roff prints as it is: no escapes, no requests, no hyphens that are dashes."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    sys.stdout.write(page())
