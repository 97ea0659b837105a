"""What was reviewed is what is applied, or nothing is."""

from __future__ import annotations

import json
import stat

from tests.cli.conftest import Shell

FILE = "file: a\ncontent: new\nid: a"


def test_a_saved_plan_is_applied_as_it_was_shown(shell: Shell) -> None:
    plan = shell.steps(FILE)
    planned = shell.run("plan", plan, "--out", "saved")
    assert planned.code == 0 and "holdfast apply saved" in planned.out
    (shell.home / "plan.yaml").unlink()
    assert shell.run("apply", "saved", "--yes").code == 0
    assert (shell.home / "a").read_text() == "new"


def test_a_saved_plan_is_private(shell: Shell) -> None:
    shell.run("plan", shell.steps(FILE), "--out", "saved")
    assert stat.S_IMODE((shell.home / "saved").stat().st_mode) == 0o600
    assert [path.name for path in shell.home.iterdir() if "saved" in path.name] == ["saved"]


def test_a_saved_plan_is_stale_when_the_world_changed(shell: Shell) -> None:
    (shell.home / "a").write_text("old")
    shell.run("plan", shell.steps(FILE), "--out", "saved")
    (shell.home / "a").write_text("somebody else")
    ended = shell.run("apply", "saved", "--yes", "--json")
    assert (ended.code, ended.document["errors"][0]["code"]) == (4, "stale_plan")
    assert (shell.home / "a").read_text() == "somebody else"


def test_a_saved_plan_is_stale_when_a_source_changed(shell: Shell) -> None:
    (shell.home / "source").write_text("one")
    shell.run("plan", shell.steps("file: a\nsource: source"), "--out", "saved")
    (shell.home / "source").write_text("two")
    assert shell.run("apply", "saved", "--yes").code == 4


def test_a_saved_plan_that_cannot_be_applied_any_more_is_stale_and_says_why(shell: Shell) -> None:
    (shell.home / "d").mkdir()
    shell.run("plan", shell.steps("file: d/a\ncontent: x\nid: a"), "--out", "saved")
    (shell.home / "d").rmdir()
    ended = shell.run("apply", "saved", "--yes", "--json")
    assert (ended.code, [error["code"] for error in ended.document["errors"]]) == (4, ["stale_plan", "parent_not_found"])
    assert ended.document["failed"] == ["a"]


def test_a_saved_plan_is_shown_like_any_other(shell: Shell) -> None:
    shell.run("plan", shell.steps(FILE), "--out", "saved")
    assert "1 to create" in shell.run("plan", "saved").out


def test_a_plan_that_cannot_be_applied_is_not_saved(shell: Shell) -> None:
    assert shell.run("plan", shell.steps("link: l\nto: /nowhere/x"), "--out", "saved").code == 4
    assert not (shell.home / "saved").exists()


def test_only_the_expected_digest_is_applied(shell: Shell) -> None:
    plan = shell.steps(FILE)
    digest = shell.json("plan", plan)["digest"]
    refused = shell.run("apply", plan, "--yes", "--expect", "sha256:" + "0" * 64, "--json")
    assert (refused.code, refused.document["errors"][0]["code"]) == (4, "stale_plan")
    assert shell.run("apply", plan, "--yes", "--expect", digest).code == 0


def test_the_digest_covers_the_contents_a_plan_refers_to(shell: Shell) -> None:
    plan = shell.steps("file: a\nsource: source")
    digests = set()
    for content in ("one", "two"):
        (shell.home / "source").write_text(content)
        digests.add(shell.json("plan", plan)["digest"])
    assert len(digests) == 2


def test_a_place_that_cannot_be_written_is_a_clean_error(shell: Shell) -> None:
    for place in ("no/such/place", "plan.yaml/place"):
        ended = shell.run("plan", shell.steps(FILE), "--out", place)
        assert ended.code == 1
        assert place in ended.err and ".new" not in ended.err


def test_a_saved_plan_is_one_json_document(shell: Shell) -> None:
    shell.run("plan", shell.steps(FILE), "--out", "saved")
    assert set(json.loads((shell.home / "saved").read_text())) == {"holdfast_saved_plan", "digest", "plan", "changes"}


def test_the_plan_file_itself_is_never_overwritten(shell: Shell) -> None:
    plan = shell.steps(FILE)
    text = (shell.home / plan).read_text()
    ended = shell.run("plan", plan, "--out", plan)
    assert ended.code == 2 and "overwrite" in ended.err
    assert (shell.home / plan).read_text() == text
    assert shell.run("plan", plan, "--out", "saved").code == shell.run("plan", "saved", "--out", "saved").code == 0
