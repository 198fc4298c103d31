"""Ledger -> the rows of its picture: one per element or norm, with the parts that each bar is made of."""

from __future__ import annotations

import math
from collections.abc import Callable

from autograd_tour.record.facts import Number, TensorFacts
from autograd_tour.record.ledger import Call, LeafAccount, Ledger, Policy
from autograd_tour.text import number, one_line
from autograd_tour.views.picture import Bar, ChartRow, Part

__all__ = ["rows_of", "unchanged"]

MOST_ROWS = 6
MOST_ELEMENTS = 4
MOST_PARTS = 12
LARGEST = 1e307  # a dozen of these can still be added without overflow; what is larger stands as text
UNKNOWN = "?"
MOST_NAMES = 3
LONGEST_NAME = 24
"""Leaves that are called by their names, and the characters of each."""

Read = Callable[[TensorFacts], Number | None]
Spell = Callable[[Number], str]


def rows_of(ledger: Ledger) -> tuple[tuple[ChartRow, ...], int]:
    """At most six rows, and the number of leaves that found no place among them."""
    rows: list[ChartRow] = []
    for done, account in enumerate(ledger.accounts):
        count = math.prod(account.shape)
        elements = count if 1 <= count <= MOST_ELEMENTS and not _any_complex(account) else 0
        if elements and len(rows) + elements <= MOST_ROWS:
            for i in range(elements):
                index = f"[{', '.join(map(str, _position(i, account.shape)))}]" if account.shape else ""
                rows.append(_row(account, index, _element(i), norm=False))
        elif len(rows) < MOST_ROWS:
            rows.append(_row(account, "", _norm, norm=True))
        else:
            return tuple(rows), len(ledger.accounts) - done
    return tuple(rows), 0


def unchanged(ledger: Ledger) -> str:
    """``w and b stay as they are in all calls: only .grad changes``, if the leaves were seen to."""
    names = [one_line(account.name, LONGEST_NAME) for account in ledger.accounts]
    if not ledger.steady or not names:
        return ""
    verb = "stay as they are" if len(names) > 1 else "stays as it is"
    listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    which = listed if len(names) <= MOST_NAMES else f"All {len(names)} leaves"
    return f"{which} {verb} in all calls: only .grad changes"


def _position(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    index: list[int] = []
    for extent in reversed(shape):
        flat, here = divmod(flat, extent)
        index.insert(0, here)
    return tuple(index)


def _any_complex(account: LeafAccount) -> bool:
    calls = (call for policy in account.policies for call in account.under(policy))
    return any(
        "complex" in facts.dtype for call in calls for facts in (call.after, call.contribution) if facts
    )


def _element(i: int) -> Read:
    return lambda facts: facts.first[i] if i < len(facts.first) else None


def _speller(account: LeafAccount, read: Read) -> Spell:
    """How to write the numbers of a row: to the same decimal if each keeps four digits that way.

    Else 4517.3 and 9034.59 would stand side by side. The largest number has six digits, or fewer where
    sums close only with fewer; the smallest keeps three.
    """
    calls = [call for policy in account.policies for call in account.under(policy)]
    values = [_value(facts, read) for call in calls for facts in (call.contribution, call.after)]
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    decimals = 5 - math.floor(math.log10(max(sizes))) if sizes else 0
    if not sizes or not 0 <= decimals <= 9 or min(sizes) < 10.0 ** (3 - decimals):
        return number
    fewest = max(0, math.ceil(2 - math.log10(min(sizes))))
    closing = (d for d in range(decimals, fewest - 1, -1) if all(_closes(call, read, d) for call in calls))
    decimals = next(closing, decimals)
    return lambda value: number(round(value, decimals), 12) if isinstance(value, float) else number(value)


def _closes(call: Call, read: Read, decimals: int) -> bool:
    """Whether the sum of a call is right as it is printed, where it is one."""
    before, new, after = (_value(facts, read) for facts in (call.before, call.contribution, call.after))
    if new is None or after is None or not math.isfinite(new + after + (before or 0.0)):
        return True
    total = round(before or 0.0, decimals) + round(new, decimals)
    return abs(total - round(after, decimals)) < 10.0**-decimals / 2


def _norm(facts: TensorFacts) -> Number | None:
    if facts.stats is not None and facts.stats.norm is not None:
        return facts.stats.norm
    if len(facts.first) < facts.numel:
        return None
    try:
        return math.hypot(*(abs(complex(value)) for value in facts.first))
    except (ValueError, OverflowError):
        return None


def _row(account: LeafAccount, index: str, read: Read, *, norm: bool) -> ChartRow:
    adds_up = all(
        _adds_up(account.under(policy), policy, read, 2e-6 if norm else 1e-2) for policy in account.policies
    )
    spell = _speller(account, read)
    bars = tuple(
        (policy, _bars(account.under(policy), policy, read, spell, adds_up)) for policy in account.policies
    )
    return ChartRow(account.name, index, norm, adds_up, bars)


def _adds_up(calls: tuple[Call, ...], policy: Policy, read: Read, tolerance: float) -> bool:
    """Whether each ``after`` is the sum of what came in, as far as it is finite: norms seldom are."""
    total = 0.0
    for k, call in enumerate(calls):
        if k == 0 or not _continues(call, calls[k - 1], policy):
            total = _value(call.before, read) or 0.0
        total += _value(call.contribution, read) or 0.0
        after = _value(call.after, read)
        if after is None or not math.isfinite(after) or not math.isfinite(total):
            continue
        # Relative to the parts: those of opposite sign may cancel, and what is left is rounding.
        size = max(abs(total), *(abs(_value(c.contribution, read) or 0.0) for c in calls))
        if math.isfinite(size) and abs(after - total) > tolerance * size:
            return False
    return True


def _bars(
    calls: tuple[Call, ...], policy: Policy, read: Read, spell: Spell, adds_up: bool
) -> tuple[Bar, ...]:
    bars: list[Bar] = []
    brought: list[Part] = []
    for k, call in enumerate(calls, start=1):
        continues = k > 1 and _continues(call, calls[k - 2], policy)
        if not continues:
            start = _value(call.before, read)
            brought = [Part(start, spell(start), 0)] if start else []
        new = _value(call.contribution, read)
        brought.append(Part(new or 0.0, _signed(call.contribution, read, spell), k))
        gone = (
            _text(calls[k - 2].after, read, spell) if k > 1 and not continues and calls[k - 2].after else None
        )
        before = _text(call.before, read, spell) if call.before else None
        after = _value(call.after, read)
        parts = _merged(brought, spell)
        fine = all(abs(part.value) <= LARGEST for part in parts)
        if call.after is None:
            bars.append(Bar(k, before, gone, "None", "none"))
        elif after is None or not abs(after) <= LARGEST:
            bars.append(Bar(k, before, gone, _text(call.after, read, spell), "odd"))
        else:
            segments = parts if adds_up and fine else ()
            bars.append(Bar(k, before, gone, _text(call.after, read, spell), "bar", after, segments))
    return tuple(bars)


def _continues(call: Call, earlier: Call, policy: Policy) -> bool:
    """Whether a call finds in ``.grad`` what the ``earlier`` one left."""
    return policy == "keep" or (policy == "program" and call.before == earlier.after)


def _merged(parts: list[Part], spell: Spell) -> tuple[Part, ...]:
    if len(parts) <= MOST_PARTS:
        return tuple(parts)
    total = sum(part.value for part in parts[:-1])
    return (Part(total, spell(total), -1), parts[-1])


def _value(facts: TensorFacts | None, read: Read) -> float | None:
    """A real number, perhaps not finite; ``None`` if it is missing or is no real number."""
    value = None if facts is None else read(facts)
    try:
        return None if value is None else float(value)
    except ValueError:
        return None
    except OverflowError:
        return math.inf


def _text(facts: TensorFacts | None, read: Read, spell: Spell) -> str:
    value = None if facts is None else read(facts)
    return UNKNOWN if value is None else spell(value)


def _signed(facts: TensorFacts | None, read: Read, spell: Spell) -> str:
    text = "None" if facts is None else _text(facts, read, spell)
    return f"+{text}" if text[:1].isdigit() or text == "inf" else text
