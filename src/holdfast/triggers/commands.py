"""Running the command of an action or of a source: no shell, a time limit, a bounded output without secrets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from secrets import token_hex
from typing import Final

from holdfast.core.errors import Failure
from holdfast.drivers.process import leftovers
from holdfast.drivers.process.failures import ended_badly, name_of, not_started
from holdfast.drivers.process.starting import Starter
from holdfast.drivers.secrets import Secrets
from holdfast.drivers.spawn import Limits, Stopped, run
from holdfast.kinds.running import Invocation
from holdfast.triggers.definitions import Command

OUTPUT_BYTES_MAX: Final = 16 * 1024
GRACE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Ran:
    output: str
    failure: Failure | None = None


async def run_command(command: Command, secrets: Secrets, *, output_bytes_max: int = OUTPUT_BYTES_MAX) -> Ran:
    """What it said, and why it failed. Who is cancelled meanwhile ends it, with everything it started."""
    invocation = Invocation(argv=command.argv, env=dict(command.env), cwd=command.cwd)
    limits = Limits(command.timeout, GRACE_S, output_bytes_max, secrets.margin)
    mark = token_hex(8)
    try:
        ended = await run(Starter(secrets, "sudo").program(invocation, mark), limits)
    except (OSError, ValueError) as error:
        return Ran("", not_started(invocation, error))
    except asyncio.CancelledError:  # while it was being started
        await leftovers.stop(mark, GRACE_S)
        raise
    if ended.stopped is not None:
        await leftovers.stop(mark, GRACE_S)  # whoever left the group ends as well
    if ended.stopped is Stopped.CANCELLED:
        raise asyncio.CancelledError
    output = secrets.show(ended.output)
    if ended.stopped is None and ended.code == 0:
        return Ran(output)
    return Ran(output, ended_badly(name_of(command.argv), ended, secrets, command.timeout))
