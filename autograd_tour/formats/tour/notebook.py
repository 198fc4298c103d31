"""The tour as notebooks: the code of a stop in cells that run, and what it printed."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from autograd_tour.formats.tour.content import Listing, StopContent, Tour, slug
from autograd_tour.formats.tour.given import given_for
from autograd_tour.formats.tour.markdown import block_markdown
from autograd_tour.formats.tour.words import Block, blocks, heading_of

__all__ = ["notebook_files"]


def notebook_files(tour: Tour) -> dict[str, str]:
    """A notebook for each stop. Nothing but torch is needed to run one."""
    return {f"{slug(stop.number, stop.name)}.ipynb": _notebook(stop) for stop in tour.stops}


def _notebook(stop: StopContent) -> str:
    stem = slug(stop.number, stop.name)
    listings = (stop.hook, stop.transfer, *stop.more, *(error.fixed for error in stop.errors))
    cells = [_text(f"# {heading_of(stop)}"), _code(given_for(*listings), run=False)]
    for block in blocks(stop):
        if block.kind == "code":
            cells.append(_listing(stop, block))
        elif block.kind == "output" and not _is_message(stop, block):
            continue  # it stands below its cell
        elif block.kind == "picture":
            cells.append(_picture(block, f"{stem}-{block.number + 1}.svg"))
        else:
            cells.append(_text(block_markdown(block, stem)))
    cells.append(_text("## To read further\n\n" + "\n".join(f"- {item}" for item in stop.reading)))
    document = {
        "cells": [cell | {"id": f"{stem}-{number}"} for number, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _is_message(stop: StopContent, block: Block) -> bool:
    return any(block.text == f"{error.kind}: {error.message}" for error in stop.errors)


def _listing(stop: StopContent, block: Block) -> dict[str, Any]:
    """Code as a cell; that of an error may fail when it runs. What it prints is to be predicted first."""
    assert block.listing is not None
    asked = block.listing in (stop.hook, stop.transfer)
    cell = _code(block.listing, run=not asked)
    if block.marks:
        cell["metadata"] = {"tags": ["raises-exception"]}
    return cell


def _text(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": _lines(text.split("\n"))}


def _code(listing: Listing, *, run: bool) -> dict[str, Any]:
    printed = _lines([*listing.outputs, ""]) if run and listing.outputs else []
    outputs = [{"output_type": "stream", "name": "stdout", "text": printed}] if printed else []
    return {
        "cell_type": "code",
        "metadata": {},
        "execution_count": None,
        "source": _lines(listing.lines),
        "outputs": outputs,
    }


def _picture(block: Block, name: str) -> dict[str, Any]:
    assert block.picture is not None
    cell = _text(f"![{block.text.replace('`', '')}](attachment:{name})\n\n*{block.text}*")
    picture = base64.b64encode(block.picture.svg.encode()).decode("ascii")
    return cell | {"attachments": {name: {"image/svg+xml": picture}}}


def _lines(lines: Sequence[str]) -> list[str]:
    """Lines as a notebook stores them: each but the last with its line break."""
    return [f"{line}\n" for line in lines[:-1]] + list(lines[-1:])
