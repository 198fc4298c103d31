"""What a process has loaded that has built a site with Sphinx: imported by the one that is forked for it."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

from sphinx.application import builtin_extensions

for name in (
    "sphinx.cmd.build",
    *builtin_extensions,
    "docutils.parsers.rst.directives.misc",
    "docutils.writers.html5_polyglot",
    "sphinx.writers.html5",
    "requests",
    "xml.sax.saxutils",
    "autograd_tour.integrations.sphinx",
    "autograd_tour.hosts.process",
):
    import_module(name)

with suppress(ImportError):
    import_module("myst_parser.sphinx_ext.main")
