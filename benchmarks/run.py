"""`./dev bench`: what Holdfast costs, against the bare limit and against what users would pick instead.

Every row is measured in one run, the contenders taking turns; the figures are ratios of medians.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from measure import Contender, alternate, machine
from places import DURABLE_FILES, LINK_LOOP, LINK_TREE, Place, holdfast, python


@dataclass(frozen=True)
class Row:
    work: str
    measured: str
    target: str
    met: bool | None  # None: nothing to compare with here


def _ratio(work: str, value: float, limit: float, against: str) -> Row:
    return Row(work, f"{value:.2f} x {against}", f"<= {limit:g} x", value <= limit)


def tree_of_links(rounds: int) -> list[Row]:
    with Place() as place:
        source = place.fresh("source")
        for directory in range(100):
            os.mkdir(f"{source}/d{directory}")
            for file in range(100):
                open(f"{source}/d{directory}/f{file}", "w").close()
        stow = place.path("stow")
        shutil.copytree(source, f"{stow}/package")

        def ours() -> Sequence[str]:
            plan = place.plan("tree", [{"tree": place.fresh("ours"), "source": source, "as": "links"}])
            return holdfast(place.fresh("state"), "apply", "--yes", "--quiet", plan)

        contenders = [
            Contender("bare", lambda: python(LINK_TREE, source, place.fresh("bare"))),
            Contender("holdfast", ours),
        ]
        if shutil.which("stow"):
            contenders.append(
                Contender("stow", lambda: ["stow", "--no-folding", "-d", stow, "-t", place.fresh("stowed"), "package"])
            )
        found = alternate(contenders, rounds)
    ours_s = found["holdfast"].seconds
    rows = [_ratio("link a tree of 100 x 100 files", ours_s / found["bare"].seconds, 3, "a bare os.symlink process")]
    if "stow" in found:
        rows.append(_ratio("the same", ours_s / found["stow"].seconds, 1, "stow --no-folding"))
    else:
        rows.append(Row("the same", "stow is not installed", "<= 1 x", None))
    return rows


def ten_thousand_links(rounds: int) -> list[Row]:
    count = 10_000
    with Place() as place:
        kept: dict[str, str] = {}

        def first() -> Sequence[str]:
            kept["to"] = place.fresh("ours")
            kept["plan"] = place.yaml_links("links", kept["to"], count)
            kept["state"] = place.fresh("state")
            return holdfast(kept["state"], "apply", "--yes", "--quiet", kept["plan"])

        contenders = [
            Contender("bare", lambda: python(LINK_LOOP, place.fresh("bare"), str(count))),
            Contender("apply", first),
            Contender("again", lambda: holdfast(kept["state"], "apply", "--yes", "--quiet", kept["plan"])),
        ]
        found = alternate(contenders, rounds)
    bare = found["bare"].seconds
    peak = max(found["apply"].peak_mib, found["again"].peak_mib)
    return [
        _ratio("a YAML plan of 10,000 link steps: apply", found["apply"].seconds / bare, 10, "the bare loop"),
        _ratio("the same, unchanged", found["again"].seconds / bare, 5, "the bare loop"),
        Row("the same, peak memory", f"{peak:.0f} MiB", "<= 250 MB", peak * 1.048576 <= 250),
    ]


def durable_files(rounds: int) -> list[Row]:
    with Place() as place:
        source = place.fresh("source")
        for number in range(2000):
            with open(f"{source}/f{number}", "wb") as file:
                file.write(os.urandom(4096))

        def ours() -> Sequence[str]:
            plan = place.plan("copies", [{"tree": place.fresh("ours"), "source": source}])
            return holdfast(place.fresh("state"), "apply", "--yes", "--quiet", plan)

        contenders = [
            Contender("bare", lambda: python(DURABLE_FILES, source, place.fresh("bare"))),
            Contender("holdfast", ours),
        ]
        found = alternate(contenders, rounds)
    value = found["holdfast"].seconds / found["bare"].seconds
    return [_ratio("2,000 files of 4 KiB, durable", value, 2.5, "temporary files + syncfs + renames")]


NO_OPS = """
import random, sys, tempfile, time
import holdfast
from holdfast.app.home import Home
from holdfast.app.parts import Parts
from holdfast.app.wiring import Wiring
from holdfast.journal.memory import MemoryJournal
count = int(sys.argv[1])
chance = random.Random(1)
steps = [
    {"id": f"s{i}", "dir": f"/d{i}", "needs": sorted({f"s{chance.randrange(i)}" for _ in range(2)}) if i else []}
    for i in range(count)
]
plan = holdfast.parse({"holdfast": 1, "name": "noop", "on": "memory", "steps": steps})
with tempfile.TemporaryDirectory() as state:
    home = Home(state)
    with holdfast.Holdfast(Parts(home, MemoryJournal(), Wiring(home))) as engine:
        assert engine.apply(plan).ending == "committed"
        started = time.perf_counter()
        result = engine.apply(plan)
        print((time.perf_counter() - started) / count * 1e6)
assert result.ending == "unchanged", result.ending
"""


def no_ops(rounds: int) -> list[Row]:
    def cost(count: int) -> float:
        out = subprocess.run(python(NO_OPS, str(count)), capture_output=True, text=True, check=True)
        return float(out.stdout)

    small = sorted(cost(100_000) for _ in range(max(1, rounds // 2)))[max(0, (rounds // 2) // 2 - 1)]
    large = cost(1_000_000)
    return [
        Row("100,000 no-op steps on memory", f"{small:.1f} us a step", "<= 20 us", small <= 20),
        Row("1,000,000 of them", f"{large / small:.2f} x the cost of a step", "linear (<= 1.3 x)", large / small <= 1.3),
    ]


def journal_syncs(rounds: int) -> list[Row]:
    if not shutil.which("strace"):
        return [Row("journal syncs of a 60-operation local plan", "strace is not installed", "<= 4", None)]
    with Place() as place:
        root = place.fresh("root")
        steps: list[dict[str, object]] = [{"id": "top", "dir": f"{root}/top"}]
        for number in range(20):
            steps += [
                {"dir": f"{root}/top/{number}"},
                {"id": f"f{number}", "file": f"{root}/top/{number}/file", "content": f"{number}\n"},
                {"link": f"{root}/top/{number}/link", "to": f"{root}/top/{number}/file"},
            ]
        plan = place.plan("sixty", steps[:60])
        state = place.fresh("state")
        before = place.plan("before", [{"dir": f"{root}/before"}])
        subprocess.run(
            holdfast(state, "apply", "--yes", "--quiet", before), check=True, capture_output=True
        )  # makes the journal
        trace = place.path("trace")
        command = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync,sync_file_range,syncfs", "-o", trace]
        subprocess.run([*command, *holdfast(state, "apply", "--yes", "--quiet", plan)], check=True, capture_output=True)
        with open(trace, encoding="utf-8") as file:
            lines = [line for line in file if re.search(r"(fsync|fdatasync)\(\d+<[^>]*journal", line)]
    return [Row("journal syncs of a 60-operation local plan", f"{len(lines)}", "<= 4", len(lines) <= 4)]


def start_up(rounds: int) -> list[Row]:
    with Place() as place:
        state = place.fresh("state")
        plan = place.plan("one", [{"dir": f"{place.fresh('root')}/a"}])
        subprocess.run(holdfast(state, "apply", "--yes", "--quiet", plan), check=True, capture_output=True)
        contenders = [Contender("bare", lambda: [sys.executable, "-c", "pass"])]
        for words in (["--help"], ["show", "last"], ["runs"]):
            contenders.append(Contender(" ".join(words), lambda words=words: holdfast(state, *words)))
        found = alternate(contenders, rounds * 4)
    bare = found.pop("bare").seconds
    return [_ratio(f"holdfast {name}", sample.seconds / bare, 7, "python3 -c pass") for name, sample in found.items()]


def recovery(rounds: int) -> list[Row]:
    import holdfast as package
    from holdfast.testing.crash import Boundary, counted_engine, in_child

    applied, recovered = [], []
    for _ in range(max(1, rounds // 2)):
        with Place() as place:
            plan = package.load(place.yaml_links("links", place.fresh("ours"), 10_000))

            def whole(state: str, kill_at: int | None, plan: object = plan) -> float:
                started = time.perf_counter()
                in_child(lambda: _apply(state, kill_at, plan))
                return time.perf_counter() - started

            def _apply(state: str, kill_at: int | None, plan: object) -> int:
                with counted_engine(state, Boundary(kill_at)) as engine:
                    engine.apply(plan)
                return 0

            def _recover(state: str) -> int:
                with counted_engine(state, Boundary()) as engine:
                    engine.recover()
                return 0

            state = place.fresh("state")
            whole(state, 9_000)
            started = time.perf_counter()
            in_child(lambda state=state: _recover(state))
            recovered.append(time.perf_counter() - started)
            applied.append(whole(place.fresh("state"), None))
    value = sorted(recovered)[len(recovered) // 2] / sorted(applied)[len(applied) // 2]
    return [_ratio("recovery of a run killed at step 9,000 of 10,000", value, 2, "the time applying took")]


def ssh(rounds: int) -> Iterator[Row]:
    from ssh import measure

    for found in measure(rounds):
        target = "" if found.limit is None else f"<= {found.limit:.3g} x"
        if found.value is None:
            yield Row(found.work, f"no figure of {found.against}", target, None)
        else:
            met = None if found.limit is None else found.value <= found.limit
            yield Row(found.work, f"{found.value:.3g} x {found.against}", target, met)


def serve(rounds: int) -> Iterator[Row]:
    from serve import measure

    for found in measure(rounds):
        yield Row(*found)


def triggers(rounds: int) -> Iterator[Row]:
    from triggers import measure

    for found in measure(rounds):
        yield Row(*found)


def rollout(rounds: int) -> list[Row]:
    from rollout import rows

    return [Row(*found) for found in rows(min(rounds, 3))]


BENCHES: dict[str, Callable[[int], Iterable[Row]]] = {
    "tree": tree_of_links,
    "links": ten_thousand_links,
    "files": durable_files,
    "noop": no_ops,
    "syncs": journal_syncs,
    "start": start_up,
    "recovery": recovery,
    "ssh": ssh,
    "serve": serve,
    "triggers": triggers,
    "rollout": rollout,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *BENCHES], help="only these: " + ", ".join(BENCHES))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{machine()}; medians of {options.rounds} rounds\n")
    print(f"{'work':<52} {'measured':<46} {'target':<20} met")
    missed = 0
    for name in options.names or BENCHES:
        for row in BENCHES[name](options.rounds):
            said = {True: "yes", False: "NO", None: "-"}[row.met]
            missed += row.met is False
            print(f"{row.work:<52} {row.measured:<46} {row.target:<20} {said}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
