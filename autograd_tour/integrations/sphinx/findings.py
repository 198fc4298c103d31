"""``.. autograd-explain::``: what is wrong with the gradients of a block, with its lines and a remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from docutils import nodes

from autograd_tour.errors import TourError
from autograd_tour.integrations.sphinx.directive import BlockDirective

if TYPE_CHECKING:
    from autograd_tour.findings.base import Finding

__all__ = ["ExplainDirective", "findings_nodes"]


class ExplainDirective(BlockDirective):
    """Findings about a block, each with the line that caused it and its node in the picture."""

    explains = True

    def run(self) -> list[nodes.Node]:
        """The source, if it is asked for, and what becomes the findings."""
        try:
            block = self.block(alt="")
        except TourError as error:
            return self.refused(error)
        block["classes"] += self.options.get("class", [])
        self.add_name(block)
        return [*self.source(), block]


def findings_nodes(
    findings: tuple[Finding, ...], drawn: Callable[[Finding], list[nodes.Node]]
) -> list[nodes.Node]:
    """Standard nodes for findings, which every builder shows; ``drawn`` makes the picture of one."""
    if not findings:
        from autograd_tour.formats.explanation import NOTHING

        return [nodes.paragraph("", NOTHING)]
    box = nodes.container(classes=["autograd-explain"])
    for number, finding in enumerate(findings, 1):
        title = nodes.paragraph("", "", nodes.strong("", f"{number}. {finding.level}: {finding.seen}"))
        title += [nodes.Text(" "), nodes.literal(finding.kind, finding.kind)]
        entry = nodes.container("", title, classes=["autograd-finding", finding.level])
        entry += list(_body(finding))
        entry += drawn(finding)
        box += entry
    return [box]


def _body(finding: Finding) -> Iterator[nodes.Node]:
    for item in finding.lines:
        yield nodes.paragraph("", f"{item.role.capitalize()}, {item.line.position}:")
        yield _code(item.line.text, "python")
    if finding.speaker:
        yield nodes.paragraph("", f"{finding.speaker.capitalize()}:")
        yield _code(finding.message, "text")
    yield nodes.paragraph("", finding.why)
    if finding.fix:
        yield nodes.paragraph("", "What to write instead:")
        yield _code(finding.fix, "python")


def _code(text: str, language: str) -> nodes.literal_block:
    return nodes.literal_block(text, text, language=language, force=True)
