"""The visual grammar in one file: the palette, light and dark, and how a picture follows the reader's.

Light colours stand in the picture as attributes. A ``<style>`` turns them dark where the reader
prefers that, by the colour itself: no classes, no variables, so converters that know neither still
draw the light picture.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

__all__ = ["DARK", "FONT", "LIGHT", "MONO", "Palette", "ThemeName", "style_block", "themed"]

ThemeName = Literal["light", "dark", "auto"]

FONT = "Arial, Helvetica, 'Liberation Sans', sans-serif"
MONO = "Courier, 'Courier New', 'Liberation Mono', monospace"


@dataclass(frozen=True)
class Palette:
    """Six-digit hex colours by role. Text roles have a contrast of at least 4.5:1 on paper and fills."""

    ink: str
    forward: str
    backward: str
    saved: str
    muted: str
    error: str
    paper: str
    leaf_fill: str
    constant_fill: str
    saved_fill: str
    accumulated_fill: str


LIGHT = Palette(
    ink="#1b1f24",
    forward="#005a9c",
    backward="#b34700",
    saved="#7b2d6b",
    muted="#5f6772",
    error="#a30000",
    paper="#ffffff",
    leaf_fill="#e3f0fa",
    constant_fill="#f1f3f5",
    saved_fill="#f6e6f1",
    accumulated_fill="#ffe8d6",
)
DARK = Palette(
    ink="#f0f3f6",
    forward="#6cb6ff",
    backward="#ffa657",
    saved="#e7a1cf",
    muted="#939ca6",
    error="#ff7b72",
    paper="#0d1117",
    leaf_fill="#0b2f4a",
    constant_fill="#24292f",
    saved_fill="#3b1f34",
    accumulated_fill="#4a2a10",
)


def style_block(prefix: str, theme: ThemeName) -> str:
    """The ``<style>`` of a picture whose root has the id ``prefix``; empty unless ``auto``."""
    if theme != "auto":
        return ""
    rules = "".join(
        f'#{prefix} [{attribute}="{getattr(LIGHT, role.name)}"]{{{attribute}:{getattr(DARK, role.name)}}}'
        for role in fields(Palette)
        for attribute in ("fill", "stroke")
    )
    return f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"


def themed(svg: str, theme: ThemeName) -> str:
    """``svg``, drawn in light colours, with dark ones in their place if ``theme`` is ``dark``."""
    if theme != "dark":
        return svg
    for role in fields(Palette):
        light, dark = getattr(LIGHT, role.name), getattr(DARK, role.name)
        for attribute in ("fill", "stroke"):
            svg = svg.replace(f'{attribute}="{light}"', f'{attribute}="{dark}"')
    return svg
