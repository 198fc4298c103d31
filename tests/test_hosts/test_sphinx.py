"""Documents with our directives, built by Sphinx as their authors build them."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.commands import script_answer
from tests.sites import build, contents, fresh_build, interrupted_build, write

pytest.importorskip("sphinx")
pytest.importorskip("myst_parser")

from autograd_tour.integrations.sphinx.latex import declare_signs
from autograd_tour.integrations.sphinx.state import failed

SITE = {
    "conf.py": """
project = "t"
extensions = ["autograd_tour.integrations.sphinx", "myst_parser"]
html_theme = "alabaster"
version = "1"
copyright = "2026, t"
""",
    "index.rst": """
Title
=====

.. toctree::

   sub/page

.. autograd::
   :name: square
   :include-source:
   :caption: A *square*.
   :alt: A square and its gradient

   w = torch.tensor(3.0, requires_grad=True)
   w * w

The gradient is :autograd:`w.grad`, once more :autograd:`square: w.grad`.

.. autograd::
   :context:

   x = torch.tensor([1.0, 2.0], requires_grad=True)
   y = x.prod()

.. autograd::
   :context:
   :view: chain

   loss = y * y

Here it is :autograd:`x.grad`.

.. autograd::
   :expect-error:

   1 / 0

.. autograd::
   :format: frames

   w = torch.tensor(3.0, requires_grad=True)
   (w * 2).exp()

.. autograd::
   :format: report

   w = torch.tensor(3.0, requires_grad=True)
   w * w

.. autograd::
   :format: page

   w = torch.tensor(3.0, requires_grad=True)
   w * w

.. autograd::
   :target: net.py:loss

.. autograd-quiz::
   :questions: 2

   w = torch.tensor(3.0, requires_grad=True)
   w * w
""",
    "net.py": "import torch\n\n\ndef loss():\n    return torch.tensor(5.0, requires_grad=True) * 7\n",
    "sub/page.md": """# Page

```{autograd}
:name: cube

v = torch.tensor(2.0, requires_grad=True)
v ** 3
```

The slope is {autograd}`cube: v.grad`.
""",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("site"), SITE)
    result = fresh_build(folder, "html", "-W", "--keep-going")
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def index(site):
    return (site / "_html" / "index.html").read_text()


def test_a_block_is_an_image_with_its_text_and_caption(site, index):
    image = re.search(r'<img alt="A square and its gradient" class="autograd"[^>]*src="([^"]+)"', index)
    assert image, index
    assert (site / "_html" / image[1]).read_bytes().lstrip().startswith(b"<svg")
    assert re.search(r"<figcaption>.*A <em>square</em>", index, re.DOTALL)
    assert re.search(r'<(figure|div)[^>]* id="square"', index)
    assert "requires_grad" in index  # the source
    assert "autograd-tour.css" in index


def test_roles_are_values(index, site):
    text = re.sub(r"<[^>]+>", "", index)
    assert "The gradient is 6, once more 6." in text
    assert "Here it is 8, 4." in text  # of the block before, which goes on where the other ended
    assert "The slope is 12." in re.sub(r"<[^>]+>", "", (site / "_html/sub/page.html").read_text())


def test_frames_pages_reports_targets_errors_and_questions(index):
    assert index.count("Step ") >= 2
    assert "<iframe" in index
    assert "autograd-tour report" in index
    assert "ZeroDivisionError" in index
    assert index.count("<details>") == 2


def test_an_unchanged_site_loads_no_torch_and_runs_nothing(site, tmp_path):
    before = contents(site / "_html")
    (tmp_path / "torch.py").write_text("raise RuntimeError('torch is loaded')\n")
    result = build(site, "html", "-W", "-E", path=str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert contents(site / "_html") == before


@pytest.mark.parametrize(
    ("options", "absent"),
    [((), ("msgspec", "autograd_tour.hosts.cache", "torch")), (("-E",), ("autograd_tour.drawing", "torch"))],
)
@pytest.mark.slow
def test_a_build_loads_no_more_than_it_needs(tmp_path, options, absent):
    # No role: a value is read from its record, which has to be loaded for it.
    page = ".. autograd::\n\n   w = torch.tensor(3.0, requires_grad=True)\n   w * w\n"
    folder = write(
        tmp_path,
        {
            "conf.py": SITE["conf.py"].replace(', "myst_parser"', ""),
            "index.rst": f"T\n=\n\n{page}",
        },
    )
    assert build(folder, "html", "-W").returncode == 0
    command = [sys.executable, "-X", "importtime", "-m", "sphinx", "-q", "-b", "html", "-d", "_trees"]
    result = subprocess.run(
        [*command, *options, ".", "_html"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "autograd_tour.integrations.sphinx.state" in loaded
    assert not loaded & set(absent)


@pytest.mark.slow
def test_another_builder_draws_what_is_kept(site, tmp_path):
    (tmp_path / "torch.py").write_text("raise RuntimeError('torch is loaded')\n")
    result = build(site, "dirhtml", "-W", path=str(tmp_path))
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_a_page_is_made_anew_when_a_file_that_its_code_imports_has_changed(tmp_path):
    folder = write(
        tmp_path,
        {
            "conf.py": SITE["conf.py"],
            "helper.py": "k = 2\n",
            "net.py": "import torch\nfrom helper import k\n\n\ndef loss():\n"
            "    return torch.tensor(5.0, requires_grad=True).mul(k)\n",
            "index.rst": "T\n=\n\n.. autograd::\n   :target: net.py:loss\n   :alt: a\n",
        },
    )
    assert build(folder, "html", "-W").returncode == 0
    before = (folder / "_html/index.html").read_bytes()
    (folder / "helper.py").write_text("k = 30\n")
    assert build(folder, "html", "-W").returncode == 0
    assert (folder / "_html/index.html").read_bytes() != before


def test_a_picture_that_cannot_be_written_is_a_warning_and_the_page_stands(site, tmp_path):
    folder = tmp_path / "site"
    shutil.copytree(site, folder)
    images = folder / "_trees/autograd/images"
    shutil.rmtree(images)
    images.write_text("in its place")
    result = build(folder, "html", "-E")
    assert result.returncode == 0, result.stderr
    assert re.search(r"index\.rst:\d+: WARNING: cannot write in .*images.* is not a folder", result.stderr)
    assert "cannot write in" in (folder / "_html/index.html").read_text()


LEFT = """
T
=

.. autograd::

   w = torch.tensor(3.0, requires_grad=True)
   w * w

.. autograd::

   import os, time
   if not os.path.exists("goes-on"):
       with open("worker.new", "w") as file:
           file.write(str(os.getpid()))
       os.rename("worker.new", "worker")
       time.sleep(600)
   v = torch.tensor(2.0, requires_grad=True)
   v * 4
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of another kind")
def test_a_build_that_is_interrupted_leaves_no_worker_and_nothing_half_made(tmp_path):
    write(tmp_path, {"conf.py": SITE["conf.py"], "index.rst": LEFT})
    done = interrupted_build(tmp_path, "worker")
    assert (done.returncode, done.stdout) == (2, "")  # Sphinx's own code
    assert "Interrupted" in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "worker").read_text()), 0)
    assert list(tmp_path.rglob("*.svg")) == list(tmp_path.rglob("*.html")) == []
    assert [path for path in tmp_path.rglob("*") if path.name.startswith(".") and path.is_file()] == []
    (tmp_path / "goes-on").touch()
    assert build(tmp_path).stderr == ""
    assert len(list(tmp_path.glob("_html/_images/*.svg"))) == 2


def test_a_process_may_build_twice(site, tmp_path):
    shutil.copytree(site, tmp_path / "site")
    build_it = "Sphinx('.', '.', '_html', '_trees', 'html', status=None).build()\n"
    script = f"from sphinx.application import Sphinx\n{build_it}{build_it}"
    result = script_answer(script, cwd=tmp_path / "site")
    assert result.returncode == 0, result.stderr
    assert "autograd" not in result.stderr


def test_the_view_of_steps_is_its_frames(site, tmp_path):
    folder = tmp_path / "site"
    shutil.copytree(site, folder)
    text = (folder / "index.rst").read_text()
    (folder / "index.rst").write_text(text.replace(":format: frames", ":view: steps"))
    result = build(folder, "html", "-W", "-D", "autograd_run=never")
    assert result.returncode == 0, result.stderr
    assert (folder / "_html/index.html").read_text().count("Step ") == 3


def test_a_disk_that_is_full_hides_no_warning(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(tmp_path), "write_text", full)
    failed(SimpleNamespace(doctreedir=tmp_path), "index")
    assert not list(tmp_path.rglob("*.txt"))


TRANSLATED = {
    "conf.py": "project = 't'\nextensions = ['autograd_tour.integrations.sphinx']\nlanguage = 'de'\n"
    "locale_dirs = ['locale']\n",
    "index.rst": """
Title
=====

.. autograd::
   :caption: A caption.
   :code-caption: Code.
   :include-source:

   w = torch.tensor(3.0, requires_grad=True)
   w * w

The first is :autograd:`w.grad`.

.. autograd::

   w = torch.tensor(4.0, requires_grad=True)
   w * w
""",
    "locale/de/LC_MESSAGES/index.po": "".join(
        f'msgid "{there}"\nmsgstr "{here}"\n\n'
        for there, here in (
            ("", "Content-Type: text/plain; charset=UTF-8\\n"),
            ("A caption.", "Eine Unterschrift."),
            ("Code.", "Programm."),
            ("The first is :autograd:`w.grad`.", "Das erste ist :autograd:`w.grad`."),
        )
    ),
}


def test_a_translated_role_is_of_the_block_before_it_and_captions_are_translated(tmp_path):
    folder = write(tmp_path, TRANSLATED)
    result = build(folder, "text", "-W")
    assert result.returncode == 0, result.stderr
    text = (folder / "_text/index.txt").read_text()
    assert 'Das erste ist "6"' in text
    assert "Eine Unterschrift." in text
    assert "Programm." in text


def test_pdflatex_is_told_the_signs_of_numbers_before_the_author_speaks():
    config = SimpleNamespace(latex_engine="pdflatex", latex_elements={"preamble": "mine", "papersize": "a4"})
    declare_signs(None, config)
    assert r"\DeclareUnicodeCharacter{2212}{\ensuremath{-}}" in config.latex_elements["preamble"]
    assert config.latex_elements["preamble"].endswith("\nmine")
    assert config.latex_elements["papersize"] == "a4"
    config = SimpleNamespace(latex_engine="xelatex", latex_elements={})
    declare_signs(None, config)
    assert config.latex_elements == {}


def test_a_builder_that_shows_no_picture_runs_no_code(tmp_path):
    folder = write(
        tmp_path / "site", {**SITE, "index.rst": SITE["index.rst"] + "\n.. autograd::\n\n   1/0\n"}
    )
    (tmp_path / "torch.py").write_text("raise RuntimeError('torch is loaded')\n")
    result = build(folder, "dummy", "-W", path=str(tmp_path))
    assert result.returncode == 0, result.stderr


BAD = {
    "conf.py": SITE["conf.py"] + "autograd_timeout = 2\nautograd_cache = '_records'\n",
    "index.rst": """
Title
=====

.. toctree::

   page

Early :autograd:`w.grad`.

.. autograd::

   w = 1
   w / 0

.. autograd::
   :view: nothing

   torch.ones(1, requires_grad=True).sum()

.. autograd::
   :colour: red

   torch.ones(1, requires_grad=True).sum()

.. autograd::

.. autograd::
   :name: twice

   v = torch.ones(1, requires_grad=True) * 2

.. autograd::
   :name: twice

   v = torch.ones(1, requires_grad=True) * 3

:autograd:`twice: u.grad`

.. autograd::

   __import__('time').sleep(600)

.. autograd::
   :expect-error:

   torch.ones(1, requires_grad=True).sum()
""",
    "page.md": "# Page\n\n```{autograd}\n:view: chain\n\nw = 1\n\nw / 0\n```\n",
}


@pytest.mark.slow
def test_what_is_wrong_is_a_warning_with_its_line_and_the_page_stands(tmp_path):
    folder = write(tmp_path, BAD)
    result = build(folder)
    assert result.returncode == 0, result.stderr
    lines = BAD["index.rst"].splitlines()
    words = result.stderr

    def line(text: str) -> int:
        return lines.index(text) + 1

    assert f"index.rst:{line('Early :autograd:`w.grad`.')}: WARNING: no autograd block stands before" in words
    assert f"index.rst:{line('   w / 0')}: WARNING: ZeroDivisionError" in words
    assert "there is no view nothing" in words or "nothing" in words
    assert 'unknown option: "colour"' in words
    assert "a block has nothing to draw" in words
    assert "two autograd blocks of this document are called twice" in words
    assert "nothing in the record is called u" in words
    assert "longer than 2 s" in words
    assert "an error was expected" in words
    assert "page.md:8: WARNING: ZeroDivisionError" in words
    assert "ZeroDivisionError" in (folder / "_html/index.html").read_text()
    # Nothing of it is forgotten: the next build fails as this one would have under -W.
    assert build(folder, "html", "-W").returncode != 0
    # A page whose record is gone is read again, and no other.
    assert list((folder / "_records").glob("*.json"))


def test_text_from_elsewhere_is_named_with_its_own_lines(tmp_path):
    folder = write(
        tmp_path,
        {
            "conf.py": "import sys\nsys.path.insert(0, '.')\nproject = 't'\n"
            "extensions = ['autograd_tour.integrations.sphinx', 'sphinx.ext.autodoc']\n"
            "def setup(app):\n    app.connect('source-read', more)\n"
            "def more(app, name, text):\n    text[0] += '\\n.. autograd::\\n\\n   no_file\\n'\n",
            "mod.py": 'def f():\n    """Does.\n\n    .. autograd::\n\n       w = 1\n       w.docstring\n    """\n',
            "part.txt": "Words.\n\n.. autograd::\n\n   w = 1\n   w.part\n",
            "index.rst": "T\n=\n\n.. automodule:: mod\n   :members:\n   :undoc-members:\n\n.. include:: part.txt\n",
        },
    )
    result = build(folder)
    words = result.stderr
    assert re.search(r"mod\.py:docstring of mod\.f:6: WARNING: AttributeError: .*docstring", words), words
    assert re.search(r"part\.txt:6: WARNING: AttributeError: .*part", words), words
    assert re.search(r"index\.rst:\d+: WARNING: NameError: .*no_file", words), words


WRONG = {
    "view": ("   :view: nothing", "", "unknown view"),
    "show": ("   :show: nothing", "", "to show"),
    "leaf": ("", ":autograd:`u.grad`", "nothing in the record is called u"),
    "block": ("", ":autograd:`two: w.grad`", "no autograd block before is called two"),
}
"""Options of a block, what stands after it, and what is said of it."""


@pytest.fixture(scope="module")
def built_twice(tmp_path_factory):
    """What Sphinx says of pages that go wrong, in a first build and in the one after it."""
    block = ".. autograd::\n{}\n\n   torch.ones(1, requires_grad=True) * 2\n"
    pages = {
        f"{name}.rst": f"T\n=\n\n{block.format(options)}\n{after}\n"
        for name, (options, after, _) in WRONG.items()
    }
    toctree = "".join(f"   {name}\n" for name in WRONG)
    index = f"T\n=\n\n.. toctree::\n\n{toctree}"
    files = {"conf.py": SITE["conf.py"], "index.rst": index, **pages}
    folder = write(tmp_path_factory.mktemp("wrong"), files)
    return build(folder), build(folder, "html", "-W", "--keep-going")


@pytest.mark.parametrize("name", WRONG)
def test_a_page_that_went_wrong_does_so_in_the_next_build_too(built_twice, name):
    words = WRONG[name][2]
    for result in built_twice:
        assert [line for line in result.stderr.splitlines() if f"{name}.rst:" in line and words in line]


def test_a_build_after_one_that_went_wrong_fails_where_warnings_are_errors(built_twice):
    assert [result.returncode != 0 for result in built_twice] == [False, True]


@pytest.mark.slow
def test_committed_records_need_no_torch(site, tmp_path):
    folder = write(tmp_path / "site", {name: SITE[name] for name in ("conf.py", "net.py", "sub/page.md")})
    (folder / "index.rst").write_text("Title\n=====\n\n.. toctree::\n\n   sub/page\n")
    records = ("-D", "autograd_cache=_records")
    assert build(folder, "html", "-W", *records).returncode == 0
    (tmp_path / "torch.py").write_text("raise RuntimeError('torch is loaded')\n")
    never = (*records, "-E", "-D", "autograd_run=never")
    result = build(folder, "html", "-W", *never, path=str(tmp_path))
    assert result.returncode == 0, result.stderr
    (folder / "sub/page.md").write_text(SITE["sub/page.md"].replace("** 3", "** 4"))
    result = build(folder, "html", *never, path=str(tmp_path))
    assert "commit the records" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "builder", ["dirhtml", "singlehtml", "latex", "epub", "text", "man", "texinfo", "linkcheck", "gettext"]
)
def test_every_builder_takes_the_pictures(site, builder):
    more = ("-D", "version=1", "-D", "copyright=us") if builder == "epub" else ()
    if builder == "gettext":  # Sphinx wants its documents read anew for it
        more = ("-d", "_trees-gettext")
    result = build(site, builder, "-W", "--keep-going", *more)
    assert result.returncode == 0, result.stderr
    if builder == "text":
        assert "A square and its gradient" in (site / "_text/index.txt").read_text()
    if builder == "latex":
        assert list((site / "_latex").glob("autograd-*.pdf"))
    if builder == "epub":
        assert list((site / "_epub").glob("*.epub"))
        assert "<iframe" not in (site / "_epub/index.xhtml").read_text()


@pytest.mark.slow
def test_many_processes_build_the_same_bytes(tmp_path):
    one, four = (write(tmp_path / name, SITE) for name in ("one", "four"))
    assert build(one, "html", "-W", "-j1").returncode == 0
    result = build(four, "html", "-W", "-j4")
    assert result.returncode == 0, result.stderr
    assert contents(four / "_html") == contents(one / "_html")
