"""The benchmarks run and say what they measured. Nothing here looks at a clock."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import browser, jobs, table
from benchmarks.configured import CONFIGURED
from benchmarks.measure import BenchmarkError, Cost, alternate, middle, run_command
from benchmarks.rows import ROWS, Bench, Result, measure

ROOT = Path(__file__).resolve().parent.parent

ROW = {row.key: row for row in ROWS}


def test_the_sides_take_turns_and_the_median_counts():
    seen = []

    def side(name, figures):
        def run():
            seen.append(name)
            return [Cost(next(figures), 1.0, 2.0)]

        return run

    ours, peer = alternate(side("a", iter([1.0, 9.0, 2.0])), side("b", iter([4.0, 5.0, 6.0])), 3)
    assert "".join(seen) == "ababab"
    assert (middle(ours).cpu, middle(peer).cpu) == (2.0, 5.0)


def test_a_whole_process_is_measured_with_what_it_started(tmp_path):
    spin = "import time\nwhile time.process_time() < 0.2: pass"
    alone = run_command([sys.executable, "-c", spin], tmp_path)
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spin!r}], check=True)"
    started = run_command([sys.executable, "-c", outer], tmp_path)
    assert min(alone.cpu, started.cpu) >= 0.2
    assert 1 < alone.peak < 5000  # MB; what was forked counts what the process had that forked it


def test_a_program_that_fails_or_hangs_is_named(tmp_path):
    with pytest.raises(BenchmarkError, match=r"ended with 1: .*boom"):
        run_command([sys.executable, "-c", "raise OSError('boom')"], tmp_path)
    with pytest.raises(BenchmarkError, match="took too long"):
        run_command([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, timeout=0.2)


def test_a_row_without_its_peer_is_skipped_and_says_so():
    row = ROW["torchlens"].__class__(**{**vars(ROW["torchlens"]), "needs": "no-such-package"})
    result = measure(row, Bench(Path()), {})
    assert result.remark == "skipped: no-such-package is not installed"
    assert not result.ok
    assert result.remark in table.page([result], [("cores", "2")], 3)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("help", 0.25, "yes"),
        ("help", 0.26, "no"),
        ("memory", 150.5, "no"),
        ("million", 2.5, "yes"),
        ("step-gpt2", 1.41, "no"),
        ("torchlens", 99.0, "information"),
    ],
)
def test_the_limit_decides(key, value, said):
    assert table.rows_of_text([Result(ROW[key], 1.0, 1.0, value)])[0][-1] == said


def test_the_page_says_what_part_of_a_peers_time_the_program_itself_takes():
    results = [Result(ROW["record"], 2.0, 1.2, 1.5), Result(ROW["torchlens"], 1.5, 5.0, 0.3)]
    said = " ".join(table.page(results, [("cores", "2")], 3).split())
    assert "take 1.2 s in the same run: 0.24 of torchlens." in said
    assert "of torchlens." not in table.page(results[1:], [("cores", "2")], 3)


def test_the_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    page = tmp_path / "docs" / "page.md"
    table.write_page(page, "old\n")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        table.write_page(page, "new\n")
    assert page.read_text() == "old\n"
    assert list(page.parent.iterdir()) == [page]


def test_the_committed_page_names_no_place_of_this_machine():
    page = ROOT / "docs" / "benchmarks.md"
    if page.exists():
        text = page.read_text(encoding="utf-8")
        assert str(ROOT) not in text
        assert os.uname().nodename not in text.split()


@pytest.mark.parametrize(
    ("value", "limit", "said"),
    [
        (1.2345, 16.0, "1.23 ms (at most 16)"),
        (5547.2, None, "5,547 ms"),
        (0.5, 1000.0, "0.5 ms (at most 1000)"),
    ],
)
def test_a_figure_of_the_page_stands_beside_its_limit(value, limit, said):
    assert browser._cell(value, limit, "ms") == said


@pytest.mark.parametrize(
    ("size", "step", "verdict"), [(150_000, 16.0, "yes"), (150_001, 1.0, "no"), (1000, 16.1, "no")]
)
def test_a_page_is_within_all_of_its_limits_or_not(size, step, verdict):
    row, within = browser._row(browser.LIMITS[0], 7, size, 100.0, step)
    assert row.endswith(f"| {verdict} |")
    assert within == (verdict == "yes")


def test_the_network_that_is_moved_has_two_hundred_nodes_and_can_be():
    from autograd_tour import trace
    from autograd_tour.views.movable import movable

    graph = trace(browser._deep)
    assert 200 <= len(graph.nodes) <= 210
    assert movable(graph) is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in (*jobs.JOBS, *jobs.TOGETHER, *jobs.FEW) if name != "torchlens_run"]
)
def test_every_job_runs_on_tiny_sizes(name, tmp_path):
    pytest.importorskip("torchviz")
    key = name.removeprefix("recorded_")
    if key in CONFIGURED:
        pytest.importorskip(CONFIGURED[key].package)
    for job in ["prepare", name] if "_picture" in name else [name]:
        command = [sys.executable, "-m", "benchmarks.jobs", job, str(tmp_path), "--tiny"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) == 1 + (name in jobs.TOGETHER or name in jobs.FEW)
    assert all(one["cpu"] >= 0 for one in found)


@pytest.mark.slow
def test_a_site_with_and_without_us_is_measured(tmp_path):
    pytest.importorskip("sphinx")
    from benchmarks import hosts

    results = hosts.rows(hosts.Site(tmp_path, pages=2, blocks=2), 1)
    assert [limit for limit, *_ in results] == [hosts.FIRST, hosts.UNCHANGED, hosts.WARM, hosts.ONE]
    assert results[-1][-1] == 1  # of one block changed, one ran
    assert all(ours > 0 for _, ours, *_ in results)
    ours, plain = ((tmp_path / side / "out/page0.html").read_text() for side in ("ours", "plain"))
    assert ours.count("<img") == plain.count("<img")


def test_what_a_record_costs_at_least_is_measured_on_what_it_reads():
    import torch

    from autograd_tour import trace
    from benchmarks import floor

    w = torch.nn.Linear(40, 30)
    x = torch.randn(20, 40)
    tensors = floor.read_by_a_record(lambda: trace(lambda: w(x).tanh().sum()))
    assert {w.weight.numel(), x.numel(), 20 * 30} <= {tensor.numel() for tensor in tensors}
    seconds = floor.costs(w, lambda model: model(x).tanh().sum())
    assert set(seconds) == {"plain", "structure", "record", "norms", "extremes", "megabytes"}
    assert min(seconds.values()) >= 0
    assert seconds["megabytes"] == pytest.approx(sum(tensor.numel() for tensor in tensors) * 4 / 1e6)
