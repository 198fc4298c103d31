"""Pictures on pages of themes that have a switch: dark where the page is dark, whatever the system says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from io import BytesIO

import pytest

from tests.sites import build, write

Image = pytest.importorskip("PIL.Image")
pytestmark = [pytest.mark.browser]

SQUARE = "w = torch.tensor(3.0, requires_grad=True)\nx = torch.tensor(2.0)\nloss = ((w * x + 1) ** 2).exp()\n"
PAGE = "T\n=\n\n.. autograd::\n\n" + "".join(f"   {line}\n" for line in SQUARE.splitlines())
WRONG = (
    "\n.. autograd-explain::\n\n   w = torch.ones(2, requires_grad=True)\n   w.sum().detach().backward()\n"
)
FENCES = (
    "site_name: t\nmarkdown_extensions:\n  - pymdownx.superfences:\n      custom_fences:\n"
    "        - name: autograd\n          class: autograd\n"
    "          format: !!python/name:autograd_tour.integrations.markdown.fence\n"
    "          validator: !!python/name:autograd_tour.integrations.markdown.validator\n"
)
MATERIAL = (
    FENCES
    + "theme:\n  name: material\n  font: false\n  palette:\n    - scheme: default\n    - scheme: slate\n"
)
SWITCH = {
    "furo": "theme => document.body.dataset.theme = theme",
    "pydata_sphinx_theme": "theme => { document.documentElement.dataset.theme = theme }",
    "material": "theme => document.body.setAttribute('data-md-color-scheme', theme == 'dark' ? 'slate' : 'default')",
}


@pytest.fixture(scope="module", params=list(SWITCH))
def page(request, tmp_path_factory):
    """(theme, HTML file) of a site in each theme."""
    theme = request.param
    pytest.importorskip(theme)
    folder = tmp_path_factory.mktemp(theme)
    if theme != "material":
        conf = f"project = 't'\nhtml_theme = '{theme}'\nextensions = ['autograd_tour.integrations.sphinx']\n"
        result = build(write(folder, {"conf.py": conf, "index.rst": PAGE + WRONG}), "html", "-W")
        assert result.returncode == 0, result.stderr
        return theme, folder / "_html" / "index.html"
    write(folder, {"mkdocs.yml": MATERIAL, "docs/index.md": f"# T\n\n```autograd\n{SQUARE}```\n"})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return theme, folder / "site" / "index.html"


@pytest.mark.parametrize("system", ["light", "dark"])
@pytest.mark.parametrize("site", ["light", "dark"])
def test_the_paper_is_that_of_the_page(browser, page, system, site):
    theme, file = page
    context = browser.new_context(color_scheme=system, viewport={"width": 1400, "height": 900})
    try:
        tab = context.new_page()
        tab.goto(file.as_uri())
        tab.evaluate(SWITCH[theme], site)
        picture = tab.locator("img.autograd").first
        picture.scroll_into_view_if_needed()
        tab.wait_for_timeout(300)
        photo = Image.open(BytesIO(picture.screenshot())).convert("RGB")
        pixel = photo.getpixel((3, photo.height - 4))  # a header may lie over the top
        assert (sum(pixel) > 600, sum(pixel) < 200) == (site == "light", site == "dark"), pixel
    finally:
        context.close()


def test_text_has_10_px_in_the_column(browser, page):
    _, file = page
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    try:
        tab = context.new_page()
        tab.goto(file.as_uri())
        drawn, natural = tab.locator("img.autograd").first.evaluate(
            "image => [image.getBoundingClientRect().width, image.naturalWidth]"
        )
        source = tab.locator("img.autograd").first.evaluate(
            "async image => image.src.startsWith('data:') ? atob(image.src.split(',')[1]) : ''"
        )
        name = tab.locator("img.autograd").first.get_attribute("src")
        svg = source or (file.parent / name).read_text()
        assert smallest(svg) * drawn / natural >= 10
    finally:
        context.close()


def test_findings_stand_apart_from_their_border_and_a_message_is_wrapped(browser, page):
    theme, file = page
    if theme == "material":
        pytest.skip("a page of Sphinx")
    context = browser.new_context(viewport={"width": 360, "height": 900})
    try:
        tab = context.new_page()
        tab.goto(file.as_uri())
        finding = tab.locator(".autograd-finding").first
        assert finding.evaluate("box => getComputedStyle(box).paddingLeft") == "16px"
        message = finding.locator(".highlight-text pre").first
        assert message.evaluate("box => box.scrollWidth <= box.clientWidth")
    finally:
        context.close()


def smallest(svg: str) -> float:
    """Size of the smallest text, px, of a picture as large as it is."""
    width = float(re.search(r'<svg[^>]* width="([\d.]+)"', svg)[1])
    box = float(re.search(r'viewBox="\S+ \S+ (\S+) ', svg)[1])
    sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)"', svg)]
    return min([*sizes, 12.0]) * width / box
