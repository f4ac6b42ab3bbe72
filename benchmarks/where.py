"""Where a benchmark ran: machine, commit, versions."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def where(*packages: str) -> dict[str, object]:
    """Return what a result file says of the run beside its numbers."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "commit": commit.stdout.strip(),
        "versions": {name: version(name) for name in ("jixiao", *packages)},
    }
