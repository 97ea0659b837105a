"""The executor without `await`: every call runs its own event loop until it is done; connections stay in between."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from holdfast.ssh.configuration import ExecutorConfig
from holdfast.ssh.executor import Executor
from holdfast.ssh.pool import Statistics
from holdfast.ssh.values import Command, Heard, Progress, Result, Script, Transfer, Transferred

T = TypeVar("T")


class Front:
    """Use it as a context manager, from one thread. `executor` is what stands behind it."""

    def __init__(self, config: ExecutorConfig | None = None, **parts: Any) -> None:
        self.executor = Executor(config, **parts)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Front:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run_command(self, command: Command, heard: Heard | None = None) -> Result:
        return self._wait(self.executor.run_command(command, heard))

    def run_script(self, script: Script, heard: Heard | None = None) -> Result:
        return self._wait(self.executor.run_script(script, heard))

    def transfer(self, asked: Transfer, progress: Progress = lambda done, whole: None) -> Transferred:
        return self._wait(self.executor.transfer(asked, progress))

    def run_all(self, asked: Sequence[Command | Script], *, parallel: int = 32, heard: Heard | None = None) -> list[Result]:
        return self._wait(self.executor.run_all(asked, parallel=parallel, heard=heard))

    def configure(self, config: ExecutorConfig) -> None:
        self.executor.configure(config)

    def statistics(self) -> Statistics:
        return self.executor.statistics()

    def close(self) -> None:
        self._wait(self.executor.close())
        self._runner.close()

    def _wait(self, what: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(what)
