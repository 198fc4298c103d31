"""What is special in a program is asked about: each kind answered rightly, in each foreseen wrong way, and the
numbers held against torch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograd_tour import accumulate, trace
from autograd_tour.formats import Settings
from autograd_tour.formats.base import simplified
from autograd_tour.lessons.tour import stops
from autograd_tour.questions import Question, ask, for_paper, judge, read_number
from autograd_tour.questions.base import mixed
from autograd_tour.record.trace import Trace
from tests.lectures import lectures

Program = Callable[[], Tensor]
STOPS = {stop.number for stop in stops()}


def asked(program: Program, kind: str = "") -> list[Question]:
    questions = ask(Trace(trace(program), accumulate(program, calls=2)))
    return [question for question in questions if not kind or question.kind == kind]


def only(program: Program, kind: str, about: str = "") -> Question:
    (question,) = [q for q in asked(program, kind) if about in q.prompt]
    return question


def betrays(question: Question) -> dict[str, tuple[str, int]]:
    """Each foreseen wrong answer with its feedback and its stop; all are given, and none passes."""
    assert judge(question, question.answer).right
    told = {}
    for wrong in question.wrong:
        judged = judge(question, wrong.answer)
        assert not judged.right
        assert judged.text == wrong.feedback
        assert wrong.stop in STOPS
        told[wrong.answer] = (wrong.feedback, wrong.stop)
    assert told
    return told


def of_leaf(program: Program) -> Tensor:
    """What torch puts into the .grad of the only leaf, without us."""
    leaves: list[Tensor] = []

    def walk(node) -> None:
        for before, _ in node.next_functions:
            if before is not None:
                leaves.extend([before.variable] if hasattr(before, "variable") else [])
                walk(before)

    loss = program()
    walk(loss.grad_fn)
    (gradient,) = torch.autograd.grad(loss, leaves[:1])
    return gradient


def leaf(*values: float) -> Tensor:
    return torch.tensor(values if len(values) > 1 else values[0], requires_grad=True)


# ---- ways that meet ----------------------------------------------------------------------------


def polynomial() -> Tensor:
    x = leaf(3.0)
    y = x * x + x
    return y  # noqa: RET504


def test_where_ways_meet_the_parts_are_told_and_the_sum_is_asked_for():
    question = only(polynomial, "fan-out")
    assert "3 gradients come back to x: 1 from x * x + x, 3 from x * x, and 3 from x * x" in question.prompt
    assert float(question.answer) == of_leaf(polynomial).item() == 7
    told = betrays(question)
    assert told["3"] == (
        "You said 3: you kept what arrives last; nothing is overwritten within a backward, it is added.", 3,
    )  # fmt: skip
    assert "you summed twice" in told["14"][0]
    assert "you multiplied" in told["9"][0]
    assert "you left out the one from x * x + x" in told["6"][0]
    assert "you took the mean" in told["2.33333"][0]
    assert "the sign is not" in told["−7"][0]
    assert not asked(polynomial, "gradient")  # their parts are told


# ---- masks, ties, rows ---------------------------------------------------------------------------


def rectified() -> Tensor:
    x = leaf(2.0, -1.0, 3.0)
    h = torch.relu(x)
    return (h * torch.tensor([4.0, 5.0, 6.0])).sum()


def chosen() -> Tensor:
    x = leaf(2.0, -1.0, 3.0)
    h = torch.where(x > 0, x, 0.5)
    return (h * torch.tensor([4.0, 5.0, 6.0])).sum()


def limited() -> Tensor:
    x = leaf(2.0, -1.0, 3.0)
    return (x.clamp(0, 4) * torch.tensor([4.0, 5.0, 6.0])).sum()


def dropped() -> Tensor:
    torch.manual_seed(3)
    x = leaf(1.0, 2.0, 3.0, 4.0)
    return (F.dropout(x, 0.5) * 5).sum()


@pytest.mark.parametrize("program", [rectified, chosen, limited, dropped], ids=lambda p: p.__name__)
def test_a_masked_element_gets_0_and_no_none(program):
    question = only(program, "mask")
    assert question.answer == "0"
    told = betrays(question)
    assert "you handed it on" in told["5"][0]
    assert told["None"][1] == 12
    element = int(question.prompt.partition("at element [")[2][0])
    assert of_leaf(program)[element] == 0
    if program is chosen:
        assert question.right.startswith("(x > 0)[1] is False")
    if program is dropped:
        assert question.right.startswith("Dropout set this element to 0")


def masked_scores() -> Tensor:
    scores = torch.tensor([[1.0, 2.0], [3.0, 0.5]], requires_grad=True)
    mask = torch.tensor([[False, True], [False, False]])
    weights = scores.masked_fill(mask, float("-inf")).softmax(-1)
    return (weights * torch.tensor([1.0, 3.0])).sum()


def test_what_minus_infinity_replaced_gets_0_and_no_nan():
    question = only(masked_scores, "mask")
    assert "puts −inf in place of scores[0, 1]" in question.prompt
    assert question.answer == "0"
    told = betrays(question)
    assert told["nan"][1] == 20
    assert told["−inf"][1] == 1
    assert of_leaf(masked_scores)[0, 1] == 0


def shared() -> Tensor:
    x = leaf(1.0, 3.0, 3.0)
    return x.max() * 5


def along() -> Tensor:
    x = leaf(1.0, 3.0, 3.0)
    return x.max(0).values * 5


def test_equal_maxima_share_without_a_dimension():
    question = only(shared, "tie")
    assert "x[1] and x[2] are both equal to it" in question.prompt
    assert float(question.answer) == of_leaf(shared)[2].item() == 2.5
    told = betrays(question)
    assert "you gave each of them all of it" in told["5"][0]
    assert "you gave it all to another one" in told["0"][0]
    assert "among all 3; only 2 are equal" in told["1.66667"][0]
    assert {stop for _, stop in told.values()} == {19}


def test_of_equal_maxima_along_a_dimension_one_gets_all():
    question = only(along, "tie")
    assert question.answer == "0"
    gradient = of_leaf(along)
    winner = int(gradient.argmax())
    loser = 3 - winner
    assert f"is that of x[{winner}]. What does it send to x[{loser}]?" in question.prompt
    told = betrays(question)
    assert "you let the 2 share it" in told["2.5"][0]
    assert "you gave each of them all of it" in told["5"][0]


def looked_up() -> Tensor:
    torch.manual_seed(0)
    table = nn.Embedding(4, 2)
    return (table(torch.tensor([0, 2, 0])) * torch.tensor([[1.0], [10.0], [100.0]])).sum()


def indexed() -> Tensor:
    x = leaf(1.0, 2.0, 3.0)
    return (x[torch.tensor([0, 2, 0])] * torch.tensor([1.0, 10.0, 100.0])).sum()


@pytest.mark.parametrize("program", [looked_up, indexed], ids=lambda p: p.__name__)
def test_an_unused_row_gets_zeros_and_one_used_twice_the_sum(program):
    unused, twice = asked(program, "rows")
    assert unused.answer == "zeros"
    assert unused.prompt.endswith("[1]?")
    told = betrays(unused)
    assert len(told) == 3
    assert next(stop for answer, (_, stop) in told.items() if answer.startswith("None")) == 12
    gradient = of_leaf(program)
    assert bool((gradient[1] == 0).all())
    assert float(twice.answer) == gradient[0].flatten()[0].item() == 101
    told = betrays(twice)
    assert "overwrite" in told["100"][0]
    assert told["1"][1] == told["50.5"][1] == told["202"][1] == 3


def test_of_a_row_for_padding_nothing_is_asked():
    torch.manual_seed(0)
    table = nn.Embedding(4, 2, padding_idx=0)
    assert not asked(lambda: table(torch.tensor([0, 2, 0])).sum(), "rows")


# ---- NaN, None or 0 ------------------------------------------------------------------------------


def masked_root() -> Tensor:
    x = leaf(4.0, 0.0, 9.0)
    root = torch.sqrt(x)
    safe = torch.where(x > 0, root, torch.zeros(3))
    return safe.sum()


def test_0_times_infinity_is_asked_for():
    question = only(masked_root, "nan")
    assert question.answer == "nan"
    assert judge(question, "NaN").right
    told = betrays(question)
    assert told["0"] == ("0 times a finite slope is 0; 0 times infinity is NaN.", 20)
    assert {"inf", "None"} < set(told)
    assert math.isnan(of_leaf(masked_root)[1])


def test_on_paper_the_question_about_the_nan_does_not_name_the_line_that_another_asks_for():
    questions = asked(masked_root)
    assert {"fault", "nan"} <= {question.kind for question in questions}
    assert not {"fault", "nan"} <= {question.kind for question in for_paper(questions)}


def test_a_computed_tensor_holds_none_and_no_0():
    question = only(masked_root, "none-or-0")
    assert "safe.retain_grad() is not called" in question.prompt
    assert question.answer == "None"
    assert {stop for _, stop in betrays(question).values()} == {5}
    x = leaf(4.0, 1.0)
    safe = torch.sqrt(x)
    safe.sum().backward()
    with pytest.warns(UserWarning, match="not a leaf"):
        assert safe.grad is None


def test_a_leaf_to_which_only_zeros_come_has_zeros_and_not_none():
    x, w = leaf(2.0), leaf(5.0)
    question = only(lambda: x * w * 0.0 + w, "none-or-0", "All that comes back to x")
    assert question.answer == "0"
    assert betrays(question)["None"][1] == 12
    (x * w * 0.0 + w).backward()
    assert x.grad == 0


# ---- cross entropy, broadcasts ---------------------------------------------------------------------


LOGITS = [[0.2, 1.0, -0.5], [1.5, 0.3, 0.1]]


def classified() -> Tensor:
    logits = torch.tensor(LOGITS, requires_grad=True)
    return F.cross_entropy(logits, torch.tensor([2, 0]))


def test_softmax_minus_one_hot():
    question = only(classified, "cross-entropy")
    exact = of_leaf(classified)[0, 2].item()
    assert math.isclose(read_number(question.answer), exact, rel_tol=1e-5)
    p = torch.tensor(LOGITS).softmax(-1)[0, 2].item()
    told = {read_number(answer): text for answer, text in betrays(question).items()}

    def said(value: float) -> tuple[str, int]:
        return next(text for answer, text in told.items() if math.isclose(answer, value, rel_tol=1e-4))

    assert said(p / 2) == (
        f"You said {p / 2:.6g}: you left out the one-hot: 1 is taken away at the target class.",
        2,
    )
    assert "you forgot to divide by 2" in said(p - 1)[0]
    assert "the sign is not" in said((1 - p) / 2)[0]
    assert "you multiplied by 2" in said((p - 1) * 2)[0]
    assert "that is the probability" in said(p)[0]
    assert said(-math.log(p))[1] == 1
    assert "logits[0, 2]" in question.prompt


@pytest.mark.parametrize(
    "options", [{"label_smoothing": 0.2}, {"weight": torch.tensor([1.0, 2.0, 3.0])}, {"ignore_index": 2}]
)
def test_where_it_is_more_than_softmax_minus_one_hot_it_is_not_asked_about(options):
    logits, target = torch.tensor(LOGITS, requires_grad=True), torch.tensor([2, 0])
    assert not asked(lambda: F.cross_entropy(logits, target, **options), "cross-entropy")


def products() -> Tensor:
    w, t = leaf(2.0), torch.tensor([1.0, 2.0, 5.0])
    return ((w * t) ** 2).sum()


def test_a_broadcast_product_is_multiplied_and_then_summed():
    question = only(products, "broadcast")
    assert float(question.answer) == of_leaf(products).item() == 120
    told = betrays(question)
    assert "the first use alone" in told["4"][0]  # no sum
    assert "you left out t" in told["32"][0]
    assert "you took the mean" in told["40"][0]  # ÷ n
    assert "does not overwrite" in told["100"][0]
    assert "you summed twice" in told["240"][0]
    assert "you summed before you multiplied" in told["256"][0]
    assert "the sign is not" in told["−120"][0]
    assert {stop for _, stop in told.values()} == {2, 3, 4}


def test_the_place_of_a_choice_tells_nothing():
    choices = ("their sum", "their mean", "the first of them", "all of them, side by side")
    counts = Counter(mixed(f"sum-n{k}-n{k + 1}", *choices).index("their sum") for k in range(400))
    assert set(counts) == {0, 1, 2, 3}
    assert max(counts.values()) < 150


def test_choices_stand_in_the_same_order_in_every_process():
    assert [q.choices for q in asked(products)] == [q.choices for q in asked(products)]


# ---- what is not asked, and what holds everywhere ------------------------------------------------------


def test_what_saves_nothing_is_not_asked_about():
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    assert not asked(lambda: (a + b).sum(), "saved")
    assert [q.answer for q in asked(lambda: ((a + b).exp() + b).sum(), "saved")] == ["its result"]


def test_the_engines_order_is_explained_before_it_is_asked_for():
    x, y = leaf(1.0), leaf(2.0)
    (question,) = asked(lambda: x.exp() + y.sin() * 2, "order")
    assert question.prompt.startswith("A node can run when all of its gradient is there.")
    assert "takes an accumulator first, and then the one that forward made last" in question.prompt
    assert {stop for _, stop in betrays(question).values()} == {9}


def test_the_same_is_not_asked_of_a_second_leaf():
    w, b = leaf(2.0), leaf(1.0)
    questions = asked(lambda: (w * 3 + b) ** 2, "accumulation")
    assert [question.id for question in questions] == ["again-w", "zeroed-b"]


@pytest.mark.parametrize(("name", "program"), list(lectures()), ids=[name for name, _ in lectures()])
def test_every_wrong_answer_of_a_lecture_program_has_its_feedback_and_its_stop(name, program):
    torch.manual_seed(0)
    questions = ask(simplified(Trace(trace(program)), Settings(formats=("quiz",))).trace)
    assert questions
    for question in questions:
        betrays(question)


def test_a_result_that_takes_the_name_of_an_input_is_called_the_result():
    w = leaf(1.0, -2.0)

    def program():
        x = w * 2
        x = torch.relu(x * 3)
        return x.sum()

    (question,) = (q for q in asked(program, "saved") if "relu" in q.prompt)
    assert question.answer == "its result"
    assert all(wrong.answer != "x" for wrong in question.wrong)


def test_a_number_that_was_asked_for_stands_in_no_later_question():
    w = leaf(1.0)

    def program():
        return ((w * 2 - 6) ** 2).sum()

    questions = asked(program, "gradient")
    answers = {question.answer for question in questions}
    assert len(questions) > 1
    for question in questions:
        given = question.prompt.partition("receives the gradient ")[2].partition(".")[0]
        assert given.split(" ")[0] not in answers


def test_in_the_terminal_a_question_tells_the_numbers_that_its_rule_reads():
    w, x = leaf(2.0), leaf(3.0)
    (square,) = (q for q in asked(lambda: ((w * x - 4) ** 2).sum(), "gradient") if "** 2" in q.prompt)
    assert (square.given, square.answer) == ("w * x − 4 is 2", "4")
    several = leaf(2.0, 5.0)
    _, tanh = asked(lambda: (several.tanh() * 3).sum(), "gradient")  # × (1 − tanh²(several))
    assert tanh.given == "several is 2 (first elements)"


def test_of_a_result_with_the_name_of_an_input_the_question_says_that_it_is_the_result():
    w = leaf(0.5)

    def program():
        x = w * 2
        x = torch.tanh(x * 2 + 1)  # its rule reads what it computed
        return (x * 3).sum()

    given = {question.given for question in asked(program, "gradient")}
    assert "its result is 0.995055" in given
    assert not any(text.startswith("x is") for text in given)
