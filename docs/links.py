"""Whether every inner link, picture and style of a built manual leads somewhere.

`python docs/links.py build/docs/html`. Sphinx's own linkcheck asks addresses on the network, and looks at the
sources; this looks at what readers get.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["broken"]


class _Page(HTMLParser):
    """The addresses that a page refers to, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value is not None:
                self.addresses.append(value)
            elif name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value or "")


def broken(folder: Path) -> list[str]:
    """``page: address`` for each link that leads nowhere. Addresses on the network are not asked."""
    # What can be downloaded is no page of the manual: a deck, for instance, which wants a library beside it.
    paths = [path for path in sorted(folder.rglob("*.html")) if "_downloads" not in path.parts]
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in paths}
    wrong = []
    for path, page in pages.items():
        for address in page.addresses:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[target].anchors if target in pages else None
            missing = parts.fragment and anchors is not None and unquote(parts.fragment) not in anchors
            if not target.is_file() or missing:
                wrong.append(f"{path.relative_to(folder)}: {address}")
    return wrong


if __name__ == "__main__":
    lines = broken(Path(sys.argv[1]).resolve())
    print("\n".join(lines) or "every inner link leads somewhere")
    sys.exit(bool(lines))
