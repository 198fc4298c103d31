"""Write ``formulas.json``: the derivative formulas of the installed torch, one entry per node class.

``python -m autograd_tour.rules.make_formulas`` writes the file, ``--check`` only compares. torch's
own loader reads torch's own ``derivatives.yaml``, so the numbers in ``PowBackward1`` are never guessed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["FORMULAS_FILE", "collect", "main", "render"]

FORMULAS_FILE = Path(__file__).with_name("formulas.json")


def collect() -> dict[str, dict[str, Any]]:
    """Arguments and formulas of every node class, in the order of the node's ``next_functions``."""
    try:
        import torchgen
        from torchgen.packaged.autograd.load_derivatives import load_derivatives
    except ModuleNotFoundError as error:
        package = {"yaml": "PyYAML", "torchgen": "torch"}.get(error.name or "", error.name)
        message = f"Making formulas.json needs {package}, which is not installed. Run: pip install {package}"
        raise SystemExit(message) from error
    packaged = Path(torchgen.__file__).parent / "packaged"
    native = packaged / "ATen" / "native"
    infos, _ = load_derivatives(
        str(packaged / "autograd" / "derivatives.yaml"),
        str(native / "native_functions.yaml"),
        str(native / "tags.yaml"),
    )
    nodes: dict[str, dict[str, Any]] = {}
    for info in (info for by_key in infos.values() for info in by_key.values()):
        if info.op is None:
            continue
        if info.op in nodes:
            raise SystemExit(f"torch lists two formulas for {info.op}: formulas.json cannot hold both.")
        nodes[info.op] = _entry(info)
    return nodes


def _entry(info: Any) -> dict[str, Any]:
    by_name = {name: item.original_formula for item in info.derivatives for name in item.var_names}
    arguments = [binding.name for binding in info.args_with_derivatives]
    entry = {"args": arguments, "formulas": [" ".join(by_name[name].split()) for name in arguments]}
    lists = [
        index
        for index, binding in enumerate(info.args_with_derivatives)
        if binding.argument.type.is_list_like() is not None
    ]
    return {**entry, "lists": lists} if lists else entry


def render() -> str:
    """The text of the file: sorted, compact, one node per line so that a diff can be read."""
    nodes = collect()
    version = metadata.version("torch").partition("+")[0]
    lines = (
        f"{json.dumps(name)}:{json.dumps(nodes[name], sort_keys=True, separators=(',', ':'))}"
        for name in sorted(nodes)
    )
    return '{"nodes":{\n' + ",\n".join(lines) + f'\n}},"torch":{json.dumps(version)}}}\n'


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or compare it with ``--check``; the exit code says whether it is up to date."""
    parser = argparse.ArgumentParser(description="Write the derivative formulas of the installed torch.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 if the file is out of date"
    )
    check = parser.parse_args(arguments).check
    text = render()
    if not check:
        FORMULAS_FILE.write_text(text, encoding="utf-8", newline="\n")
        return 0
    if FORMULAS_FILE.exists() and FORMULAS_FILE.read_bytes() == text.encode():
        return 0
    print(
        f"{FORMULAS_FILE.name} is out of date: run python -m autograd_tour.rules.make_formulas",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
