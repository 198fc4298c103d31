"""Numbers as people read them."""

from __future__ import annotations

import doctest

import pytest

from autograd_tour import text
from autograd_tour.text import number


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (4517.296875, "4517.3"),
        (9034.59375, "9034.59"),
        (1.0, "1"),
        (0.0, "0"),
        (-0.0, "0"),
        (-2.5, "−2.5"),
        (1e6, "1e6"),
        (1234567.0, "1.23457e6"),
        (2.5e-7, "2.5e−7"),
        (5, "5"),
        (-1234567, "−1234567"),
        (10**400, "1e400"),
        (True, "True"),
        (False, "False"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("-inf", "−inf"),
        (float("nan"), "nan"),
        (float("-inf"), "−inf"),
        ("(1+2j)", "1+2j"),
        (1.5 - 2j, "1.5−2j"),
        ("(nan-infj)", "nan−infj"),
        ("hello", "hello"),
        ("x" * 99, "x" * 23 + "…"),
        ("", ""),
    ],
)
def test_number(value, shown):
    assert number(value) == shown


def test_fewer_digits():
    assert number(64.396, 3) == "64.4"
    assert number(123456.0, 2) == "1.2e5"


def test_examples_in_the_docstrings_hold():
    assert doctest.testmod(text).failed == 0
