"""Checkpoints: kept with their contents, shown, compared, gone back to."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from pathlib import Path

import pytest

import holdfast
from holdfast import Holdfast, Options, Plan, Refused
from holdfast.app.keeping.restoring import plan_from
from holdfast.app.opening import open_parts
from holdfast.app.wiring import TARGETS, Target, Wiring
from holdfast.drivers.contract import Driver
from holdfast.testing.faulty import Died, Faulty, Moment
from tests.app.conftest import PlanOf, manifest

LOCAL = TARGETS["local"]


def release(plan_of: PlanOf, version: str, **more: str) -> Plan:
    return plan_of(
        {"dir": "app", "mode": "0750"},
        {"file": "app/conf", "content": f"release={version}\n", "mode": "0640"},
        {"link": "current", "to": "app/conf"},
        **more,
    )


def damage(state: str) -> None:
    for path in Path(state, "objects").iterdir():
        path.write_text("damaged")


@pytest.fixture
def released(hf: Holdfast, plan_of: PlanOf) -> Holdfast:
    assert hf.apply(release(plan_of, "1")).ending == "committed"
    return hf


def test_a_checkpoint_is_listed_with_what_it_holds(released: Holdfast, root: Path) -> None:
    released.checkpoint_create("before", plan="web")
    (listed,) = released.checkpoints()
    assert (listed["name"], listed["plan"]) == ("before", "web")
    assert listed["resources"] == [f"local:{root}/app", f"local:{root}/app/conf", f"local:{root}/current"]
    assert listed["created_at"].endswith("Z")


def test_a_checkpoint_shows_the_states_it_recorded(released: Holdfast, root: Path) -> None:
    released.checkpoint_create("before")
    shown = released.checkpoint_show("before")
    assert shown["plan"] is None
    assert shown["states"][f"local:{root}/app/conf"]["mode"] == "0640"
    assert shown["states"][f"local:{root}/current"]["target"] == "app/conf"


def test_going_back_restores_content_and_metadata(released: Holdfast, root: Path, plan_of: PlanOf) -> None:
    os.setxattr(root / "app/conf", "user.origin", b"by hand")
    os.utime(root / "app/conf", ns=(1, 123_456_789))
    before = manifest(root)
    released.checkpoint_create("before")
    released.apply(release(plan_of, "2"))
    os.chmod(root / "app", 0o700)
    (root / "current").unlink()
    result = released.checkpoint_restore("before")
    assert result.ending == "committed"
    assert manifest(root) == before


def test_going_back_is_a_run_of_its_own_that_can_be_rolled_back(released: Holdfast, root: Path, plan_of: PlanOf) -> None:
    released.checkpoint_create("before")
    released.apply(release(plan_of, "2"))
    after = manifest(root)
    run = released.checkpoint_restore("before").run
    assert released.run_row(run).plan == "restore-before"
    assert released.rollback(run).ending == "rolled_back"
    assert manifest(root) == after


def test_going_back_twice_changes_nothing(released: Holdfast, plan_of: PlanOf) -> None:
    released.checkpoint_create("before")
    released.apply(release(plan_of, "2"))
    released.checkpoint_restore("before")
    assert released.checkpoint_restore("before").ending == "unchanged"


def test_diff_shows_the_changes_from_now_back_to_it(released: Holdfast, root: Path, plan_of: PlanOf) -> None:
    released.checkpoint_create("before")
    released.apply(release(plan_of, "2"))
    preview = released.checkpoint_diff("before")
    (change,) = preview.differences
    assert (change["resource"], change["action"]) == (f"local:{root}/app/conf", "update")
    assert "-release=2\n+release=1" in change["diff"]
    assert (root / "app/conf").read_text() == "release=2\n"


def test_what_was_absent_is_absent_again(hf: Holdfast, root: Path, plan_of: PlanOf) -> None:
    (root / "old").write_text("to be gone")
    hf.apply(plan_of({"remove": "old"}))
    hf.checkpoint_create("gone")
    (root / "old").write_text("back again")
    assert hf.checkpoint_restore("gone").ending == "committed"
    assert not (root / "old").exists()


def test_whole_trees_are_kept(hf: Holdfast, root: Path, tmp_path: Path, plan_of: PlanOf) -> None:
    source = tmp_path / "source"
    (source / "bin").mkdir(parents=True)
    (source / "bin/tool").write_text("#!/bin/sh\n")
    (source / "bin/tool").chmod(0o755)
    (source / "large").write_bytes(os.urandom(3 << 20))
    (source / "link").symlink_to("bin/tool")
    hf.apply(plan_of({"tree": "copy", "source": str(source)}))
    hf.checkpoint_create("whole")
    before = manifest(root)
    shutil.rmtree(root / "copy/bin")
    (root / "copy/large").write_text("small")
    (root / "copy/more").write_text("foreign")
    assert hf.checkpoint_restore("whole").ending == "committed"
    assert manifest(root) == before


def test_a_directory_that_took_the_place_of_a_file_goes_with_its_content_only_if_it_was_recorded(
    released: Holdfast, root: Path
) -> None:
    released.checkpoint_create("before")
    (root / "app/conf").unlink()
    (root / "app/conf").mkdir()
    (root / "app/conf/foreign").write_text("not ours")
    result = released.checkpoint_restore("before")
    assert (result.ending, [error["code"] for error in result.errors]) == ("refused", ["not_empty"])
    assert (root / "app/conf/foreign").read_text() == "not ours"


def test_resources_within_one_another_are_restored_in_order(hf: Holdfast, root: Path, tmp_path: Path, plan_of: PlanOf) -> None:
    (tmp_path / "source/sub").mkdir(parents=True)
    (tmp_path / "source/sub/file").write_text("one")
    (root / "gone/deep").mkdir(parents=True)
    hf.apply(plan_of({"tree": "t", "source": str(tmp_path / "source")}, name="tree"))
    hf.apply(plan_of({"file": "t/sub/own", "content": "mine"}, name="own"))
    hf.apply(plan_of({"remove": "gone/deep"}, name="inner"))
    hf.apply(plan_of({"remove": "gone"}, name="outer"))
    hf.checkpoint_create("nested")
    before = manifest(root)
    shutil.rmtree(root / "t")
    (root / "gone/deep").mkdir(parents=True)
    assert hf.checkpoint_restore("nested").ending == "committed"
    assert manifest(root) == before


def test_special_files_and_links_are_restored(hf: Holdfast, root: Path, plan_of: PlanOf) -> None:
    (root / "from").mkdir()
    os.mkfifo(root / "from/pipe", 0o620)
    (root / "from/dangling").symlink_to("nowhere")
    hf.apply(plan_of({"copy": "from", "to": "to"}))
    hf.checkpoint_create("special")
    shutil.rmtree(root / "to")
    assert hf.checkpoint_restore("special").ending == "committed"
    assert stat.S_ISFIFO((root / "to/pipe").lstat().st_mode)
    assert (root / "to/dangling").readlink() == Path("nowhere")


def test_contents_are_private_and_stored_once(hf: Holdfast, state: str, plan_of: PlanOf) -> None:
    hf.apply(plan_of({"file": "a", "content": "same"}, {"file": "b", "content": "same"}))
    hf.checkpoint_create("one")
    hf.checkpoint_create("two")
    objects = Path(state, "objects")
    assert stat.S_IMODE(objects.stat().st_mode) == 0o700
    (content,) = [path for path in objects.iterdir() if not path.name.startswith(".")]
    assert (content.read_text(), stat.S_IMODE(content.stat().st_mode)) == ("same", 0o600)


def test_names_are_unique_and_sensible(released: Holdfast) -> None:
    released.checkpoint_create("before")
    for name, code in (("before", "conflict"), ("", "invalid_value"), ("../escape", "invalid_value"), ("-x", "invalid_value")):
        with pytest.raises(Refused) as refused:
            released.checkpoint_create(name)
        assert refused.value.code == code


def test_an_unknown_name_is_told(released: Holdfast) -> None:
    for ask in (released.checkpoint_show, released.checkpoint_diff, released.checkpoint_restore, released.checkpoint_delete):
        with pytest.raises(Refused) as refused:
            ask("nothing")
        assert refused.value.code == "not_found"
    with pytest.raises(Refused) as refused:
        released.checkpoint_create("of-nothing", plan="unknown")
    assert refused.value.code == "not_found"


def test_a_deleted_checkpoint_is_gone_and_its_contents_with_the_next_compaction(released: Holdfast, state: str) -> None:
    released.checkpoint_create("before")
    released.checkpoint_delete("before")
    assert released.checkpoints() == []
    assert released.compact(keep_runs=100)["objects"] == 1
    assert [path.name for path in Path(state, "objects").iterdir()] == [".lock"]


def test_contents_that_a_checkpoint_needs_survive_a_compaction(released: Holdfast, root: Path) -> None:
    released.checkpoint_create("before")
    assert released.compact(keep_runs=0)["objects"] == 0
    (root / "app/conf").unlink()
    assert released.checkpoint_restore("before").ending == "committed"


def test_a_lost_content_refuses_the_restore_before_anything_is_touched(released: Holdfast, root: Path, state: str) -> None:
    released.checkpoint_create("before")
    for path in Path(state, "objects").iterdir():
        path.unlink()
    (root / "app/conf").unlink()
    (root / "current").unlink()
    result = released.checkpoint_restore("before")
    assert (result.ending, [error["code"] for error in result.errors]) == ("refused", ["before_image_lost"])
    assert not (root / "current").is_symlink()


def test_a_damaged_content_refuses_the_restore_before_anything_is_touched(released: Holdfast, root: Path, state: str) -> None:
    released.checkpoint_create("before")
    damage(state)
    (root / "app/conf").unlink()
    (root / "current").unlink()
    result = released.checkpoint_restore("before")
    assert (result.ending, [error["code"] for error in result.errors]) == ("refused", ["before_image_lost"])
    assert not (root / "current").is_symlink()


def test_events_tell_of_checkpoints(released: Holdfast, root: Path) -> None:
    released.checkpoint_create("before")
    (root / "current").unlink()
    run = released.checkpoint_restore("before").run
    released.checkpoint_delete("before")
    told = [event for event in released.event_documents() if event["type"].startswith("checkpoint.")]
    assert [event["type"] for event in told] == ["checkpoint.created", "checkpoint.restored", "checkpoint.deleted"]
    assert told[0]["data"] == {"name": "before", "plan": None, "resources": 3}
    assert told[1]["data"] == {"name": "before", "run": run}


def test_a_restore_plan_reads_back_from_its_document(released: Holdfast) -> None:
    released.checkpoint_create("before")
    plan = released.checkpoint("before").plan_back("/kept")
    again = plan_from(plan.document, "/kept")
    assert (again.digest, again.steps) == (plan.digest, plan.steps)


def test_a_restore_that_fails_is_taken_back(hf: Holdfast, root: Path, tmp_path: Path, plan_of: PlanOf, state: str) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/file").write_text("one")
    hf.apply(plan_of({"link": "current", "to": "copy", "dangling": True}, {"tree": "copy", "source": str(tmp_path / "source")}))
    hf.checkpoint_create("before")
    (root / "current").unlink()
    shutil.rmtree(root / "copy")
    damage(state)
    result = hf.checkpoint_restore("before", Options(source="test"))
    assert (result.ending, result.errors[0]["code"]) == ("rolled_back", "checksum_mismatch")
    assert manifest(root) == {}


@pytest.mark.parametrize("resume", [False, True])
def test_a_restore_that_was_killed_is_finished_by_the_next_process(
    released: Holdfast, root: Path, plan_of: PlanOf, state: str, resume: bool
) -> None:
    old = manifest(root)
    released.checkpoint_create("before")
    released.apply(release(plan_of, "2"))
    (root / "current").unlink()
    new = manifest(root)
    with dying(state, at=2) as hf, pytest.raises(Died):
        hf.checkpoint_restore("before")
    released.checkpoint_delete("before")  # what a run needs it has by itself
    (result,) = released.recover(resume=resume)
    assert result.ending == ("committed" if resume else "rolled_back")
    assert manifest(root) == (old if resume else new)


def dying(state: str, at: int) -> Holdfast:
    """An engine whose process is killed by its n-th move of files."""

    def files(wiring: Wiring, target: Target, on_loop: bool) -> Driver:
        return Faulty(LOCAL["files"](wiring, target, False), at, Moment.DURING, deadly=True)

    parts = open_parts(state)
    parts.wiring = Wiring(parts.home, targets={**TARGETS, "local": {**LOCAL, "files": files}})
    return Holdfast(parts)


def test_checkpoints_of_the_asynchronous_front(state: str, root: Path, plan_of: PlanOf) -> None:
    async def use() -> str | None:
        async with holdfast.Engine.open(state) as engine:
            await engine.apply(release(plan_of, "1"))
            await engine.checkpoint_create("before")
            await engine.apply(release(plan_of, "2"))
            preview = await engine.checkpoint_diff("before")
            assert preview.pending
            return (await engine.checkpoint_restore("before")).ending

    assert asyncio.run(use()) == "committed"
    assert (root / "app/conf").read_text() == "release=1\n"


def test_the_memory_target_has_checkpoints_too(hf: Holdfast, plan_of: PlanOf) -> None:
    hf.apply(plan_of({"file": "/conf", "content": "one"}, name="mem", on="memory"))
    hf.checkpoint_create("before")
    hf.apply(plan_of({"file": "/conf", "content": "two"}, name="mem", on="memory"))
    assert hf.checkpoint_restore("before").ending == "committed"
    assert hf.drift() == []
