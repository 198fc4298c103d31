"""``python -m benchmarks``: measure, print the table, write ``docs/benchmarks.md``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import BenchmarkError
from benchmarks.peers import versions
from benchmarks.rows import ROWS, Bench, Result, Runs, measure, prepare
from benchmarks.table import page, rows_of_text, write_page

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def main(arguments: list[str] | None = None) -> int:
    """Measure the rows asked for. 0 if every limit holds, 1 if one does not."""
    keys = [row.key for row in ROWS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"default: all of {', '.join(keys)}")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs (default 3)")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, to try the benchmarks out")
    parser.add_argument(
        "--page", type=Path, help=f"where the table goes (default: docs/{PAGE.name} if all rows ran)"
    )
    options = parser.parse_args(arguments)
    unknown = [key for key in options.rows if key not in keys]
    if unknown or options.rounds < 1:
        parser.error(f"no such row: {', '.join(unknown)}" if unknown else "--rounds must be 1 or more")
    chosen = [row for row in ROWS if not options.rows or row.key in options.rows]
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="autograd-tour-bench-") as folder:
        bench = Bench(Path(folder), options.rounds, options.tiny)
        try:
            prepare(bench, chosen)
        except BenchmarkError as error:
            print(f"cannot prepare: {error}", file=sys.stderr)
            return 1
        done: Runs = {}
        for row in chosen:
            results.append(measure(row, bench, done))
            (what, ours, peer, peer_name, value, limit, verdict), *_ = rows_of_text(results[-1:])
            print(what)
            bound = f", at most {limit}" if limit else ""
            print(f"    {ours or '-'} / {peer or '-'} {peer_name}: {value or '-'}{bound}: {verdict}")
            sys.stdout.flush()
    where = options.page or (PAGE if not options.rows and not options.tiny else None)
    if where is not None:
        write_page(where, page(results, versions(), options.rounds))
    return 0 if all(result.ok or result.remark.startswith("skipped") for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
