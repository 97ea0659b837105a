"""Real plans over a zoo, applied and rolled back: every object is as it was, with every time that it had."""

from __future__ import annotations

from pathlib import Path

import pytest

import holdfast
from holdfast.testing import zoo

STEPS = {
    "move": "move: {0}/text\n    to: {0}/deep/moved",
    "move a tree": "move: {0}/deep\n    to: {0}/hollow/deep",
    "move over something": "move: {0}/text\n    to: {0}/binary\n    on_conflict: overwrite",
    "move beside something": "move: {0}/text\n    to: {0}/binary\n    on_conflict: backup",
    "remove": "remove: {0}/tagged",
    "remove a tree": "remove: {0}/deep\n    recursive: true",
    "remove an empty directory": "remove: {0}/hollow",
    "rewrite": "file: {0}/listed\n    content: new",
    "edit": "edit: {0}/text\n    line: more",
    "change modes": 'attributes: {0}/deep\n    mode: "0711"\n    recursive: true',
    "copy a tree": "copy: {0}\n    to: {1}/copy",
    "copy over a link": "copy: {0}/sparse\n    to: {0}/relative\n    on_conflict: overwrite",
    "link": "link: {0}/deep/link\n    to: pearl\n    dangling: true",
    "directories": "dir: {0}/deep/a/b/c\n    parents: true",
    "a tree of links": "tree: {1}/links\n    source: {0}/deep\n    as: links",
    "a tree into a tree": "tree: {0}/deep\n    source: {0}/folder-of-links\n    as: copies",
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_rolling_back_leaves_no_difference(tmp_path: Path, step: str) -> None:
    root = tmp_path / "root"
    zoo.build(root)
    before = zoo.manifest(root)
    plan = holdfast.parse(f"holdfast: 1\nname: trial\nsteps:\n  - {step.format(root / 'family-0', root)}\n")
    with holdfast.open(str(tmp_path / "state")) as hf:
        done = hf.apply(plan)
        assert done.ending == "committed", done.errors
        assert zoo.manifest(root) != before
        assert hf.rollback(done.run).ending == "rolled_back"
    assert zoo.differences(before, zoo.manifest(root)) == []


def test_a_plan_that_fails_at_its_end_leaves_no_difference(tmp_path: Path) -> None:
    root = tmp_path / "root"
    zoo.build(root)
    before = zoo.manifest(root)
    home = root / "family-0"
    used = ("rewrite", "remove", "change modes", "link", "move over something", "a tree of links")
    steps = "".join(f"  - {STEPS[name].format(home, root)}\n" for name in used)
    plan = holdfast.parse(f'holdfast: 1\nname: trial\nsteps:\n{steps}  - command: ["false"]\n    irreversible: true\n')
    with holdfast.open(str(tmp_path / "state")) as hf:
        assert hf.apply(plan).ending == "rolled_back"
    assert zoo.differences(before, zoo.manifest(root)) == []
