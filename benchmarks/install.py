"""``python -m benchmarks.install``: the wheel in an empty environment of every Python that is here.

Each gets the wheel and what it depends on, draws the thermometer, and is measured: what was installed, in MB,
and how long imports take. `docs/install.md` has the table.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

__all__ = ["Environment", "main", "page", "pythons"]

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "install.md"
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
ROUNDS = 5
SIZES = """
import importlib.metadata as metadata, json
sizes = {}
for item in metadata.distributions():
    files = item.files or []
    sizes[item.name] = sum(path.stat().st_size for path in map(item.locate_file, files) if path.exists())
print(json.dumps(sizes))
"""
TIMED = "import time; begin = time.perf_counter(); import {}; print(time.perf_counter() - begin)"


class Environment(NamedTuple):
    """What was measured in one: sizes in MB of the package, of torch, and of all else; imports in seconds."""

    python: str
    torch: str
    own: float
    of_torch: float
    rest: float
    packages: int
    package_import: float
    torch_import: float


def pythons() -> dict[str, str]:
    """The interpreters that are here, by version: on the path, or beside one another under pyenv."""
    places = os.environ.get("PATH", "").split(os.pathsep)
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    places += [str(path / "bin") for path in sorted(versions.glob("*"), reverse=True)]
    every: dict[str, str] = {}
    for version in VERSIONS:
        for folder in places:
            program = Path(folder) / f"python{version}"
            if program.exists() and "shims" not in folder and _runs(program):
                every.setdefault(version, str(program))
    return every


def _runs(program: Path) -> bool:
    code = "import venv, ensurepip"
    return subprocess.run([program, "-c", code], capture_output=True, check=False).returncode == 0


def _measured(python: str, wheel: Path, folder: Path) -> Environment:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=1800
        )
        return done.stdout

    run(python, "-m", "venv", folder / "env")
    inside = folder / "env" / "bin" / "python"
    before = set(json.loads(run(inside, "-c", SIZES)))
    index = ["--extra-index-url", os.environ["TORCH_INDEX"]] if os.environ.get("TORCH_INDEX") else []
    run(inside, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", *index, wheel)
    command = folder / "env" / "bin" / "autograd-tour"
    drawn = run(command, "render", "-o", "drawn").split()
    if "drawn/thermometer-graph.svg" not in drawn:
        raise SystemExit(f"{python}: the thermometer was not drawn")
    run(command, "render", "drawn/thermometer.json", "-f", "png", "-o", "again")
    sizes = {
        name: size / 1e6 for name, size in json.loads(run(inside, "-c", SIZES)).items() if name not in before
    }
    own, of_torch = sizes.pop("autograd-tour"), sizes.pop("torch")

    def seconds(module: str) -> float:
        return statistics.median(float(run(inside, "-c", TIMED.format(module))) for _ in range(ROUNDS))

    version = run(inside, "-c", "import platform; print(platform.python_version())").strip()
    torch = run(inside, "-c", "import torch; print(torch.__version__)").strip()
    times = seconds("autograd_tour"), seconds("torch")
    return Environment(version, torch, own, of_torch, sum(sizes.values()), len(sizes), *times)


def page(rows: list[Environment], files: dict[str, int], absent: list[str]) -> str:
    """The table, with the sizes of the files that are installed from."""
    lines = [
        "# What an installation takes",
        "",
        "`make install-check` writes this page: the wheel, installed into an empty environment of every",
        "Python that is here; in each the thermometer is drawn, and its saved trace once more as PNG.",
        "",
        "| Python | torch | ours | torch alone | all else | `import autograd_tour` | `import torch` |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        rest = f"{row.rest:.0f} MB in {row.packages} packages"
        times = f"{row.package_import * 1000:.1f} ms | {row.torch_import:.2f} s"
        lines.append(
            f"| {row.python} | {row.torch} | {row.own:.1f} MB | {row.of_torch:.0f} MB | {rest} | {times} |"
        )
    told = ", ".join(f"{name.rpartition('.')[2]} {size / 1e6:.2f} MB" for name, size in sorted(files.items()))
    lines += ["", f"Times are medians of {ROUNDS} processes. Download: {told}."]
    if absent:
        lines += ["", f"Not on this machine, and so not tried: Python {', '.join(absent)}."]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Build, install everywhere, write the page."""
    here = pythons()
    with tempfile.TemporaryDirectory(prefix="autograd-tour-install-") as name:
        folder = Path(name)
        dist = folder / "dist"
        subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", dist], cwd=ROOT, check=True)
        (wheel,) = dist.glob("*.whl")
        rows = []
        for version, python in here.items():
            print(f"Python {version}: {python}", file=sys.stderr)
            (folder / version).mkdir()
            rows.append(_measured(python, wheel, folder / version))
            shutil.rmtree(folder / version)
        files = {path.name.replace(".tar.gz", ".sdist"): path.stat().st_size for path in dist.iterdir()}
        files = {name.replace(".whl", ".wheel"): size for name, size in files.items()}
    PAGE.write_text(page(rows, files, [item for item in VERSIONS if item not in here]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
