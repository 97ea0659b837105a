"""With `prune: true` goes what an earlier plan of this name left in place and this one leaves out; nothing else does."""

from __future__ import annotations

from tests.cli.conftest import Shell

FIRST = """
    - dir: d
    - file: d/f
      content: x
    - link: l
      to: d/f
    - tree: t
      source: s
    - edit: e
      line: added
    - move: m
      to: n
"""


def plan_of(shell: Shell, steps: str, *, prune: bool = True, name: str = "site") -> str:
    text = f"holdfast: 1\nname: {name}\npolicy: {{prune: {str(prune).lower()}}}\nsteps:\n{steps}"
    (shell.home / f"{name}.yaml").write_text(text)
    return f"{name}.yaml"


def there(shell: Shell) -> set[str]:
    return {name for name in ("d", "d/f", "l", "t", "t/x/g", "e", "n") if (shell.home / name).exists()}


def start(shell: Shell) -> None:
    (shell.home / "s/x").mkdir(parents=True)
    (shell.home / "s/x/g").write_text("g")
    for name in "em":
        (shell.home / name).write_text(name)
    assert shell.run("apply", plan_of(shell, FIRST), "--yes").code == 0


def test_what_a_plan_made_goes_and_what_it_only_edited_or_moved_stays(shell: Shell) -> None:
    start(shell)
    plan = plan_of(shell, "    - {link: l, to: d/f}\n")
    shown = shell.json("plan", plan)
    deleted = [change["resource"] for change in shown["changes"] if change["action"] == "delete"]
    gone = [resource.removeprefix(f"local:{shell.home}/") for resource in deleted]
    assert gone == ["t/x/g", "t/x", "t"]  # what the link leads to is still needed
    assert shell.json("rehearse", plan)["points"] > 0
    assert shell.run("apply", plan, "--yes", "--expect", shown["digest"]).code == 0
    assert there(shell) == {"d", "d/f", "l", "e", "n"}
    assert shell.run("rollback", "last", "--yes").code == 0
    assert "t/x/g" in there(shell)


def test_it_goes_also_when_a_plan_without_prune_left_it_out_first(shell: Shell) -> None:
    start(shell)
    (shell.home / "d/own").write_text("somebody's")
    assert shell.run("apply", plan_of(shell, "    - {wait: 1ms}\n", prune=False), "--yes").code == 0
    assert len(there(shell)) == 7
    assert shell.run("apply", plan_of(shell, "    []\n"), "--yes", "--json").document["ending"] == "committed"
    assert there(shell) == {"d", "e", "n"}
    assert shell.run("apply", plan_of(shell, "    []\n"), "--yes", "--json").document["ending"] == "unchanged"


def test_what_another_plan_manages_stays(shell: Shell) -> None:
    start(shell)
    shell.run("apply", plan_of(shell, "    - {file: d/f, content: x}\n", name="another"), "--yes")
    assert shell.run("apply", plan_of(shell, "    []\n"), "--yes").code == 0
    assert {"d", "d/f"} <= there(shell)


def test_a_saved_plan_removes_what_was_shown(shell: Shell) -> None:
    start(shell)
    shell.run("plan", plan_of(shell, "    - {dir: d}\n"), "--out", "saved")
    assert shell.run("apply", "saved", "--yes").code == 0
    assert there(shell) == {"d", "e", "n"}
