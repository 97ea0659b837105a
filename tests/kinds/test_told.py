"""What a person reads about an effect before approving it."""

from __future__ import annotations

from holdfast.kinds.command import Command
from holdfast.kinds.contract import Duration
from holdfast.kinds.health import Health
from holdfast.kinds.link import Link
from holdfast.kinds.script import Script
from holdfast.kinds.wait import Wait


def test_a_command_is_told_as_it_would_be_typed_with_what_undoes_it() -> None:
    command = Command(argv=("systemctl", "reload", "my app"), undo="systemctl reload app", check="test -e /x", cwd="/srv")
    assert command.told() == "$ systemctl reload 'my app'\nin /srv\ncheck: test -e /x\nundo: systemctl reload app\n"


def test_undoing_a_command_is_told_as_its_undo() -> None:
    assert Command(argv=("a",), undo=("b", "c"), sudo=True).told(undo=True) == "# b c\n"
    assert Command(argv=("a",)).told(undo=True) == ""


def test_a_command_of_another_user_names_the_user() -> None:
    assert Command(argv="psql", sudo="postgres").told() == "postgres$ psql\n"


def test_a_script_is_told_line_by_line_with_what_runs_it() -> None:
    assert Script(text="#!/bin/bash\necho hello\n", args=("a b",)).told() == "$ /bin/bash 'a b'\n| #!/bin/bash\n| echo hello\n"


def test_what_only_waits_or_asks_says_how_long() -> None:
    assert Wait(duration=Duration(3)).told() == "wait 3 s\n"
    told = Health(probe="tcp://localhost:80", interval=Duration(2), attempts=4).told()
    assert told == "ask tcp://localhost:80 up to 4 times, every 2 s\n"


def test_where_states_tell_what_changes_nothing_is_told_twice() -> None:
    assert Link(path="/a", to="b").told() == ""
