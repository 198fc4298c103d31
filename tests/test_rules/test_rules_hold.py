"""Every entry of the table of rules, on every slot, against what torch's engine sends: equal to 1e-6."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import pytest
import torch
from live_nodes import LiveNode
from reasons import SILENT, WORDS
from samples import ELSEWHERE, WORDS_ELSEWHERE, live_nodes
from torch import Tensor
from torch_evaluator import FUNCTIONS, Evaluator

from autograd_tour.record.rule import Apply, Expression, Rule, Symbol, Words, apply
from autograd_tour.record.vocabulary import SIGNATURES, fault
from autograd_tour.rules.einsum import einsum_rule
from autograd_tour.rules.evaluate import evaluate, is_elementwise, symbols
from autograd_tour.rules.node import NodeView, Operand
from autograd_tour.rules.table import DEFINITIONS, fused, rule, rules
from autograd_tour.rules.vocabulary import ON_NUMBERS
from autograd_tour.rules.wording import short

TOLERANCE = 1e-6
LARGEST = 300.0
"""Of larger numbers the exponential overflows where torch subtracts the maximum first."""


@pytest.fixture(scope="module", autouse=True)
def _nothing_stays_alive() -> Iterator[None]:
    """Lets go of thousands of tensors, which tests of the tracer would come across again and again.

    The nodes themselves wait for ``test_forward.py``, which comes next in the same process (``tests/scheduling.py``).
    """
    yield
    for collected in (nodes, forms):
        collected.cache_clear()


@cache
def nodes(kind: str) -> tuple[LiveNode, ...]:
    return tuple(node for node in live_nodes().get(kind, []) if _moderate(node))


def _moderate(node: LiveNode) -> bool:
    """Whether all numbers are small, or −inf, as in a mask. At +inf torch's own NaN stand in other places."""
    return all(
        not bool(((item.abs() > LARGEST) & (item != -torch.inf)).any())
        for item in node.inputs
        if isinstance(item, Tensor)
        and item.layout is torch.strided
        and (item.is_floating_point() or item.is_complex())
    )


def disagreement(value: Any, truth: Tensor) -> str:
    """How the value of a rule differs from what was sent; ``""`` if it does not."""
    value = torch.as_tensor(value)
    if value.dim() == 0 and value.item() == 0:
        value = torch.zeros_like(truth)  # the rule "nothing is sent" says no shape
    if value.shape != truth.shape:
        return f"shape {tuple(value.shape)}, sent {tuple(truth.shape)}"
    if value.is_complex() and not truth.is_complex():
        return "complex, sent real"
    exact = truth.dtype in (torch.float64, torch.complex128)
    value, truth = value.to(torch.complex128), truth.to(torch.complex128)
    size = torch.where(truth.abs().isfinite(), truth.abs(), torch.zeros((), dtype=torch.float64))
    # Where torch itself computes in single or half precision, it is not more exact than that.
    bound = (TOLERANCE if exact else 1e-5) * (1 + size)
    equal = ((value - truth).abs() <= bound) | (value == truth) | (value.isnan() & truth.isnan())
    return (
        "" if bool(equal.all()) else f"off by {float((value - truth).abs().nan_to_num(torch.inf).max()):.3g}"
    )


@cache
def forms(kind: str) -> tuple[tuple[LiveNode, int, Rule], ...]:
    return tuple(
        (node, slot, form) for node in nodes(kind) for slot in node.slots() for form in rules(node.view, slot)
    )


@pytest.mark.parametrize("kind", sorted(DEFINITIONS))
def test_a_rule_is_what_torch_sends(kind):
    if kind in ELSEWHERE:
        assert DEFINITIONS[kind] is DEFINITIONS[ELSEWHERE[kind]], "made elsewhere, so it has to share a rule"
        return
    if kind in WORDS_ELSEWHERE:
        assert isinstance(rule(NodeView(kind), 0), Words)
        return
    assert nodes(kind), "no sample reaches it"
    reached, wrong = set(), []
    for node, slot, form in forms(kind):
        reached.add(slot)
        if not isinstance(form, Words):
            problem = _problem(node, form, node.sent[slot])
            wrong += [f"slot {slot}: {short(form)}: {problem}"] if problem else []
    assert not wrong, "\n".join(dict.fromkeys(wrong))
    assert reached >= set(_slots(kind)), "a slot that no sample reaches"


def _problem(node: LiveNode, form: Expression, truth: Tensor | None) -> str:
    assert truth is not None
    try:
        return disagreement(Evaluator(node).value(form), truth)
    except (RuntimeError, TypeError, IndexError, KeyError, AttributeError, ValueError) as error:
        return f"{type(error).__name__}: {str(error)[:200]}"


def _slots(kind: str) -> list[int]:
    definition = DEFINITIONS[kind]
    if definition.repeats:
        return sorted({slot for node in nodes(kind) for slot in node.slots()} - set(SILENT.get(kind, ())))
    return [slot for slot, source in enumerate(definition.slots) if source is not None]


@pytest.mark.parametrize(
    "kind", sorted(kind for kind, entry in DEFINITIONS.items() if entry.fused is not None)
)
def test_what_a_node_is_made_of_is_its_result(kind):
    if kind in ELSEWHERE:
        return
    whole = [(node, fused(node.view)) for node in nodes(kind) if node.results]
    wrong = [
        f"{short(form)}: {problem}"
        for node, form in whole
        if isinstance(form, Expression) and (problem := _problem(node, form, node.results[0]))
    ]
    assert any(form is not None for _, form in whole), "no sample reaches it"
    assert not wrong, "\n".join(dict.fromkeys(wrong))


@cache
def every_form() -> tuple[Rule, ...]:
    found = [form for kind in DEFINITIONS for _, _, form in forms(kind)]
    found += [form for kind in DEFINITIONS for node in nodes(kind) if (form := fused(node.view)) is not None]
    return tuple(dict.fromkeys(found))


def functions_of(item: Any) -> Iterator[str]:
    if isinstance(item, Apply):
        yield item.function
        for argument in item.arguments:
            yield from functions_of(argument)


def whole_calls() -> tuple[Rule, ...]:
    """Rules of calls that make several nodes, which are no entries of the table."""
    factors = NodeView("", (Operand("a", (2, 3)), Operand("b", (3, 4))))
    return tuple(einsum_rule("ij,jk->ik", factors, slot) for slot in range(2))


def test_a_rule_of_an_einsum_is_what_torch_sends():
    a, b = (torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((2, 3), (3, 4)))
    result = torch.einsum("ij,jk->ik", a, b)
    g = torch.randn_like(result)
    sent = torch.autograd.grad(result, (a, b), g)
    node = LiveNode(NodeView(""), (a.detach(), b.detach()), (result.detach(),), {}, (g,), sent)
    for form, truth in zip(whole_calls(), sent, strict=True):
        assert isinstance(form, Expression)
        assert not _problem(node, form, truth)


def test_the_vocabulary_is_what_the_rules_use():
    used = {name for form in every_form() for name in functions_of(form)}
    used |= {name for form in whole_calls() for name in functions_of(form)}
    assert used == set(SIGNATURES) == set(FUNCTIONS)


def test_every_rule_is_one_that_a_file_may_hold():
    assert not [problem for form in every_form() if (problem := fault(form))]


def test_every_rule_survives_json():
    for form in every_form():
        assert msgspec.json.decode(msgspec.json.encode(form), type=Rule) == form


def test_every_rule_has_a_text_without_a_hole():
    for form in every_form():
        text = short(form)
        assert text.strip(), form
        assert not any(hole in text for hole in ("None", "{", "attribute", "()", "  ")), text
        if not isinstance(form, Words):
            assert all(symbol.name or symbol.role == "gradient" for symbol in symbols(form)), form


def test_no_text_names_a_function_as_the_package_does():
    """``placed_at(…)`` is ours: a reader is told what happens, or a name that torch has."""
    ours = {name for name in SIGNATURES if "_" in name} - {"logsumexp"}
    for form in every_form():
        assert not [name for name in ours if f"{name}(" in short(form)], short(form)


def test_words_stand_only_where_it_is_said_why():
    spoken = {
        kind for kind in DEFINITIONS for _, _, form in forms(kind) if isinstance(form, Words)
    } - ELSEWHERE.keys()
    assert spoken == WORDS.keys() - ELSEWHERE.keys()
    assert all(WORDS.values())


def test_a_node_in_the_table_says_something_on_every_edge():
    silent = {
        (kind, slot)
        for kind in DEFINITIONS
        for node in nodes(kind)
        for slot in node.slots()
        if rule(node.view, slot) is None
    }
    assert silent == {(kind, slot) for kind, slots in SILENT.items() for slot in slots}


def test_numbers_come_to_the_same_as_tensors():
    """The worked line: what works element by element, on the first element, against tensors."""
    used = set()
    for kind in DEFINITIONS:
        for node, _, form in forms(kind):
            if isinstance(form, Words) or not is_elementwise(form):
                continue
            numbers = {symbol: _first(node, symbol) for symbol in symbols(form)}
            if any(number is None for number in numbers.values()):
                continue
            used |= set(functions_of(form))
            mine = evaluate(form, numbers.get)
            whole = torch.as_tensor(Evaluator(node).value(form))
            truth = float(whole.reshape(-1)[0])
            assert mine == pytest.approx(truth, rel=1e-6, abs=1e-9, nan_ok=True), (short(form), numbers)
    # Complex numbers have no worked line, and NaN is asked for in a sum only.
    assert used >= ON_NUMBERS.keys() - {"conj", "imag", "real", "is_nan"}
    assert [ON_NUMBERS["is_nan"](x) for x in (float("nan"), 1.0)] == [1.0, 0.0]


def _first(node: LiveNode, symbol: Symbol) -> float | None:
    value = Evaluator(node).value(symbol)
    if not isinstance(value, Tensor) or value.is_complex() or value.layout is not torch.strided:
        return None
    shapes = {tuple(item.shape) for item in node.gradients if isinstance(item, Tensor)}
    same = tuple(value.shape) in shapes or value.dim() == 0
    return float(value.reshape(-1)[0]) if same and value.numel() else None


@pytest.mark.parametrize("kind", ["MulBackward0", "MmBackward0", "SoftmaxBackward0", "MseLossBackward0"])
def test_a_rule_that_is_a_little_wrong_is_caught(kind):
    for node, slot, form in forms(kind):
        assert not isinstance(form, Words)
        if node.sent[slot].numel() and node.sent[slot].abs().max() > 0.01:
            assert _problem(node, apply("mul", form, 1.001), node.sent[slot])


def test_a_rule_of_the_other_factor_is_caught():
    node = next(
        item for item in nodes("MulBackward0") if item.view.inputs[0].shape == item.view.inputs[1].shape
    )
    assert _problem(node, Symbol("gradient") * Symbol("input", 0, "a"), node.sent[0])
    assert not _problem(node, Symbol("gradient") * Symbol("input", 1, "b"), node.sent[0])
