"""The frame: help, global options, what is there and what is not."""

from __future__ import annotations

import click
import pytest

from holdfast import __version__
from holdfast.cli import cli
from holdfast.cli.manpage import page
from holdfast.cli.root import COMMANDS
from tests.cli.conftest import Shell


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_command_with_what_it_does(shell: Shell, flag: str) -> None:
    ended = shell.run(flag)
    assert ended.code == 0
    assert all(f"  {name} " in ended.out and entry.help in ended.out for name, entry in COMMANDS.items())


def test_no_arguments_at_all_show_the_help_as_a_mistake(shell: Shell) -> None:
    ended = shell.run()
    assert ended.code == 2 and "plan" in ended.out + ended.err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_works_and_explains_itself(shell: Shell, name: str) -> None:
    ended = shell.run(name, "-h")
    assert ended.code == 0 and ended.out.startswith(f"Usage: holdfast {name}")


def test_the_help_of_the_table_is_the_help_of_the_command() -> None:
    """Two sentences about one command must not drift apart in what they are about."""
    context = click.Context(cli, info_name="holdfast")
    assert all(cli.get_command(context, name).name == name for name in COMMANDS)  # type: ignore[union-attr]


def test_the_version(shell: Shell) -> None:
    assert shell.run("--version").out == f"holdfast {__version__}\n"


def test_global_options_stand_before_or_after_the_command(shell: Shell) -> None:
    other = str(shell.home / "other")
    shell.run("apply", shell.steps("file: a\ncontent: x"), "--yes", "--state", other)
    assert len(shell.json("--state", other, "runs")["runs"]) == 1
    assert len(shell.json("runs", "--state", other)["runs"]) == 1
    assert shell.json("runs")["runs"] == []
    assert shell.run("journal", "--json", "verify").document["ok"]
    assert shell.run("journal", "verify", "--state", other, "--json").document["records"] > 0


def test_quiet_says_nothing_but_the_answer(shell: Shell) -> None:
    ended = shell.process("apply", shell.steps("file: a\ncontent: x"), "--yes", "--quiet")
    assert ended.err == ""
    assert ended.code == 0


def test_verbose_says_what_did_not_change(shell: Shell) -> None:
    plan = shell.steps("file: a\ncontent: x\nid: a")
    shell.run("apply", plan, "--yes")
    assert "unchanged" in shell.run("apply", plan, "--yes", "-v").err
    assert f"= local:{shell.home}/a" in shell.run("plan", plan, "-v").out


def test_progress_goes_to_standard_error_and_the_answer_to_standard_output(shell: Shell) -> None:
    ended = shell.process("apply", shell.steps("file: a\ncontent: x\nid: a"), "--yes")
    assert ended.err.startswith("applied") and "applied" not in ended.out


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell: Shell, name: str) -> None:
    ended = shell.run("completion", name)
    assert ended.code == 0 and "_HOLDFAST_COMPLETE" in ended.out


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("holdfast ro", "rollback"),
        ("holdfast apply --on-failure ", "continue"),
        ("holdfast show ", "last"),
        ("holdfast journal v", "verify"),
    ],
)
def test_a_shell_is_offered_what_could_follow(shell: Shell, monkeypatch: pytest.MonkeyPatch, typed: str, offered: str) -> None:
    words = typed.split(" ")
    monkeypatch.setenv("_HOLDFAST_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    assert f"plain,{offered}\n" in shell.run().out


def test_a_shell_is_offered_the_runs(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    run = shell.json("apply", shell.steps("file: a\ncontent: x"), "--yes")["run"]
    monkeypatch.setenv("_HOLDFAST_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "holdfast show ")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert run in shell.run().out


def test_the_manual_page_names_every_command_and_exit_code() -> None:
    text = page()
    assert all(f".SS holdfast {name}" in text for name in COMMANDS)
    assert "130" in text and ".SH ENVIRONMENT" in text
    assert not any(line.startswith((". ", "'")) for line in text.splitlines())


def test_the_schema_is_a_document(shell: Shell) -> None:
    assert shell.run("schema").document["$schema"]


def test_an_unexpected_error_is_one_clean_sentence_without_debug(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("boom \x1b[31m")

    monkeypatch.setattr("holdfast.app.looking.reading.Reading.runs", broken)
    ended = shell.run("runs")
    assert ended.code == 1
    assert ended.err.startswith("error: RuntimeError: boom \\x1b[31m") and "please report" in ended.err
    assert "Traceback" in shell.run("runs", "--debug").err
    assert shell.json("runs")["error"]["code"] == "bug"
