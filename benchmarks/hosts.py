"""``python -m benchmarks.hosts``: what pictures cost a site of Sphinx, and a notebook.

Needs Sphinx; prints the table and writes ``docs/hosts-speed.md``.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Cost, run_command
from benchmarks.peers import versions
from benchmarks.table import write_page

__all__ = ["Site", "main", "rows"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "hosts-speed.md"
PAGES, BLOCKS = 10, 5
CODE = "w = torch.tensor({}.{}, requires_grad=True)\nx = torch.tensor(2.0)\nloss = ((w * x + 1) ** 2).exp()\n"
BUILD = (sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html")


@dataclass(frozen=True)
class Limit:
    """What may be spent: ``s`` more than the same site without us, a ``ratio`` to it, or ``ms``."""

    what: str
    at_most: float
    unit: str


FIRST = Limit("first build", 8.0, "s")
UNCHANGED = Limit("unchanged", 1.05, "ratio")
WARM = Limit("everything read anew (-E), nothing run", 1.2, "ratio")
ONE = Limit("one block changed: blocks that ran", 1, "blocks")
LINE = Limit("repr() of the transformer", 1.0, "ms")
PICTURE = Limit("its HTML for a notebook", 500.0, "ms")


class Site:
    """A site of ``pages`` times ``blocks`` blocks, and the same one with its pictures as files."""

    def __init__(self, folder: Path, pages: int = PAGES, blocks: int = BLOCKS) -> None:
        self.ours, self.plain = folder / "ours", folder / "plain"
        self.pages, self.blocks = pages, blocks
        self._write(self.ours, "extensions = ['autograd_tour.integrations.sphinx']\n", self._block)

    def with_pictures(self) -> None:
        """Write the site without us, from the pictures of ours, which was built."""
        shutil.copytree(self.ours / "out" / "_images", self.plain / "images")
        names = {}
        for page in range(self.pages):
            html = (self.ours / "out" / f"page{page}.html").read_text(encoding="utf-8")
            names[page] = re.findall(r'src="_images/([^"]+)"', html)
        self._write(
            self.plain,
            "",
            lambda page, block: f".. figure:: images/{names[page][block]}\n   :alt: A graph\n\n   {block}",
        )

    def build(self, folder: Path, *options: str) -> Cost:
        """The cost of one build."""
        return run_command([*BUILD, *options, ".", "out"], folder)

    def change_one(self) -> int:
        """Change a block and build; how many records that made."""
        records = self.ours / "out" / ".doctrees" / "autograd" / "records"
        before = set(records.iterdir())
        page = self.ours / "page0.rst"
        page.write_text(page.read_text(encoding="utf-8").replace("0.1,", "0.75,"), encoding="utf-8")
        self.build(self.ours)
        return len(set(records.iterdir()) - before)

    def _block(self, page: int, block: int) -> str:
        code = "".join(f"   {line}\n" for line in CODE.format(page, block + 1).splitlines())
        return f".. autograd::\n   :caption: {block}\n\n{code}"

    def _write(self, folder: Path, conf: str, body: Callable[[int, int], str]) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "conf.py").write_text(f"project = 't'\nhtml_theme = 'alabaster'\n{conf}", encoding="utf-8")
        for page in range(self.pages):
            parts = "\n\nWords, *emphasis* and ``code``.\n\n".join(body(page, n) for n in range(self.blocks))
            (folder / f"page{page}.rst").write_text(f"Page\n====\n\n{parts}\n", encoding="utf-8")
        tree = "".join(f"   page{page}\n" for page in range(self.pages))
        (folder / "index.rst").write_text(f"T\n=\n\n.. toctree::\n\n{tree}", encoding="utf-8")


def rows(site: Site, rounds: int) -> list[tuple[Limit, float, float, float]]:
    """(limit, ours, the same without us, what counts): CPU seconds, the best of ``rounds`` taken in turn."""
    first = min(_fresh(site, site.ours) for _ in range(rounds))
    site.with_pictures()
    plain = min(_fresh(site, site.plain) for _ in range(rounds))
    result = [(FIRST, first, plain, first - plain)]
    for limit, options in ((UNCHANGED, ()), (WARM, ("-E",))):
        turns = [
            (site.build(site.ours, *options).cpu, site.build(site.plain, *options).cpu) for _ in range(rounds)
        ]
        ours, without = (min(side) for side in zip(*turns, strict=True))
        result.append((limit, ours, without, ours / without))
    made = float(site.change_one())
    return [*result, (ONE, made, 0.0, made)]


def _fresh(site: Site, folder: Path) -> float:
    shutil.rmtree(folder / "out", ignore_errors=True)
    return site.build(folder).cpu


def notebook(rounds: int) -> list[tuple[Limit, float, float, float]]:
    """What a notebook asks of the graph of the transformer, in ms; the first of all loads what draws."""
    from autograd_tour import trace
    from benchmarks.models import gpt_loss, make_gpt

    model, tokens = make_gpt()
    graph = trace(lambda: gpt_loss(model, tokens))

    def best(call: Callable[[], object]) -> float:
        times = []
        for _ in range(rounds):
            begun = time.process_time()
            call()
            times.append(1000 * (time.process_time() - begun))
        return min(times)

    line, picture = best(lambda: repr(graph)), best(graph._repr_html_)
    return [(LINE, line, 0.0, line), (PICTURE, picture, 0.0, picture)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure everything. 0 if every limit holds, 1 if one does not."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hosts", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each side runs (default 5)")
    rounds = parser.parse_args(arguments).rounds
    with tempfile.TemporaryDirectory(prefix="autograd-tour-hosts-") as folder:
        results = [*rows(Site(Path(folder)), rounds), *notebook(rounds)]
    lines = [_line(*result) for result in results]
    print("\n".join(lines))
    machine = ", ".join(f"{name} {value}" for name, value in versions()[:5])
    text = _TEXT.format(
        rounds=rounds, count=PAGES * BLOCKS, pages=PAGES, rows="\n".join(lines), machine=machine
    )
    write_page(PAGE, text)
    return 0 if all(value <= limit.at_most for limit, *_, value in results) else 1


def _line(limit: Limit, ours: float, plain: float, value: float) -> str:
    verdict = "yes" if value <= limit.at_most else "no"
    sides = ["", ""] if limit.unit in {"ms", "blocks"} else [f"{ours:.2f} s", f"{plain:.2f} s"]
    counted = {
        "ratio": f"{value:.2f}",
        "s": f"{value:+.1f} s",
        "ms": f"{value:.3g} ms",
        "blocks": f"{value:.0f}",
    }[limit.unit]
    unit = "" if limit.unit in {"ratio", "blocks"} else f" {limit.unit}"
    return f"| {limit.what} | {' | '.join(sides)} | {counted} | {limit.at_most:g}{unit} | {verdict} |"


_TEXT = """# How fast documents are

`make bench-hosts` measures this table and writes this page: CPU time of whole processes with all that they
start, the best of {rounds}, ours and the other side in turn. The site has {count} blocks on {pages} pages;
the same site without us has their pictures as files. No torch is loaded unless a block runs: a test puts
one in the way that raises.

| a site of Sphinx, a notebook | ours | without us | measured | at most | ok? |
|---|--:|--:|--:|--:|---|
{rows}

Measured on: {machine}.
"""

if __name__ == "__main__":
    sys.exit(main())
