"""Where and with what a run of the suite was measured."""

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from benchmarks.measurement import REPOSITORY

PACKAGES = (
    "cytotag", "numpy", "onnxruntime", "openvino", "optimum", "optimum-onnx", "pyarrow", "ray", "tokenizers", "torch",
    "transformers",
)  # fmt: skip
FLAGS = ("avx2", "fma", "f16c", "avx512", "avx_vnni", "vnni", "amx", "bf16", "fp16")
"""What the name of a CPU flag holds that tells how fast matrices are multiplied."""


def environment() -> dict[str, Any]:
    """Date, machine, versions and git revision, as `results.json` has them."""
    cpu = cpu_of(Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            **cpu,
            "cores": len(os.sched_getaffinity(0)),
            "memory_bytes": psutil.virtual_memory().total,
            "system": platform.platform(),
            "load_before": round(
                os.getloadavg()[0], 2
            ),  # of the last minute; other work makes all of this worth little
        },
        "versions": {"python": platform.python_version(), **_versions()},
        "revision": _revision(),
    }


def cpu_of(cpuinfo: str) -> dict[str, Any]:
    """Model and flags of the first CPU in the text of /proc/cpuinfo; those flags that say how it multiplies."""
    lines = (line.split(":", 1) for line in cpuinfo.split("\n\n")[0].splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, value in lines}
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    model = fields.get("model name") or platform.machine()
    return {"cpu": model, "flags": sorted(flag for flag in flags if any(part in flag for part in FLAGS))}


def _versions() -> dict[str, str]:
    installed = {}
    for name in PACKAGES:
        try:
            installed[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed


def _revision() -> str | None:
    """The commit, and whether files differ from it; None outside a git repository."""
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603  # git
    except (OSError, subprocess.CalledProcessError):
        return None
