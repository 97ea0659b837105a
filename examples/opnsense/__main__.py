"""Applies one of the plans beside this file to a simulated appliance: python examples/opnsense guest-vlan"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import holdfast
from holdfast.testing.opnsense import Simulator

HERE = Path(__file__).parent
PLANS = sorted(file.stem for file in HERE.glob("*.yaml"))


def main(name: str) -> int:
    with Simulator() as appliance, tempfile.TemporaryDirectory() as state, holdfast.open(state) as engine:
        environment = {"OPN_URL": appliance.url, "OPN_KEY": appliance.key, "OPN_SECRET": appliance.secret}
        os.environ.update(environment)  # where references to secrets lead
        result = engine.apply(holdfast.load(HERE / f"{name}.yaml", env=environment))
        print(f"{name}: {result.ending}")
        for error in result.errors:
            print(f"  {error['step']}: {error['message']}")
        print(f"  what is configured runs: {'yes' if not appliance.pending else 'no'}")
        return 0 if result.ending in ("committed", "rolled_back") else 1


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PLANS:
        sys.exit(f"say which: {', '.join(PLANS)}")
    sys.exit(main(sys.argv[1]))
