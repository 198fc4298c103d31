"""What a target's text stands for, and what is said when it stands for nothing."""

from __future__ import annotations

import inspect
import linecache
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from autograd_tour.errors import ProgramError, UsageError
from autograd_tour.tracer import follow
from autograd_tour.tracer.load.target import resolve, safe_stem

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _clean_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    modules, path = set(sys.modules), list(sys.path)
    yield
    assert sys.path == path, "sys.path is as it was"
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "net.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
    def forward(self, x, scale=1.0):
        return self.layer(x) * scale
"""


def test_a_function_in_a_file(write: Write) -> None:
    write("import torch\nw = torch.ones(2, requires_grad=True)\ndef loss():\n    return (w * 3).sum()\n")
    target = resolve("net.py:loss")
    assert target.name == "net-loss"
    assert torch.equal(target.program(), torch.tensor(6.0))  # type: ignore[arg-type]
    assert inspect.unwrap(target.program).__name__ == "loss"


def test_a_function_in_a_module_found_from_the_working_folder(write: Write) -> None:
    write("", "pack/__init__.py")
    write("def loss():\n    import pack.other\n    return pack.other.x\n", "pack/net.py")
    write("x = 7\n", "pack/other.py")
    target = resolve("pack.net:loss")
    assert (target.name, target.program()) == ("net-loss", 7)


def test_the_files_folder_is_importable_while_loading_and_while_running(write: Write, tmp_path: Path) -> None:
    write("x = 1\n", "deep/early_helper.py")
    write("x = 2\n", "deep/late_helper.py")
    write(
        "import early_helper\ndef loss():\n    import late_helper\n    return early_helper.x + late_helper.x\n",
        "deep/net.py",
    )
    assert resolve("deep/net.py:loss").program() == 3
    assert list(tmp_path.rglob("net.*.pyc")) == [], "no compiled file is left beside the user's"


def test_a_path_may_hold_colons_spaces_and_no_identifier(write: Write) -> None:
    write("def loss():\n    return 1\n", "a:b/my net-2.0.py")
    target = resolve("a:b/my net-2.0.py:loss")
    assert (target.name, target.program()) == ("my-net-2.0-loss", 1)


def test_a_file_called_torch_does_not_hide_torch(write: Write) -> None:
    write("import sys\nloss = lambda: __name__\n", "torch.py")
    assert resolve("torch.py:loss").program() == "torch_2"
    assert sys.modules["torch"] is torch


def test_a_file_is_run_anew_each_time_and_its_source_can_be_read(write: Write, tmp_path: Path) -> None:
    write("def loss():\n    return 1\n")
    resolve("net.py:loss")
    write("def loss():\n    return 2\n")
    target = resolve("net.py:loss")
    assert target.program() == 2
    code = inspect.unwrap(target.program).__code__
    assert code.co_filename == str(tmp_path / "net.py")
    linecache.checkcache()
    assert linecache.getline(code.co_filename, 2).strip() == "return 2"


def test_dataclasses_and_main_guards_work(write: Write) -> None:
    write(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "@dataclass\nclass C:\n    x: int = 4\ndef loss():\n    return C().x\n"
        "if __name__ == '__main__':\n    raise SystemExit\n"
    )
    assert resolve("net.py:loss").program() == 4


def test_a_dotted_name_reaches_into_an_object(write: Write) -> None:
    write("class C:\n    @staticmethod\n    def loss():\n        return 5\n")
    target = resolve("net.py:C.loss")
    assert (target.name, target.program()) == ("net-C.loss", 5)


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("def example(): return torch.ones(4, 3)", (4, 2)),
        ("def example(): return torch.ones(4, 3), 2.0", (4, 2)),
        ("def example(): return {'x': torch.ones(5, 3), 'scale': 2.0}", (5, 2)),
    ],
    ids=["tensor", "tuple", "dict"],
)
def test_a_module_class_with_inputs_beside_it(write: Write, example: str, expected: tuple[int, ...]) -> None:
    write(f"{NET}\n{example}\n")
    target = resolve("net.py:Net")
    result = target.program()
    assert isinstance(result, torch.Tensor)
    assert result.shape == ()
    target.program()
    (note,) = target.notes
    assert str(expected) in note
    assert isinstance(inspect.unwrap(target.program), torch.nn.Module)


def test_a_module_instance_with_a_method_example(write: Write) -> None:
    write(f"{NET}\n    def example(self):\n        return torch.ones(1, 3)\nnet = Net()\n")
    target = resolve("net.py:net")
    first, second = target.program(), target.program()
    assert torch.equal(first, second)  # type: ignore[arg-type]


def test_a_loss_beside_the_module_is_used(write: Write) -> None:
    write(f"{NET}\ndef example(): return torch.ones(4, 3)\ndef loss(output): return output.mean()\n")
    target = resolve("net.py:Net")
    target.program()
    assert target.notes == []


def test_a_loss_that_takes_nothing_is_another_target(write: Write) -> None:
    write(f"{NET}\ndef example(): return torch.ones(4, 3)\ndef loss(): return 1\n")
    target = resolve("net.py:Net")
    assert isinstance(target.program(), torch.Tensor)


def test_random_weights_are_the_same_every_time(write: Write) -> None:
    write(f"{NET}\ndef example(): return torch.randn(4, 3)\n")
    first = resolve("net.py:Net").program()
    torch.rand(7)
    assert torch.equal(first, resolve("net.py:Net").program())  # type: ignore[arg-type]


def test_a_tensor_at_module_level(write: Write) -> None:
    write("import torch\nw = torch.ones(2, requires_grad=True)\nloss = (w * 2).sum()\n")
    result = resolve("net.py:loss").program()
    assert isinstance(result, torch.Tensor)
    assert result.grad_fn is not None


USAGE = {
    "no name": ("net.py:", "names no object", "file.py:name"),
    "no colon": ("net", "names no object", "file.py:name"),
    "no file part": (":loss", "names no object", "file.py:name"),
    "not an identifier": ("net.py:lo ss", "names no object", "file.py:name"),
    "missing file": ("nte.py:loss", "there is no file nte.py", "Did you mean 'net.py'?"),
    "missing folder": ("nowhere/net.py:loss", "there is no file", "no folder nowhere"),
    "folder": ("sub:loss", "sub is a folder", "file.py:name"),
    "missing module": ("no_such.module:loss", "no module no_such", ""),
    "missing submodule": ("sub.absent:loss", "no module sub.absent", ""),
    "far too long": ("x" * 10_000 + ".py:loss", "cannot read", ""),
    "name not there": ("net.py:los", "net.py has no los", "Did you mean 'loss'?"),
    "names are listed": ("net.py:zzz", "net.py has no zzz", "It has: loss, Net"),
    "needs arguments": ("net.py:many", "many of net.py needs arguments: a, b", "without arguments"),
    "plain class": ("net.py:Plain", "is a class, which cannot be traced", "torch.nn.Module"),
    "number": ("net.py:number", "is of type int", "torch.nn.Module"),
    "module in module": ("net.py:torch", "is a Python module", ""),
    "class with arguments": ("net.py:Sized", "needs arguments to be built: size", "net = Sized(...)"),
    "nothing to feed": ("net.py:Net", "nothing says what to feed it (x)", "def example()"),
}


@pytest.mark.parametrize("case", USAGE)
def test_what_is_not_there_is_told_with_a_way_out(write: Write, case: str) -> None:
    text, message, hint = USAGE[case]
    write(
        "def loss(): return 1\nnumber = 3\ndef many(a, b, c=1): return a\nclass Plain: pass\n"
        + NET
        + "class Sized(torch.nn.Module):\n    def __init__(self, size):\n        super().__init__()\n"
    )
    write("", "sub/readme.txt")
    with pytest.raises(UsageError) as caught:
        resolve(text)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


PROGRAM = {
    "raises at import": ("import helper\nhelper.go()\n", "helper.py:2: ValueError: not today"),
    "raises in the call": (
        "def loss():\n    import helper\n    helper.go()\n",
        "helper.py:2: ValueError: not today",
    ),
    "raises inside torch": (
        "import torch\ndef loss():\n    return torch.ones(2) @ torch.ones(3)\n",
        "net.py:3",
    ),
    "syntax": ("def loss(:\n", "net.py:1 is not valid Python"),
    "null bytes": ("a = '\0'\n", "not valid Python"),
    "exits at import": ("import sys\nsys.exit(3)\n", "exit(3)"),
    "exits in the call": ("def loss():\n    raise SystemExit('bye')\n", "exit('bye')"),
    "missing import": ("import no_such_package_at_all\n", "ModuleNotFoundError"),
    "endless": ("def loss():\n    return loss()\n", "RecursionError"),
    "unprintable": (
        "class E(Exception):\n    def __str__(self): 1 / 0\ndef loss():\n    raise E\n",
        "net.py:4: E, while",
    ),
    "long": ("def loss():\n    raise ValueError('é\\n' * 10_000)\n", "…"),
}


@pytest.mark.parametrize("case", PROGRAM)
def test_a_program_that_fails_is_told_with_its_line(write: Write, case: str) -> None:
    source, message = PROGRAM[case]
    write("def go():\n    raise ValueError('not\\n today')\n", "helper.py")
    write(source)
    with pytest.raises(ProgramError) as caught:
        resolve("net.py:loss").program()
    assert message in caught.value.message
    assert "\n" not in str(caught.value)
    assert len(caught.value.message) < 500
    assert caught.value.hint


def test_a_file_that_is_no_python_is_told(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(ProgramError, match=r"picture\.png.* is not valid Python"):
        resolve("picture.png:loss")


def test_an_interrupt_passes_through(write: Write) -> None:
    write("def loss():\n    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        resolve("net.py:loss").program()


def test_a_file_that_failed_is_not_left_among_the_modules(write: Write) -> None:
    write("1 / 0\n", "broken_one.py")
    with pytest.raises(ProgramError, match="division by zero"):
        resolve("broken_one.py:loss")
    assert "broken_one" not in sys.modules


@pytest.mark.parametrize(
    ("place", "name", "stem"),
    [
        ("net", "loss", "net-loss"),
        ("thermometer", "thermometer", "thermometer"),
        ("../..", "loss", "loss"),
        ("<b>'\"\n\x00", "loss", "b-loss"),
        ("con", "con", "con-"),
        ("ü🎈", "loss", "ü-loss"),
        ("", "", "program"),
    ],
)
def test_a_stem_is_safe_in_a_file_name(place: str, name: str, stem: str) -> None:
    assert safe_stem(place, name) == stem


def test_a_stem_leaves_room_for_what_comes_after_it() -> None:
    assert len(safe_stem("é" * 10_000, "loss").encode()) <= 60


def test_a_file_with_relative_imports_is_told_how_its_package_calls_it(write: Write, tmp_path: Path) -> None:
    write("", "pack/__init__.py")
    write("", "pack/deep/__init__.py")
    write("x = 7\n", "pack/deep/other.py")
    write("from .other import x\ndef loss():\n    return x\n", "pack/deep/net.py")
    with pytest.raises(ProgramError, match="relative import") as caught:
        resolve("pack/deep/net.py:loss")
    assert f"In {tmp_path}, name it as a part of one: pack.deep.net:name" in caught.value.hint
    assert resolve("pack.deep.net:loss").program() == 7


def test_a_name_in_other_letters_is_the_closest(write: Write, tmp_path: Path) -> None:
    write("", "ok.py")
    (tmp_path / "OKI.py").mkdir()
    with pytest.raises(UsageError) as caught:
        resolve("OK.py:loss")
    assert caught.value.hint == "Did you mean 'ok.py'? Python files there: ok.py"


TRAINER = """
import argparse, sys, torch

def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--epochs", type=int, default=2)
    args = arguments.parse_args()
    w = torch.tensor(3.0, requires_grad=True)
    for epoch in range(args.epochs):
        loss = w * w
        loss.backward()

if __name__ == "__main__":
    assert sys.modules["__main__"].main is main
    main()
"""


@pytest.mark.parametrize("name", ["main", "__main__"])
def test_a_program_gets_no_arguments_of_ours(
    write: Write, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["autograd-tour", "render", "train.py"])
    outside = sys.modules["__main__"]
    write(TRAINER, "train.py")
    target = resolve(f"train.py:{name}")
    run = follow(target.program)
    assert run.backward_calls == 2
    assert [leaf.name for leaf in run.leaves] == ["w"]
    assert sys.argv == ["autograd-tour", "render", "train.py"]
    assert sys.modules["__main__"] is outside


def test_a_whole_file_runs_as_a_script_as_often_as_it_is_asked_for(write: Write) -> None:
    lines = (
        "import torch",
        "net = torch.nn.Linear(2, 1)",
        "for _ in range(3):",
        "    net.zero_grad()",
        "    loss = net(torch.ones(4, 2)).pow(2).mean()",
        "    loss.backward()",
    )
    write("\n".join(lines), "script.py")
    target = resolve("script.py:__main__")
    assert target.name == "script"
    run = follow(target.program)
    assert run.backward_calls == 3
    assert {leaf.name for leaf in run.leaves} == {"weight", "bias"}
    told = [line.line for event in run.events if (line := run.line(event)) is not None]
    assert told == [4, 5, 6] * 3
    assert follow(target.program).backward_calls == 3


def test_a_script_that_fails_is_told_with_its_line(write: Write) -> None:
    write("x = 1\n1 / 0", "script.py")
    target = resolve("script.py:__main__")
    with pytest.raises(ProgramError, match=r"script\.py:2: .*ZeroDivisionError"):
        target.program()


@pytest.mark.parametrize("end", ["sys.exit(None)", "sys.exit(0)", "raise SystemExit"])
def test_a_script_may_end_with_exit(write: Write, end: str) -> None:
    write(f"{TRAINER}\n    {end}\n", "train.py")
    assert follow(resolve("train.py:__main__").program).backward_calls == 2


@pytest.mark.parametrize("end", ["sys.exit(3)", "sys.exit('no data')"])
def test_a_script_that_leaves_with_an_error_is_told_with_what_to_do(write: Write, end: str) -> None:
    write(f"{TRAINER}\n    {end}\n", "train.py")
    with pytest.raises(ProgramError, match=r"train\.py:\d+: the program left with exit") as error:
        resolve("train.py:__main__").program()
    assert "without arguments" in error.value.hint
    assert "train.py:name" in error.value.hint


def test_a_module_of_a_package_runs_as_a_script_with_relative_imports(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    lines = ("from .batches import batch", "w = batch().requires_grad_()", "(w * w).sum().backward()")
    write("", "trainers/__init__.py")
    write("import torch\ndef batch(): return torch.ones(3)\n", "trainers/batches.py")
    write("\n".join(lines), "trainers/fit.py")
    write("from . import fit\n", "trainers/__main__.py")
    for location in ("trainers.fit", "trainers"):
        for module in [name for name in sys.modules if name.startswith("trainers")]:
            monkeypatch.delitem(sys.modules, module)
        target = resolve(f"{location}:__main__")
        assert target.name == location.rpartition(".")[2]
        assert follow(target.program).backward_calls == 1
    with pytest.raises(ProgramError) as error:
        resolve("trainers/fit.py:__main__").program()
    assert "trainers.fit:__main__" in error.value.hint
    with pytest.raises(UsageError, match=r"no module trainers\.fitt"):
        resolve("trainers.fitt:__main__")
