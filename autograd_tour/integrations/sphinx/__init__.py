"""Sphinx: the directives ``autograd`` and ``autograd-quiz``, and the role ``autograd`` for single values.

``extensions = ["autograd_tour.integrations.sphinx"]`` in ``conf.py`` is all. The code of all blocks that have
no fresh record runs once, in one process, after the documents have been read; pictures then stand there as
any image does, so that every builder shows them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograd_tour import __version__
from autograd_tour.hosts.options import COLUMN
from autograd_tour.hosts.snippet import PRELUDE

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["setup"]

STYLE = "autograd-tour.css"


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    from autograd_tour.integrations.sphinx import builds
    from autograd_tour.integrations.sphinx.directive import AutogradDirective
    from autograd_tour.integrations.sphinx.nodes import AutogradBlock, AutogradValue, nothing
    from autograd_tour.integrations.sphinx.pictures import PicturesTransform
    from autograd_tour.integrations.sphinx.quiz import QuizDirective
    from autograd_tour.integrations.sphinx.role import AutogradRole

    app.add_config_value("autograd_run", "auto", "env", frozenset({str}))
    app.add_config_value("autograd_cache", None, "env", frozenset({str, type(None)}))
    app.add_config_value("autograd_max_width", COLUMN, "env", frozenset({int, float}))
    app.add_config_value("autograd_timeout", 60.0, "env", frozenset({int, float}))
    app.add_config_value("autograd_prelude", PRELUDE, "env", frozenset({str}))
    app.add_config_value("autograd_include_source", False, "env", frozenset({bool}))
    app.add_config_value("autograd_latex", "pdf", "env", frozenset({str}))
    app.add_node(AutogradBlock, override=True, **nothing())
    app.add_node(AutogradValue, override=True, **nothing())
    app.add_directive("autograd", AutogradDirective)
    app.add_directive("autograd-quiz", QuizDirective)
    app.add_role("autograd", AutogradRole())
    app.add_post_transform(PicturesTransform)
    app.connect("builder-inited", _add_style)
    app.connect("config-inited", builds.check_config)
    app.connect("env-get-outdated", builds.outdated)
    app.connect("env-before-read-docs", builds.begin)
    app.connect("env-purge-doc", builds.purge)
    app.connect("env-merge-info", builds.merge)
    app.connect("env-updated", builds.run_blocks)
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}


def _add_style(app: Sphinx) -> None:
    """Pictures follow the theme of the page, not only that of the system."""
    if app.builder.format == "html" and app.builder.name != "epub":
        app.config.html_static_path.append(str(Path(__file__).parent / "static"))
        app.add_css_file(STYLE)
