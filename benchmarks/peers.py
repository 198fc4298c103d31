"""Where the peers are, and what stands in for one that is absent."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path

__all__ = ["dot_program", "has", "versions"]


def dot_program() -> str:
    """The system's ``dot``, else the embedded engine, which takes the same options."""
    from autograd_tour.drawing.engine import choose

    return shutil.which("dot") or choose("graphviz-pure")[1]


def has(package: str) -> bool:
    """Whether a peer is installed."""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def versions() -> list[tuple[str, str]]:
    """What the figures were measured on: the processor, and the version of all that took part."""
    found = [
        ("processor", _processor()),
        ("cores", str(_cores())),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("Python", platform.python_version()),
    ]
    packages = (
        "torch", "autograd-tour", "torchviz", "torchlens", "pytest-torch", "graphviz-pure", "transformers",
        "torchvision",
    )  # fmt: skip
    found += [(name, importlib.metadata.version(name) if has(name) else "not installed") for name in packages]
    system = shutil.which("dot")
    if system:
        said = subprocess.run([system, "-V"], capture_output=True, text=True, check=False).stderr
        found.append(("dot", next((word for word in said.split() if word[:1].isdigit()), "unknown")))
    else:
        found.append(("dot", "not installed: graphviz-pure stands in"))
    return found


def _cores() -> int:
    return os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )
