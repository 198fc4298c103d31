"""Findings for people: lines of a terminal, Markdown, and one HTML document with the pictures in it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from html import escape
from textwrap import wrap

from autograd_tour.drawing.depth import depth_chart
from autograd_tour.findings import Finding
from autograd_tour.formats.save import svg
from autograd_tour.record.graph import Graph
from autograd_tour.record.trace import Trace
from autograd_tour.text import one_line
from autograd_tour.views.depth import bars
from autograd_tour.views.fold import fold
from autograd_tour.views.kept import brief, largest
from autograd_tour.views.look import Look, marks_in_sight

__all__ = ["depth_picture", "document", "fragment", "markdown", "picture", "sections", "terminal"]

NOTHING = "No finding: nothing that is looked for is wrong with the gradients of this run."
WIDTH = 100
"""Characters of a line of a paragraph in a terminal."""
FIXES = "What to write instead:"


MEMORY = "Memory"
WORTH_TELLING = 1_000_000
"""Bytes; nobody runs out of fewer."""
DRAWN = "autograd-tour render --view memory draws it, line by line"


def terminal(findings: Sequence[Finding], graphs: Sequence[Graph] = ()) -> Iterator[str]:
    """Lines without markup: what was seen, the lines of code, why, and the fix; then what ``graphs`` keep."""
    if not findings:
        yield NOTHING
    for number, finding in enumerate(findings, start=1):
        if number > 1:
            yield ""
        yield f"{number}. {finding.level}: {finding.seen}  [{finding.kind}]"
        width = max((len(item.role) for item in finding.lines), default=0)
        for item in finding.lines:
            yield f"   {item.role:<{width}}  {item.line.position}: {item.line.text}"
        if finding.speaker:
            yield f"   {finding.speaker}: {one_line(finding.message, 300)}"
        yield from wrap(finding.why, WIDTH, initial_indent="   ", subsequent_indent="   ")
        if finding.depth:
            yield from (f"   {row}" for row in bars(finding.depth))
        if finding.fix:
            yield f"   {FIXES}"
            yield from (f"     {line}" for line in finding.fix.splitlines())
    if lines := _memory_lines(graphs):
        yield ""
        yield from wrap(f"{MEMORY}: {lines[0]}.", WIDTH, subsequent_indent="   ")
        yield from (f"   {one_line(line, 160)}" for line in lines[1:])
        yield f"   {DRAWN}"


def _memory_lines(graphs: Sequence[Graph]) -> tuple[str, ...]:
    """What there is to say of memory, nothing where it is little."""
    graph = largest(graphs)
    kept = graph.memory.bytes_of("graph") if graph.memory is not None else 0
    return brief(graph) if kept >= WORTH_TELLING else ()


def markdown(name: str, findings: Sequence[Finding], graphs: Sequence[Graph] = ()) -> str:
    """A Markdown document; code stands in fences, so that nothing in it is markup."""
    return f"# {_plain(name)}: what is wrong with its gradients\n\n{sections(findings, graphs)}"


def sections(findings: Sequence[Finding], graphs: Sequence[Graph] = ()) -> str:
    """The same without its title."""
    parts = [] if findings else [NOTHING]
    for number, finding in enumerate(findings, start=1):
        parts += [f"## {number}. {finding.level}: {_plain(finding.seen)}", "", f"`{finding.kind}`", ""]
        for item in finding.lines:
            parts += [
                f"{item.role.capitalize()}, {_plain(item.line.position)}:",
                "",
                *_fenced(item.line.text),
                "",
            ]
        if speaker := finding.speaker:
            parts += [f"{speaker.capitalize()}:", "", *_fenced(finding.message, ""), ""]
        parts += [_plain(finding.why), ""]
        if finding.depth:
            parts += [*_fenced("\n".join(bars(finding.depth)), "text"), ""]
        if finding.fix:
            parts += [FIXES, "", *_fenced(finding.fix), ""]
    if lines := _memory_lines(graphs):
        parts += [f"## {MEMORY}", "", *(f"- {_plain(line)}" for line in lines), ""]
    return "\n".join(parts).rstrip() + "\n"


def picture(finding: Finding, graphs: Sequence[Graph]) -> str:
    """The graph with the guilty node marked, as SVG; ``""`` where no node is known."""
    if not finding.node or finding.graph >= len(graphs):
        return ""
    graph = graphs[finding.graph]
    return svg(Trace(graph), mark=_mark(graph, finding.node), caption=one_line(finding.seen, 160))


def _mark(graph: Graph, node: str) -> tuple[str, ...]:
    """What calls the card of ``node``, or the folded card that it is in; nothing if that has no name."""
    card = graph.card_of(node)
    names = dict.fromkeys((card, graph.node(card).name, graph.node(card).group))
    folded = fold(graph)
    return next(
        (mark for name in names if name and (mark := marks_in_sight(folded, Look(mark=(name,))).mark)), ()
    )


def depth_picture(finding: Finding) -> str:
    """The gradients of its layers as SVG; ``""`` for a finding that is not about depth."""
    return depth_chart(finding.depth) if finding.depth else ""


def _image(svg_text: str, words: str) -> str:
    """``svg_text`` in a document, called ``words`` for those who cannot see it; ``""`` for none."""
    data = base64.b64encode(svg_text.encode()).decode()
    return f'<img alt="{words}" src="data:image/svg+xml;base64,{data}">' if svg_text else ""


def document(name: str, findings: Sequence[Finding], graphs: Sequence[Graph]) -> str:
    """One HTML document that asks for nothing else; the pictures follow the reader's light or dark."""
    title = f"{escape(name)}: what is wrong with its gradients"

    def drawn(finding: Finding) -> str:
        return _image(picture(finding, graphs), "The graph, with the guilty node marked")

    body = [f"<h1>{title}</h1>", fragment(findings, drawn), *_memory(graphs)]
    return _PAGE.format(title=title, body="\n".join(body))


def fragment(findings: Sequence[Finding], drawn: Callable[[Finding], str]) -> str:
    """Findings as HTML that stands in another document; ``drawn`` makes the image of one, or ``""``."""
    body = [] if findings else [f"<p>{NOTHING}</p>"]
    for number, finding in enumerate(findings, start=1):
        body.append(
            f'<section class="{finding.level}"><h2>{number}. {finding.level}: {escape(finding.seen)}</h2>'
        )
        body.append(f"<p><code>{escape(finding.kind)}</code></p>")
        for item in finding.lines:
            body.append(f"<p>{escape(item.role)}, <b>{escape(item.line.position)}</b></p>")
            body.append(f"<pre>{escape(item.line.text)}</pre>")
        if finding.speaker:
            body.append(f"<p>{finding.speaker}</p><pre>{escape(finding.message)}</pre>")
        body.append(f"<p>{escape(finding.why)}</p>")
        if finding.depth:
            body.append(_image(depth_picture(finding), "The gradient of each layer, over the depth"))
        if finding.fix:
            body.append(f"<p>{FIXES}</p><pre>{escape(finding.fix)}</pre>")
        body += filter(None, [drawn(finding)])
        body.append("</section>")
    text = "\n".join(body)
    return f'<div class="autograd-explain"><style>{_STYLE}</style>\n{text}\n</div>'


_STYLE = """
.autograd-explain section { border-left: 4px solid GrayText; padding-left: 1rem; margin: 1.5rem 0; }
.autograd-explain section.error { border-color: #d1242f; }
.autograd-explain section.warning { border-color: #bf8700; }
.autograd-explain h2 { font-size: 1.15rem; margin: 0 0 .5rem; }
.autograd-explain pre { overflow-x: auto; white-space: pre-wrap; padding: .5rem .75rem; }
.autograd-explain pre { border: 1px solid GrayText; border-radius: 4px; }
.autograd-explain img { max-width: 100%; height: auto; }
""".strip()


def _memory(graphs: Sequence[Graph]) -> list[str]:
    if not (lines := _memory_lines(graphs)):
        return []
    words = [f"<p>{escape(line)}</p>" for line in lines]
    drawn = svg(Trace(largest(graphs)), view="memory")
    return [f"<h2>{MEMORY}</h2>", *words, _image(drawn, "What each line keeps")]


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 Arial, Helvetica, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
</style></head><body>
{body}
</body></html>
"""


def _plain(text: str) -> str:
    """``text`` on one line, in which Markdown finds no markup."""
    line = one_line(text, 2_000)
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>#|" else letter for letter in line)


def _fenced(text: str, language: str = "python") -> list[str]:
    fence = "```" if "```" not in text else "~~~~~~"
    return [fence + language, *text.splitlines(), fence]
