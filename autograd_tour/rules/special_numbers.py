"""Special functions of single numbers: derivatives of the gamma function, and Bessel's functions."""

from __future__ import annotations

import math

__all__ = ["bessel_i0", "bessel_i0e", "bessel_i1", "bessel_i1e", "digamma", "polygamma"]


def digamma(x: float) -> float:
    """The logarithmic derivative of the gamma function, by its recurrence and asymptotic series."""
    if x <= 0 and x == math.floor(x):
        return math.nan if x else -math.inf
    if x < 0:
        return digamma(1 - x) - math.pi / math.tan(math.pi * x)
    total = 0.0
    while x < 10:
        total -= 1 / x
        x += 1
    square = 1 / (x * x)
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square / 132))))
    return total + math.log(x) - 0.5 / x - series


_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)


def polygamma(order: float, x: float) -> float:
    """The ``order``-th derivative of the digamma function, by its recurrence and asymptotic series."""
    n = int(order)
    if n == 0:
        return digamma(x)
    if x <= 0 and x == math.floor(x):
        return math.inf
    total = 0.0
    while x < 20:
        total += math.factorial(n) / x ** (n + 1)
        x += 1
    total += math.factorial(n - 1) / x**n + math.factorial(n) / (2 * x ** (n + 1))
    for k, number in enumerate(_BERNOULLI, start=1):
        total += number * math.factorial(2 * k + n - 1) / (math.factorial(2 * k) * x ** (2 * k + n))
    return (-1.0) ** (n + 1) * total


def _scaled_bessel(order: int, x: float) -> float:
    """exp(−abs(x)) times the modified Bessel function: its power series, for large x the asymptotic one."""
    size = abs(x)
    if size < 30:
        term = (size / 2) ** order / math.factorial(order)
        total, k = 0.0, 0
        while term > total * 1e-18 or k < size:
            total += term
            k += 1
            term *= (size / 2) ** 2 / (k * (k + order))
        return math.exp(-size) * total
    term, total = 1.0, 1.0
    for k in range(1, 12):
        term *= -(4 * order**2 - (2 * k - 1) ** 2) / (k * 8 * size)
        total += term
    return total / math.sqrt(2 * math.pi * size)


def bessel_i0e(x: float) -> float:
    """exp(−abs(x))·I₀(x)."""
    return _scaled_bessel(0, x)


def bessel_i1e(x: float) -> float:
    """exp(−abs(x))·I₁(x)."""
    return math.copysign(_scaled_bessel(1, x), x)


def bessel_i0(x: float) -> float:
    """The modified Bessel function I₀."""
    return math.exp(abs(x)) * bessel_i0e(x)


def bessel_i1(x: float) -> float:
    """The modified Bessel function I₁."""
    return math.exp(abs(x)) * bessel_i1e(x)
