"""The palette as CSS: for a page, and for the pictures that stand in it."""

from __future__ import annotations

from dataclasses import fields

from autograd_tour.drawing.theme import DARK, LIGHT, Palette

__all__ = ["colours"]


def colours(stage: str) -> str:
    """The palette, for the page and for pictures within ``stage``, a selector; by system and by choice."""
    roles = [role.name for role in fields(Palette)]
    lines = {"light": "#d0d7de", "dark": "#3d444d"}

    def of_page(palette: Palette, line: str) -> str:
        return "".join(f"--{role}:{getattr(palette, role)};" for role in roles) + f"--line:{line};"

    pictures = "".join(
        f'{stage} [{attribute}="{getattr(LIGHT, role)}"]{{{attribute}:var(--{role})}}'
        for role in roles
        for attribute in ("fill", "stroke")
    )
    light, dark = of_page(LIGHT, lines["light"]), of_page(DARK, lines["dark"])
    chosen, automatic = ":root[data-theme=dark]", ":root[data-theme=auto]"
    return (
        f":root{{color-scheme:light;{light}}}\n"
        f"@media screen{{{chosen}{{color-scheme:dark;{dark}}}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{{automatic}{{color-scheme:dark;{dark}}}}}\n"
        f"{pictures}\n"
    )
