"""In a real browser no text leaves its box, no label lies on a card, and dark mode is dark."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
import torch
from torch import nn

import autograd_tour as tour
from autograd_tour.drawing.metrics import _BOLD, _REGULAR, text_width
from autograd_tour.drawing.theme import DARK, FONT, LIGHT
from autograd_tour.lessons.thermometer import thermometer, thermometer_params

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (apt-get install chromium)"),
]

MEASURE = """
<script>
const box = e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom] };
const inside = (a, b, slack) =>
  a[0] >= b[0] - slack && a[1] >= b[1] - slack && a[2] <= b[2] + slack && a[3] <= b[3] + slack;
const apart = (a, b) => a[2] <= b[0] + 1 || b[2] <= a[0] + 1 || a[3] <= b[1] + 1 || b[3] <= a[1] + 1;
const bad = [], cards = [...document.querySelectorAll('g.node')], rules = [...document.querySelectorAll('g.rule')];
for (const card of cards) {
  const outline = box(card.querySelector(':scope > path'));
  for (const text of card.querySelectorAll('text'))
    if (!inside(box(text), outline, 1)) bad.push('leaves its card: ' + text.textContent);
}
const words = cards.flatMap(card => [...card.querySelectorAll('text')]).map(text => [box(text), text]);
const texts = rules.map(rule => [...rule.querySelectorAll('text, circle')].map(box));
rules.forEach((rule, i) => {
  for (const card of cards)
    if (texts[i].some(t => !apart(t, box(card.querySelector(':scope > path')))))
      bad.push('on a card: ' + rule.textContent);
  for (let j = 0; j < i; j++)
    if (texts[i].some(a => texts[j].some(b => !apart(a, b)))) bad.push('on a label: ' + rule.textContent);
});
for (const path of document.querySelectorAll('g.edge > path:first-of-type')) {
  const place = path.getScreenCTM();
  for (let at = 0; at <= path.getTotalLength(); at += 3) {
    const { x, y } = path.getPointAtLength(at).matrixTransform(place);
    if (words.some(([b]) => x > b[0] + 1 && x < b[2] - 1 && y > b[1] + 1 && y < b[3] - 1))
      { bad.push('runs through a text: ' + path.parentNode.id); break; }
  }
}
const colours = [...new Set(words.map(([, text]) => getComputedStyle(text).fill))];
const paper = getComputedStyle(document.querySelector('svg > rect')).fill;
const svg = document.querySelector('svg');
for (const text of document.querySelectorAll('text'))
  if (!inside(box(text), box(svg), 0)) bad.push('leaves the picture: ' + text.textContent);
document.body.innerHTML = '<pre id="answer"></pre>';
document.getElementById('answer').textContent = JSON.stringify(
  {bad, paper, colours, cards: cards.length, rules: rules.length});
</script>
"""


def in_browser(svg, folder, *flags, style=""):
    return dumped(f"<style>{style}</style><body>{svg}{MEASURE}", folder, *flags)


def dumped(body, folder, *flags):
    """What the scripts of a page answer."""
    page = folder / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{body}", encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", *flags, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answer = re.search(r'<pre id="answer">(.*?)</pre>', done.stdout, re.DOTALL)
    assert answer, done.stdout[:500]
    return json.loads(answer[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


def net():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    return nn.functional.cross_entropy(model(torch.randn(5, 4)), torch.tensor([0, 1, 2, 1, 0]))


def odd_names():
    名前, Ωμέγα = torch.tensor(2.0, requires_grad=True), torch.tensor(3.0, requires_grad=True)
    a_very_long_name_that_says_everything_about_the_tensor_it_stands_for = 名前 * Ωμέγα
    return a_very_long_name_that_says_everything_about_the_tensor_it_stands_for.exp() + Ωμέγα**2


def fan_out():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    h = torch.sin(x)
    return (h * h + h * x + x * x + h.detach() * h).sum()


def hostile_names():
    script = type(
        "</text><script>alert(1)</script>",
        (torch.autograd.Function,),
        {
            "forward": staticmethod(lambda ctx, x: x * 2),
            "backward": staticmethod(lambda ctx, grad: grad * 2),
        },
    )
    names = ["<b>x</b>]]>&", "🧑‍🔬🌡️ 温度計 ﷽", "ＷＷＷＷＷ" * 9, "\u202eabc\x00\ud800", "ÅÅÅ e\u0301\u0301 ҈Ж"]
    layers = nn.ModuleDict({name: nn.Linear(2, 2, bias=False) for name in names})
    x = torch.ones(3, 2)
    for layer in layers.values():
        x = script.apply(layer(x))
    return tour.trace(x.sum(), names={f"{name} weight": layers[name].weight for name in names})


PROGRAMS = {
    "thermometer": thermometer,
    "params": thermometer_params,
    "net": net,
    "fan-out": fan_out,
    "odd names": odd_names,
}


@pytest.fixture(scope="module")
def graphs():
    return {name: tour.trace(program) for name, program in PROGRAMS.items()} | {"hostile": hostile_names()}


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("view", ["graph", "chain", "outline", "torchviz"])
@pytest.mark.parametrize("program", [*PROGRAMS, "hostile"])
def test_every_text_stays_in_its_box(graphs, tmp_path, program, view, direction):
    svg = tour.svg(graphs[program], view=view, direction=direction)
    found = in_browser(svg, tmp_path)
    assert found["cards"] > 3
    assert found["bad"] == []


@pytest.mark.parametrize("program", ["thermometer", "net", "hostile"])
def test_text_stays_in_its_box_in_a_wider_font_too(graphs, tmp_path, program):
    svg = tour.svg(graphs[program])
    wide = in_browser(
        svg, tmp_path, style="svg text { font-family: 'DejaVu Sans', 'Courier New', monospace }"
    )
    assert wide["bad"] == []


@pytest.mark.parametrize(
    ("theme", "scheme", "paper"),
    [
        ("auto", 0, "rgb(13, 17, 23)"),
        ("auto", 1, "rgb(255, 255, 255)"),
        ("light", 0, "rgb(255, 255, 255)"),
        ("dark", 1, "rgb(13, 17, 23)"),
    ],
)
def test_the_picture_follows_the_readers_theme(graphs, tmp_path, theme, scheme, paper):
    svg = tour.svg(graphs["thermometer"], theme=theme)
    found = in_browser(svg, tmp_path, f"--blink-settings=preferredColorScheme={scheme}")
    assert found["paper"] == paper
    palette = LIGHT if paper == "rgb(255, 255, 255)" else DARK
    roles = ("ink", "forward", "backward", "saved", "muted", "paper")
    assert set(found["colours"]) == {rgb(getattr(palette, role)) for role in roles}


def rgb(colour):
    return f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"


WIDTHS = """
<svg id="ruler" font-family="FONT"></svg>
<script>
const ruler = document.getElementById('ruler');
const width = ([char, bold]) => {
  const text = document.createElementNS('http://www.w3.org/2000/svg', 'text');
  text.setAttribute('font-size', '100');
  if (bold) text.setAttribute('font-weight', 'bold');
  text.textContent = '|' + char + '|';
  ruler.append(text);
  const full = text.getComputedTextLength();
  text.textContent = '||';
  return (full - text.getComputedTextLength()) / 100;
};
const bad = CHARS.map(width);
document.body.innerHTML = '<pre id="answer"></pre>';
document.getElementById('answer').textContent = JSON.stringify(bad);
</script>
"""


def test_characters_are_as_wide_as_the_layout_takes_them_to_be(tmp_path):
    """Else each text would be squeezed or stretched into its place."""
    chars = [(char, bold) for bold, table in enumerate((_REGULAR, _BOLD)) for char in "".join(table.values())]
    page = WIDTHS.replace("FONT", FONT).replace("CHARS", json.dumps(chars))
    widths = dict(zip(chars, dumped(page, tmp_path), strict=True))
    if widths["W", 0] != pytest.approx(0.944, abs=0.002) or widths["i", 0] != pytest.approx(0.222, abs=0.002):
        pytest.skip("no font with Arial's widths is installed (apt-get install fonts-liberation)")
    ascii_widths = {key: width for key, width in widths.items() if key[0].isascii()}
    assert len(ascii_widths) == 2 * 95
    for (char, bold), width in ascii_widths.items():
        assert text_width(char, 1, bool(bold)) == pytest.approx(width, abs=0.002), (char, bold)
    # What such a font lacks comes from another one, which is nearly as wide.
    off = [key for key, width in widths.items() if abs(text_width(key[0], 1, bool(key[1])) - width) > 0.1]
    assert len(off) < 0.05 * len(widths), off


def test_the_measuring_finds_a_link_that_runs_through_a_text(graphs, tmp_path):
    svg = tour.svg(graphs["thermometer"])
    found = re.search(r'<g transform="translate\(16 16\)">', svg)
    across = '<g id="across" class="edge"><path d="M0 {0}L2000 {0}" fill="none"/></g>'
    lines = "".join(across.format(y) for y in range(0, 200, 5))
    svg = svg[: found.end()] + lines + svg[found.end() :]
    assert "runs through a text: across" in in_browser(svg, tmp_path)["bad"]


def test_the_measuring_can_fail(graphs, tmp_path):
    svg = tour.svg(graphs["thermometer"]).replace("MulBackward0</text>", "MulBackward0, and on and on</text>")
    svg = re.sub(r' textLength="[^"]*" lengthAdjust="spacingAndGlyphs"', "", svg)
    assert any("leaves its card" in fault for fault in in_browser(svg, tmp_path)["bad"])
