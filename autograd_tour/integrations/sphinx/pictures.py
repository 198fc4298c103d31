"""Blocks become images, and roles become values, when a document is written for its builder."""

from __future__ import annotations

import hashlib
import html
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from msgspec.structs import replace
from sphinx.util import logging

from autograd_tour.errors import TourError, UsageError
from autograd_tour.hosts.drawn import MEDIA_TYPES, STEPS, draw, draw_finding, draw_steps, files
from autograd_tour.hosts.outcome import Failure, Record
from autograd_tour.integrations.sphinx import builds
from autograd_tour.integrations.sphinx.findings import findings_nodes
from autograd_tour.integrations.sphinx.nodes import AutogradBlock, AutogradValue
from autograd_tour.integrations.sphinx.quiz import sheet
from autograd_tour.integrations.sphinx.state import failed

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from autograd_tour.findings.base import Finding
    from autograd_tour.hosts.drawn import Picture

__all__ = ["Pictures"]

logger = logging.getLogger(__name__)

_PAPER = 624.0
"""Width of the text on Sphinx's paper, px."""
_TALL = 1.25
"""How tall a picture with a caption may be there, in such widths: on both kinds of paper a page has more."""


class Pictures:
    """Puts standard nodes in the place of ours, in a document that is written now."""

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self.env = app.env
        self.cache = builds.cache_of(app)

    def value(self, node: AutogradValue) -> nodes.Node:
        """What stands there for a role."""
        result = builds.outcome(self.app, node["docname"], node["number"])
        if isinstance(result, Failure):  # warned of, where its block stands
            return nodes.literal("?", "?")
        try:
            text = result.value(node["wanted"])
        except TourError as error:
            self._warn(error, node, "name")
            return nodes.literal("?", "?")
        return nodes.literal(text, text, classes=["autograd"])

    def _warn(self, error: TourError, node: AutogradValue | AutogradBlock, kind: str) -> None:
        """Say what is wrong, in this build and in the next."""
        failed(self.env, node["docname"])
        logger.warning("%s", error, location=node, type="autograd", subtype=kind)

    def content(self, node: AutogradBlock) -> list[nodes.Node]:
        """What stands there for a block."""
        result = builds.outcome(self.app, node["docname"], node["number"])
        wish = builds.wish_of(self.app, node["docname"], node["number"])
        if isinstance(result, Failure):
            if wish.snippet.expects_error:
                return [nodes.literal_block(result.message, result.message, language="text")]
            return [nodes.error("", nodes.paragraph("", str(result)))]
        try:
            return self._of_record(node, result)
        except TourError as error:
            self._warn(error, node, "program")
            return [nodes.error("", nodes.paragraph("", str(error)))]

    def _of_record(self, node: AutogradBlock, record: Record) -> list[nodes.Node]:
        if "questions" in node:
            return sheet(record, node["questions"], openable=self.app.builder.format == "html")
        wish = builds.wish_of(self.app, node["docname"], node["number"])
        if wish.snippet.explains:
            return findings_nodes(record.explanation.findings, partial(self._finding, node, record))
        if wish.format == "report":
            (report,) = files(record, "txt", wish.drawing, cache=self.cache).values()
            text = report.decode()
            return [nodes.literal_block(text, text, language="text")]
        view = {"ledger": "accumulation", "frames": STEPS}.get(wish.format, wish.view)
        kind = self._kind()
        if wish.format == "page" and self.app.builder.format == "html" and self.app.builder.name != "epub":
            (page,) = files(record, "html", wish.drawing, cache=self.cache).values()
            return [self._frame(page, record)]
        if view == STEPS:
            return self._frames(node, record, kind)
        picture = draw(record, kind, view, settings=wish.drawing, cache=self.cache)
        image = self._image(node, picture.data, kind, node["alt"] or picture.alt)
        if (
            self.app.builder.format == "latex"
            and isinstance(node.parent, nodes.figure)
            and "width" not in node
        ):
            _leave_room(image, picture)
        return [image]

    def _finding(self, node: AutogradBlock, record: Record, finding: Finding) -> list[nodes.Node]:
        """The graph with the node of a finding marked."""
        wish = builds.wish_of(self.app, node["docname"], node["number"])
        kind = self._kind()
        picture = draw_finding(record.explanation, finding, kind, drawing=wish.drawing, cache=self.cache)
        return [] if picture is None else [self._image(node, picture.data, kind, picture.alt)]

    def _frames(self, node: AutogradBlock, record: Record, kind: str) -> list[nodes.Node]:
        """A picture for each step of backward."""
        drawing = builds.wish_of(self.app, node["docname"], node["number"]).drawing
        slide = "revealjs" in self.app.builder.name
        if slide and drawing.theme == "auto":  # a deck has its own colours, whatever the reader's system has
            drawing = replace(drawing, theme="light")
        steps = draw_steps(record, kind, drawing, cache=self.cache)
        alts = [node["alt"] or steps[0].alt, *(step.alt for step in steps[1:])]
        images = [self._image(node, step.data, kind, alt) for step, alt in zip(steps, alts, strict=True)]
        if not slide:
            return list(images)
        for image in images[1:]:  # a slide shows them one above the other, one more with each key
            image["classes"].append("fragment")
        return [nodes.container("", *images, classes=["r-stack"])]

    def _kind(self) -> str:
        """The format of pictures that the builder takes; SVG where it takes none, and shows the alt text."""
        if self.app.builder.format == "latex":
            return str(self.app.config.autograd_latex)
        taken = self.app.builder.supported_image_types
        return next((kind for kind in ("svg", "png", "pdf") if MEDIA_TYPES[kind] in taken), "svg")

    def _image(self, node: AutogradBlock, data: bytes, kind: str, alt: str) -> nodes.image:
        path = self._written(data, kind)
        image = nodes.image(uri=path, alt=alt, classes=list(node["classes"]))
        image["candidates"] = {MEDIA_TYPES[kind]: path, "*": path}
        for name in ("align", "width"):
            if name in node:
                image[name] = node[name]
        image.source, image.line = node.source, node.line
        self.env.images.add_file(node["docname"], path)
        return image

    def _written(self, data: bytes, kind: str) -> str:
        """Write a picture where builders fetch it from; its path from the source folder."""
        folder = Path(self.app.doctreedir) / "autograd" / "images"
        path = _write(folder, f"autograd-{hashlib.sha256(data).hexdigest()[:20]}.{kind}", data)
        return Path(os.path.relpath(path, self.app.srcdir)).as_posix()

    def _frame(self, page: bytes, record: Record) -> nodes.raw:
        """The interactive page, within the page."""
        name = f"{hashlib.sha256(page).hexdigest()[:20]}.html"
        _write(Path(self.app.outdir) / "_autograd", name, page)
        up = "../" * self.app.builder.get_target_uri(self.env.docname).count("/")
        title = html.escape(record.description, quote=True)
        attributes = f'class="autograd" height="640" loading="lazy" title="{title}"'
        text = f'<iframe {attributes} src="{up}_autograd/{name}"></iframe>'
        return nodes.raw("", text, format="html")


def _leave_room(image: nodes.image, picture: Picture) -> None:
    """Keep a tall picture from the foot of the page of LaTeX, where its caption is to stand."""
    if picture.height * min(1.0, _PAPER / picture.width) > _TALL * _PAPER:
        image["height"] = f"{_TALL:.0%}"  # LaTeX takes it of the width of the text


def _write(folder: Path, name: str, data: bytes) -> Path:
    """Write a file whose name tells what is in it, whole or not at all; its path.

    Raises:
        UsageError: it cannot be written.
    """
    path = folder / name
    if not path.exists():
        from autograd_tour.formats.write import write_all

        try:
            write_all(folder, {name: data})
        except UsageError as error:
            raise UsageError(error.message, "Make room there, or build into other folders") from None
    return path
