"""Fences for Python-Markdown with SuperFences, as MkDocs and Zensical use it.

In ``mkdocs.yml``::

    markdown_extensions:
      - pymdownx.superfences:
          custom_fences:
            - name: autograd
              class: autograd
              format: !!python/name:autograd_tour.integrations.markdown.fence
              validator: !!python/name:autograd_tour.integrations.markdown.validator
            - name: explain
              class: autograd-explain
              format: !!python/name:autograd_tour.integrations.markdown.explain
              validator: !!python/name:autograd_tour.integrations.markdown.validator
"""

from __future__ import annotations

import atexit
import html
import os
from collections.abc import MutableMapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from pymdownx.superfences import SuperFencesException

from autograd_tour.errors import TourError
from autograd_tour.hosts import Cache, Failure, Mode, Record, files, run
from autograd_tour.hosts.display import explained, image
from autograd_tour.hosts.drawn import STEPS
from autograd_tour.hosts.options import COLUMN, OPTIONS, PRELUDE, read_options
from autograd_tour.hosts.process import Worker
from autograd_tour.hosts.wish import Defaults, Wish, wish_for

__all__ = ["Fence", "explain", "fence", "validator"]

_MORE = {"include-source": OPTIONS["compact"], "caption": OPTIONS["view"], "alt": OPTIONS["view"]}
"""Options that only a fence has."""
_HISTORY = "autograd_tour_blocks"


def validator(
    language: str,
    inputs: MutableMapping[str, str],
    options: MutableMapping[str, Any],
    attrs: MutableMapping[str, str],
    md: object,
) -> bool:
    """Whether SuperFences is to call the formatter: always, so that a wrong option is an error, not code."""
    del language, attrs, md
    options["autograd"] = dict(inputs)
    return True


@dataclass(frozen=True)
class Fence:
    """A fence with a ``cache`` folder, a column of ``max_width`` px, and ``timeout`` seconds a block.

    ``run_code`` is ``never`` where only committed records are to be drawn. Where it ``explains``, it says
    what is wrong with gradients. It holds nothing but its settings, since builders write it down to see
    whether a page is to be made anew.
    """

    cache: str = ".cache/autograd-tour"
    run_code: Mode = "auto"
    max_width: float = COLUMN
    timeout: float = 60.0
    prelude: str = PRELUDE
    explains: bool = False

    def __call__(
        self, source: str, language: str, class_name: str, options: dict[str, Any], md: Any, **more: Any
    ) -> str:
        """HTML for one fence.

        Raises:
            SuperFencesException: the code failed, or an option is wrong; it fails a strict build.
        """
        del language, class_name, more
        defaults = Defaults(self.max_width, self.timeout, self.prelude)
        store = Cache(Path(self.cache) / "records", Path(self.cache) / "pictures")
        try:
            values = read_options(options.get("autograd", {}), _MORE)
            # The builder says which page it is; readers and writers count the lines of the block.
            wish = wish_for(
                source, values, defaults, folder=os.getcwd(), file="", line=1, explains=self.explains
            )
            blocks = md.__dict__.setdefault(_HISTORY, [])
            blocks.append(wish.snippet)
            outcome = run(blocks, store, self.run_code, _worker())[-1]
            content = _content(wish, outcome, values, store)
        except TourError as error:
            raise SuperFencesException(f"autograd: {error}") from error
        except Exception as error:  # any other would pass for a fence that is not ours
            raise SuperFencesException(f"autograd: {type(error).__name__}: {error}") from error
        code = _code(source) if values.get("include-source") and source.strip() else ""
        return f"{code}{content}"


def _content(wish: Wish, outcome: Record | Failure, values: dict[str, Any], store: Cache) -> str:
    if isinstance(outcome, Failure):
        if not wish.snippet.expects_error:
            raise TourError(f"line {outcome.line} of the block: {outcome.message}", outcome.hint)
        return f"<pre><code>{html.escape(outcome.message)}</code></pre>"
    if wish.snippet.expects_error:
        raise TourError("an error was expected, but the code ran")
    if wish.snippet.explains:
        return explained(outcome.explanation, wish.drawing, store)
    if wish.format == "report":
        (report,) = files(outcome, "txt", wish.drawing, cache=store).values()
        return f"<pre><code>{html.escape(report.decode())}</code></pre>"
    if wish.format == "page":
        (page,) = files(outcome, "html", wish.drawing, cache=store).values()
        srcdoc = html.escape(page.decode(), quote=True)
        return f'<iframe srcdoc="{srcdoc}" style="width:100%;height:640px;border:0"></iframe>'
    view = {"ledger": "accumulation", "frames": STEPS}.get(wish.format, wish.view)
    picture = image(outcome, view, wish.drawing, alt=values.get("alt", ""), cache=store)
    caption = values.get("caption")
    note = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    # On one line: Python-Markdown makes paragraphs of lines that stand apart.
    return f'<figure class="autograd">{picture}{note}</figure>'


def _code(source: str) -> str:
    return str(highlight(source, PythonLexer(), HtmlFormatter(cssclass="highlight", wrapcode=True)))


@cache
def _worker() -> Worker:
    """One process for all pages."""
    worker = Worker()
    atexit.register(worker.end)
    return worker


fence = Fence()
"""The fence with everything as usual."""
explain = Fence(explains=True)
"""The fence that shows what is wrong with gradients."""
