"""The command line: one face of `holdfast.app`. It parses what was asked, shows what app says, and decides nothing.

root        the table of commands          options     what commands share
commands/   one module for a few of them   views/      documents as lines for people
screen      the two streams                lines       text that cannot harm a terminal
codes       exit codes                     signals     what Ctrl-C does to a run
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, TextIO

import click

from holdfast.cli.invocation import Invocation
from holdfast.cli.root import cli
from holdfast.cli.screen import Screen, abandon

# Of the collector: a large run keeps nearly all it makes, and to walk it every 700 objects takes a seventh of its time.
COLLECT_EVERY = 50_000
COMPLETE = "_HOLDFAST_COMPLETE"  # set by the completion script of a shell


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:  # the process is ours; who calls from a program of their own keeps what they chose
        gc.set_threshold(COLLECT_EVERY)
    _fill_streams()
    invocation = Invocation(Screen(sys.stdout or _nowhere("w"), sys.stderr or _nowhere("w")))
    if os.environ.get(COMPLETE):
        return _complete(invocation, os.environ[COMPLETE])
    try:
        code = _run(invocation, words)
        invocation.screen.close()
        return code
    except BrokenPipeError:  # whoever read the answer had enough of it
        abandon(invocation.screen.out)
        return invocation.verdict
    except (Exception, KeyboardInterrupt) as error:
        from holdfast.cli.failing import failed

        code = failed(invocation, error, words)
        with suppress(OSError):
            invocation.screen.close()
        return code


def _run(invocation: Invocation, words: list[str]) -> int:
    try:
        with cli.make_context("holdfast", list(words), obj=invocation) as context:  # click eats its list
            code: int = cli.invoke(context)
            return code
    except click.exceptions.Exit as end:  # after --help and --version
        return end.exit_code


def _fill_streams() -> None:
    """Where a standard stream was closed, the next file that is opened - the journal! - would take its place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    sys.stdin = sys.stdin or _nowhere("r")


def _nowhere(mode: Literal["r", "w"]) -> TextIO:
    return open(os.devnull, mode, encoding="utf-8")


def _complete(invocation: Invocation, instruction: str) -> int:
    from click.shell_completion import shell_complete

    return shell_complete(cli, {"obj": invocation}, "holdfast", COMPLETE, instruction)


__all__ = ["cli", "main"]
