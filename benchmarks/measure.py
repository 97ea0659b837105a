"""Measuring whole processes: time and peak memory from the operating system, alternating, medians.

Figures are ratios of runs that took turns in one session; absolute times of one machine say little.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    seconds: float
    peak_mib: float


@dataclass(frozen=True)
class Contender:
    """Something that does the work: `prepare` makes a fresh place for it and says what to run there."""

    name: str
    prepare: Callable[[], Sequence[str]]


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Sample:
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:6])} ended with {process.returncode}: {said.decode(errors='replace')[-800:]}")
    return Sample(seconds, usage.ru_maxrss / 1024)


def alternate(contenders: Sequence[Contender], rounds: int) -> dict[str, Sample]:
    """Every contender in turn, round after round, after one round that does not count; the medians."""
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for number in range(rounds + 1):
        for contender in contenders:
            sample = run(contender.prepare())
            if number:
                samples[contender.name].append(sample)
    return {name: _median(found) for name, found in samples.items()}


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(statistics.median(s.seconds for s in samples), statistics.median(s.peak_mib for s in samples))


def machine() -> str:
    return f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, Linux {os.uname().release}"
