"""The command line as its reference page and as its manual page. Both say what `--help` says."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import NamedTuple

import click

from holdfast.cli import cli as root
from holdfast.cli import codes

Table = Callable[[tuple[str, ...], list[tuple[str, ...]]], str]


class Entry(NamedTuple):
    path: str  # `holdfast checkpoint create`
    usage: str
    about: list[str]  # paragraphs
    options: list[tuple[str, str]]


def entries() -> list[Entry]:
    return list(_walk(root, click.Context(root, info_name="holdfast")))


def _walk(command: click.Command, context: click.Context) -> Iterator[Entry]:
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    about = [paragraph for paragraph in inspect.cleandoc(command.help or "").split("\n\n") if paragraph]
    options = [record for record in records if record and record[1] and "--help" not in record[0]]
    yield Entry(context.command_path, usage, about, options)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from _walk(inner, click.Context(inner, info_name=name, parent=context))


# -- as Markdown


def page(table: Table) -> str:
    parts = ["# Command line", "Global options stand before or after the command."]
    for entry in entries():
        parts += [f"## {entry.path}", *map(_paragraph, entry.about), f"```console\n$ {entry.usage}\n```"]
        if entry.options:
            parts += [table(("option", "meaning"), [(f"`{names}`", about) for names, about in entry.options])]
    parts += ["## Exit codes", table(("code", "meaning"), [(f"`{code}`", about) for code, about in exit_codes()])]
    return "\n\n".join(parts)


def _paragraph(text: str) -> str:
    """Click marks a paragraph that keeps its lines with a backspace."""
    return "```text\n" + text.removeprefix("\b\n") + "\n```" if text.startswith("\b") else " ".join(text.split())


def exit_codes() -> list[tuple[str, str]]:
    lines = inspect.cleandoc(codes.__doc__ or "").splitlines()
    return [(code, about.strip()) for code, _, about in (line.partition(" ") for line in lines) if code.isdigit()]


# -- as a manual page


def manual() -> str:
    whole, *commands = entries()
    lines = ['.TH HOLDFAST 1 "" "Holdfast" "User Commands"', ".SH NAME", r"holdfast \- " + _roff(whole.about[0].rstrip("."))]
    lines += [".SH SYNOPSIS", f".B {_roff(whole.usage)}", ".SH DESCRIPTION", *_described(whole)]
    lines += [".SH COMMANDS"]
    for entry in commands:
        lines += [f".SS {_roff(entry.usage)}", *_described(entry)]
    lines += [".SH EXIT STATUS"]
    for code, about in exit_codes():
        lines += [".TP", f".B {code}", _roff(about)]
    return "\n".join(lines)


def _described(entry: Entry) -> Iterator[str]:
    for paragraph in entry.about:
        kept = paragraph.startswith("\b")
        text = paragraph.removeprefix("\b\n") if kept else " ".join(paragraph.split())
        yield from [".PP", ".nf", _roff(text), ".fi"] if kept else [".PP", _roff(text)]
    for names, about in entry.options:
        yield from [".TP", f".B {_roff(names)}", _roff(" ".join(about.split()))]


def _roff(text: str) -> str:
    """A backslash, a hyphen and a dot that begins a line mean something there."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return "\n".join(rf"\&{line}" if line.startswith((".", "'")) else line for line in escaped.splitlines())
