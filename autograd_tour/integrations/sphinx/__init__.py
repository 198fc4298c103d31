"""Sphinx: directives ``autograd``, ``autograd-quiz`` and ``autograd-explain``, and a role for single values.

``extensions = ["autograd_tour.integrations.sphinx"]`` in ``conf.py`` is all. The code of all blocks that have
no fresh record runs once, in one process, after the documents have been read; pictures then stand there as
any image does, so that every builder shows them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograd_tour import __version__
from autograd_tour.hosts.options import COLUMN, PRELUDE

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.environment import BuildEnvironment

__all__ = ["setup"]

STYLE = "autograd-tour.css"


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx. What runs and draws is loaded where a page is read or written, and not before."""
    from autograd_tour.integrations.sphinx import freshness, state
    from autograd_tour.integrations.sphinx.directive import AutogradDirective
    from autograd_tour.integrations.sphinx.findings import ExplainDirective
    from autograd_tour.integrations.sphinx.latex import declare_signs
    from autograd_tour.integrations.sphinx.nodes import AutogradBlock, AutogradValue, nothing
    from autograd_tour.integrations.sphinx.quiz import QuizDirective
    from autograd_tour.integrations.sphinx.role import AutogradRole, find_nearest
    from autograd_tour.integrations.sphinx.transform import PicturesTransform

    app.add_config_value("autograd_run", "auto", "env", frozenset({str}))
    app.add_config_value("autograd_cache", None, "env", frozenset({str, type(None)}))
    app.add_config_value("autograd_max_width", COLUMN, "env", frozenset({int, float}))
    app.add_config_value("autograd_timeout", 60.0, "env", frozenset({int, float}))
    app.add_config_value("autograd_prelude", PRELUDE, "env", frozenset({str}))
    app.add_config_value("autograd_include_source", False, "env", frozenset({bool}))
    app.add_config_value("autograd_latex", "pdf", "env", frozenset({str}))
    app.add_node(AutogradBlock, override=True, **nothing())
    app.add_node(AutogradValue, override=True, **nothing())
    # override: a process may build more than once, and these are what they were
    app.add_directive("autograd", AutogradDirective, override=True)
    app.add_directive("autograd-quiz", QuizDirective, override=True)
    app.add_directive("autograd-explain", ExplainDirective, override=True)
    app.add_role("autograd", AutogradRole(), override=True)
    app.add_post_transform(PicturesTransform)
    app.connect("builder-inited", _add_style)
    app.connect("config-inited", _check_config)
    app.connect("config-inited", declare_signs, priority=900)  # after Sphinx has chosen the engine
    app.connect("env-get-outdated", freshness.outdated)
    app.connect("env-before-read-docs", state.begin)
    app.connect("env-purge-doc", state.purge)
    app.connect("env-merge-info", state.merge)
    app.connect("doctree-read", find_nearest, priority=100)  # before titles are collected
    app.connect("env-updated", _run_blocks)
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}


def _add_style(app: Sphinx) -> None:
    """Pictures follow the theme of the page, not only that of the system."""
    if app.builder.format == "html" and app.builder.name != "epub":
        app.config.html_static_path.append(str(Path(__file__).parent / "static"))
        app.add_css_file(STYLE)


def _check_config(_: Sphinx, config: Config) -> None:
    """Nothing, if the words of the configuration are known.

    Raises:
        ConfigError: one is not.
    """
    from sphinx.errors import ConfigError

    for name, words in (("autograd_run", ("auto", "never", "always")), ("autograd_latex", ("pdf", "png"))):
        if config[name] not in words:
            raise ConfigError(f"{name} = {config[name]!r}: use one of {', '.join(words)}")


def _run_blocks(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Run the blocks of the documents that were read now, all in one process."""
    from autograd_tour.integrations.sphinx import state

    keys = state.table(env, state.KEYS)
    docnames = sorted(name for name in state.table(env, state.BLOCKS) if name not in keys)
    if docnames and not state.shows_nothing(app):
        from autograd_tour.integrations.sphinx.builds import run_documents

        run_documents(app, docnames)
    return []
