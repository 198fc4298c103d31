"""What a record shows of itself in a notebook, a gallery and at a prompt."""

from __future__ import annotations

import base64
import re

import pytest
import torch

import autograd_tour as tour
from autograd_tour.lessons.thermometer import thermometer
from autograd_tour.record.trace import Trace


@pytest.fixture(scope="module")
def graph():
    return tour.trace(thermometer)


def chain():
    x = torch.ones(3, requires_grad=True)
    y = x
    for _ in range(2000):
        y = y * 1.001
    return y.sum()


def test_a_record_is_a_line(graph):
    assert repr(graph) == "<Graph of 5 operations and 2 leaves; loss = 1763.88>"
    assert repr(tour.Ledger()) == "<Ledger of 0 backward calls on 0 leaves>"
    assert repr(Trace(graph)) == "<Trace: Graph of 5 operations and 2 leaves; loss = 1763.88>"
    assert len(repr(tour.trace(chain))) < 200


def test_a_record_is_an_image_that_needs_no_other_file(graph):
    html = graph._repr_html_()
    assert "\n" not in html
    (data,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', html)
    assert base64.b64decode(data) == tour.svg(graph).encode()
    assert 'alt="An autograd graph of 5 operations' in html


@pytest.mark.parametrize(
    ("include", "exclude", "kinds"),
    [
        (None, None, {"text/plain", "text/html"}),
        ({"text/plain"}, None, {"text/plain"}),
        (None, {"text/html"}, {"text/plain"}),
    ],
)
def test_a_bundle_has_what_is_asked_for(graph, include, exclude, kinds):
    assert set(graph._repr_mimebundle_(include, exclude)) == kinds


def test_runs_and_ledgers_have_pictures_of_their_own():
    def train():
        w = torch.tensor(1.0, requires_grad=True)
        for _ in range(2):
            (w * w).backward()

    run = tour.follow(train)
    assert "2 backward calls" in repr(run)
    assert run._repr_html_().count("<img") == 1
    ledger = tour.accumulate(thermometer, calls=2)
    assert "base64" in ledger._repr_html_()


def test_a_theme_that_darkens_images_leaves_ours_as_they_are(graph):
    assert 'html[data-theme="dark"] .bd-content img.autograd{filter:none}' in graph._repr_html_()


def test_nothing_to_draw_is_a_line():
    assert tour.Graph()._repr_html_() is None
    assert set(tour.Graph()._repr_mimebundle_()) == {"text/plain"}


def test_the_page_stands_in_a_frame(graph):
    html = tour.page(graph, height=300)._repr_html_()
    assert html.startswith("<iframe srcdoc=")
    assert "height:300px" in html
