"""``.. autograd::``: a block of code, and the picture of what autograd did with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from autograd_tour.errors import TourError
from autograd_tour.hosts.options import OPTIONS
from autograd_tour.integrations.sphinx import state
from autograd_tour.integrations.sphinx.nodes import AutogradBlock

if TYPE_CHECKING:
    from autograd_tour.hosts.wish import Wish

__all__ = ["AutogradDirective", "BlockDirective"]

_ALIGN = ("left", "center", "right")


def _align(text: str) -> str:
    chosen: str = directives.choice(text, _ALIGN)
    return chosen


def _given(read: Any) -> Any:
    """A reader of :data:`OPTIONS` for docutils, which says ``None`` for an option without a value."""
    return lambda text: read(text or "")


class BlockDirective(SphinxDirective):
    """A block whose code runs when all documents have been read."""

    has_content = True
    optional_arguments = 0
    explains = False
    option_spec: ClassVar = {
        **{name: _given(read) for name, read in OPTIONS.items()},
        "name": directives.unchanged,
        "class": directives.class_option,
        "include-source": _given(OPTIONS["compact"]),
        "code-caption": directives.unchanged,
    }

    def wish(self) -> Wish:
        """What the block asks for.

        Raises:
            UsageError: it is not told what to run, or two things.
        """
        from msgspec.structs import replace

        from autograd_tour.hosts.wish import Defaults, wish_for

        config, file = self.config, Path(self.env.doc2path(self.env.docname))
        defaults = Defaults(
            float(config.autograd_max_width), float(config.autograd_timeout), config.autograd_prelude
        )
        wish = wish_for(
            "\n".join(self.content),
            self.options,
            defaults,
            folder=str(file.parent),
            file=self.env.docname,
            line=self._first_line(file),
            explains=self.explains,
        )
        origin, line = self._elsewhere(file)
        if origin:
            wish = replace(wish, snippet=replace(wish.snippet, origin=origin, line=line))
        for path in filter(None, (wish.snippet.trace, wish.snippet.target.rpartition(":")[0])):
            self.env.note_dependency(str(file.parent / path))
        return wish

    def block(self, **attributes: Any) -> AutogradBlock:
        """The node that becomes what the block asks for, which from now on is one of the document's.

        Raises:
            UsageError: see :meth:`wish`.
        """
        name = nodes.fully_normalize_name(self.options.get("name", ""))
        number = state.add(self.env, self.wish(), name)
        block = AutogradBlock("", docname=self.env.docname, number=number, classes=["autograd"], **attributes)
        self.set_source_info(block)
        return block

    def refused(self, error: TourError) -> list[nodes.Node]:
        """What stands there in place of a block that asks for what cannot be; the next build says so too."""
        state.failed(self.env, self.env.docname)
        return [self.state.document.reporter.warning(str(error), line=self.lineno)]

    def source(self) -> list[nodes.Node]:
        """The code itself, if it is to be shown."""
        wanted = self.options.get("include-source", self.config.autograd_include_source)
        if not wanted or not self.content:
            return []
        code = nodes.literal_block("\n".join(self.content), "\n".join(self.content), language="python")
        self.set_source_info(code)
        if "lineno-start" in self.options:
            code["linenos"] = True
            code["highlight_args"] = {"linenostart": self.options["lineno-start"]}
        caption = self.options.get("code-caption")
        if not caption:
            return [code]
        box = nodes.container("", literal_block=True, classes=["literal-block-wrapper"])
        title = nodes.caption(caption, "", *self.parse_inline(caption)[0])
        self.set_source_info(title)  # or nobody could translate it
        box += [title, code]
        return [box]

    def _elsewhere(self, file: Path) -> tuple[str, int]:
        """Where the code begins if its text comes from another file or a docstring; ``""`` if it does not."""
        if not self.content:
            return "", 0
        source, offset = self.content.info(0)
        name = os.path.abspath(source or file)
        path = Path(name.partition(":docstring of")[0])  # as autodoc calls it
        elsewhere = path.is_file() and path.resolve() != file.resolve()
        return (name, int(offset or 0) + 1) if elsewhere else ("", 0)

    def _first_line(self, file: Path) -> int:
        """The line of the document in which the code begins: parsers count it differently."""
        first = next((line.strip() for line in self.content if line.strip()), "")
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            lines = []
        blank = next((n for n, line in enumerate(self.content) if line.strip()), 0)
        for number in range(max(self.lineno - 1, 0), len(lines)):
            if first and lines[number].strip() == first:
                return number + 1 - blank
        return int(self.lineno)


class AutogradDirective(BlockDirective):
    """The picture of a block, as a figure if it has a caption."""

    option_spec: ClassVar = {
        **BlockDirective.option_spec,
        "alt": directives.unchanged,
        "caption": directives.unchanged,
        "align": _align,
        "width": directives.length_or_percentage_or_unitless,
        "figclass": directives.class_option,
    }

    def run(self) -> list[nodes.Node]:
        """The source, if it is asked for, and what becomes the picture."""
        given = {name: self.options[name] for name in ("align", "width") if name in self.options}
        try:
            block = self.block(alt=self.options.get("alt", ""), **given)
        except TourError as error:
            return self.refused(error)
        block["classes"] += self.options.get("class", [])
        result: nodes.Element = block
        caption = self.options.get("caption")
        if caption:
            result = nodes.figure("", block, classes=self.options.get("figclass", []))
            result["align"] = self.options.get("align", "default")
            title = nodes.caption(caption, "", *self.parse_inline(caption, lineno=self.lineno)[0])
            result += title
            for node in (result, title):
                self.set_source_info(node)
        self.add_name(result)
        return [*self.source(), result]
