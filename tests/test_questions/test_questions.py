"""Questions: the right answer is the record's, and every wrong one can be told from it."""

from __future__ import annotations

import json
import math
import re
import runpy
from pathlib import Path

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from autograd_tour import accumulate, trace
from autograd_tour.lessons.thermometer import thermometer, thermometer_params
from autograd_tour.questions import Judgement, Question, ask, judge, order, read_number
from autograd_tour.questions.base import Subject
from autograd_tour.record.graph import BackwardPass, Edge, Graph, Step
from autograd_tour.record.node import Node
from autograd_tour.record.trace import Trace
from autograd_tour.views.calls import by_calls
from autograd_tour.views.fold import fold
from autograd_tour.views.steps import frames
from tests.examples import examples
from tests.programs import basics, hooks, models, operators
from tests.programs.randomly import programs

GPT = Path(__file__).parents[2] / "docs" / "programs" / "gpt.py"
PROGRAMS = [
    thermometer, thermometer_params, basics.broadcast, basics.fan_out, basics.detached, basics.not_finite,
    basics.complex_numbers, basics.several_losses, basics.half, hooks.tensor_hook, hooks.custom_function,
    models.lstm, models.tied, operators.gru,
]  # fmt: skip


@pytest.fixture(scope="module")
def asked():
    return {question.id: question for question in ask(Trace(trace(thermometer), accumulate(thermometer)))}


def of_kind(questions, kind):
    return [question for question in questions if question.kind == kind]


def sound(graph: Graph, questions: tuple[Question, ...]) -> None:
    """What holds for every set of questions."""
    assert len({question.id for question in questions}) == len(questions)
    told = frames(graph)
    known = graph.by_id()
    for question in questions:
        assert question.prompt.endswith("?") or "?" in question.prompt
        assert question.right
        assert "\n" not in question.prompt
        assert 0 <= question.frame < len(told)
        assert not question.node or question.node in known
        assert judge(question, question.answer).right, question
        for wrong in question.wrong:
            judged = judge(question, wrong.answer)
            assert not judged.right, (question, wrong)
            assert judged.text == wrong.feedback
        if question.choices:
            assert question.answer in question.choices
            assert set(question.choices) == {question.answer, *(wrong.answer for wrong in question.wrong)}
            assert len(set(question.choices)) == len(question.choices) >= 2
    assert msgspec.json.decode(msgspec.json.encode(questions), type=tuple[Question, ...]) == questions
    json.dumps([msgspec.to_builtins(question) for question in questions])


def test_the_gradient_on_an_edge_and_what_wrong_answers_betray(asked):
    square = next(question for question in asked.values() if question.id == "gradient-n9-n8-0")
    assert square.answer == "6.4"
    assert square.frame == 2
    betrayed = {wrong.answer: wrong.feedback for wrong in square.wrong}
    assert "without the local derivative" in betrayed["0.0909091"]
    assert "without the gradient that comes in" in betrayed["70.4"]
    assert "factor 2" in betrayed["3.2"]
    assert judge(square, "6.41").right
    assert judge(square, "6.2") == Judgement(False, "")  # wrong, not too short
    assert not judge(square, "6.5").right
    assert judge(square, "about six") is None


def test_the_second_backward_without_zeroing_adds(asked):
    again = asked["again-w"]
    assert again.answer == "9034.59"
    assert (
        judge(again, "4,517.3").text
        == "You said 4517.3: you assumed that backward overwrites .grad; it adds to it."
    )
    assert asked["zeroed-b"].answer == "82.6"


def test_what_overflows_in_the_second_call_is_not_asked_about():
    leaf = torch.tensor(2.0, requires_grad=True)

    def steep():
        return leaf * 3e38

    kinds = {question.id for question in ask(Trace(trace(steep), accumulate(steep)))}
    assert kinds
    assert not {kind for kind in kinds if kind.startswith(("again-", "zeroed-"))}


def test_which_node_runs_next_is_what_the_engine_ran(asked):
    (following,) = of_kind(asked.values(), "order")
    assert following.answer == "b (AccumulateGrad)"
    assert "still waits for the gradient from w * t_u" in judge(following, "w (AccumulateGrad)").text


def test_which_tensor_is_kept(asked):
    product, square = of_kind(asked.values(), "saved")
    assert (product.answer, square.answer) == ("t_u", "t_p − t_c")


def test_a_broadcast_scalar_gets_the_sum(asked):
    (total,) = of_kind(asked.values(), "broadcast")
    assert total.answer == "their sum"
    assert "82.6" in total.right
    betrayed = {wrong.answer: wrong.feedback for wrong in total.wrong}
    assert "6.4" in betrayed["the first of them"]
    assert "7.50909" in betrayed["their mean"]


def test_a_question_of_the_second_backward_says_what_the_first_one_left(asked):
    assert asked["again-w"].prompt.startswith("After the first backward(), w.grad is 4517.3.")
    assert "the same gradient again" in asked["again-w"].prompt


def test_no_prompt_gives_away_what_another_question_asks():
    for program in (thermometer, thermometer_params, basics.broadcast):
        questions = ask(Trace(trace(program), accumulate(program)))
        for one in questions:
            if one.kind != "gradient" or one.answer == "1":
                continue
            told = " ".join(other.prompt for other in questions if other is not one)
            assert one.answer not in re.split(r"[ ,?()]+|\.(?= )", told), one


def test_a_card_of_which_several_gradients_arrive_is_no_blank_for_one_of_them():
    for program in (basics.fan_out, basics.square_by_product):
        graph = trace(program)
        told = {frame.node: frame for frame in frames(graph)}
        for question in of_kind(ask(Trace(graph)), "gradient"):
            node, _, slot = question.blank.partition(".grad.")
            if slot:
                shown = told[node].received[int(slot)].first[0]
                assert math.isclose(read_number(question.answer), shown, rel_tol=1e-5), question


def test_what_was_not_read_is_not_said_to_be_kept_by_nobody():
    weight = torch.tensor([1.0, 2.0], requires_grad=True)

    def packed():
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor):
            return (weight * torch.tensor([3.0, 4.0])).exp().sum()

    class Opaque(torch.autograd.Function):
        @staticmethod
        def forward(ctx, value):
            ctx.hidden = value * 2
            return value.exp()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * ctx.hidden

    for graph in (trace(packed), trace(lambda: Opaque.apply(weight).sum()), trace(thermometer, keep=0)):
        names = {node.id: node.grad_fn for node in graph.nodes}
        told = {names[question.node] for question in of_kind(ask(Trace(graph)), "saved")}
        assert told <= {"SumBackward0"}


def test_of_two_accumulators_that_are_ready_only_one_is_offered():
    norm, scale = torch.nn.LayerNorm(3), torch.ones(3, requires_grad=True)
    graph = trace(lambda: norm((torch.arange(6.0).reshape(2, 3) * scale).tanh()).sum())
    asked_about = of_kind(ask(Trace(graph)), "order")
    assert asked_about
    for question in asked_about:
        assert sum("AccumulateGrad" in choice for choice in question.choices) == 1


def test_nodes_that_are_called_the_same_are_told_apart_or_not_asked_about():
    weights = [torch.tensor(float(i + 2), requires_grad=True) for i in range(3)]

    def same_names():
        total = 0
        for w in weights:
            total = total + w * w
        return total

    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    inputs = torch.ones(5, 3)
    for program in (same_names, lambda: net(inputs).sum()):
        graph = trace(program)
        questions = ask(Trace(graph, accumulate(program, calls=2)))
        sound(graph, questions)
        assert len({question.prompt for question in questions}) == len(questions)
    subject = Subject(graph, None)
    names = {subject.called(node.id) for node in graph.nodes}
    assert {name for name in names if "of module net.0" in name}
    assert {name for name in names if "of module net.2" in name}


def test_a_bias_of_every_row_gets_the_sum_over_the_rows():
    question = of_kind(ask(Trace(trace(basics.broadcast))), "broadcast")[-1]
    assert question.prompt.startswith("In x_data @ weight + bias, each element of bias is used 2 times")


def test_nothing_goes_back_through_a_cut():
    (cut,) = of_kind(ask(Trace(trace(basics.detached))), "cut")
    assert cut.answer == "nothing at all"


def test_they_come_in_the_order_in_which_answers_come_to_light(asked):
    whens = [question.frame or math.inf for question in asked.values()]
    assert whens == sorted(whens)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_questions_about_a_program_are_sound(program):
    torch.manual_seed(0)
    graph, ledger = trace(program), accumulate(program, calls=2)
    for shown in (graph, fold(graph, limit=8)):
        questions = ask(Trace(shown, ledger))
        sound(shown, questions)
        steps = {frame.number: frame for frame in frames(shown)}
        for question in of_kind(questions, "gradient"):
            values = {float(sent.facts.first[0]) for sent in steps[question.frame].sent if sent.worked}
            assert any(math.isclose(read_number(question.answer), value, rel_tol=1e-5) for value in values)
        for question in of_kind(questions, "order"):
            node = shown.by_id()[steps[question.frame].node]
            assert node.grad_fn in question.answer


@given(program=programs())
@settings(max_examples=examples(40), deadline=None)
def test_questions_about_any_program_are_sound(program):
    graph = trace(program)
    sound(graph, ask(Trace(graph)))


def test_a_large_program_has_a_few_questions():
    torch.manual_seed(0)
    program = runpy.run_path(str(GPT))["loss"]
    graph = fold(trace(program))
    questions = ask(Trace(graph, accumulate(program, calls=2)))
    sound(graph, questions)
    assert 0 < len(questions) <= 14


def test_a_part_without_a_leaf_can_be_asked_about():
    graph = trace(thermometer)
    assert ask(Trace(graph.only({node.id for node in graph.nodes} - {graph.nodes[0].id})))


def test_nothing_can_be_asked_of_nothing():
    assert ask(Trace(Graph())) == ()
    bare = replace(trace(thermometer), passes=())
    assert {question.kind for question in ask(Trace(bare))} == {"saved"}


@given(text=st.text(max_size=20))
def test_any_text_is_an_answer_or_is_not_understood(text):
    question = Question("q", "k", "?", "1", "because")
    judged = judge(question, text)
    assert judged is None or isinstance(judged.right, bool)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4517.3", 4517.3), ("4,517.3", 4517.3), ("1 000", 1000.0), ("1e-3", 1e-3), ("−0.09", -0.09),
        ("1/11", 1 / 11), ("-1/4", -0.25), (" .5 ", 0.5), ("None", "none"), ("inf", math.inf), ("−∞", -math.inf),
        ("one", None), ("1/2/3", None), ("", None), ("1/0", math.inf),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_type_them(text, value):
    assert read_number(text) == value


@pytest.mark.parametrize(
    ("answer", "given", "says"),
    [
        ("4517.3", "4517", "right"), ("4517.3", "4,517.3", "right"), ("4517.3", "4500", "digits"),
        ("4517.3", "4.5e3", "digits"), ("4517.3", "4400", "wrong"), ("6.4", "6.2", "wrong"), ("6.4", "6", "wrong"),
        ("0.0909091", "0.091", "right"), ("0.0909091", "0.09", "digits"), ("0.0909091", "1/11", "right"),
        ("0.0909091", "0.092", "wrong"), ("−0.0909091", "-0.09", "digits"), ("9034.59", "9034.6", "right"),
    ],
)  # fmt: skip
def test_too_few_digits_are_told_from_a_wrong_number(answer, given, says):
    judged = judge(Question("q", "k", "?", answer, "because"), given)
    expected = {
        "right": (True, "because"),
        "digits": (False, "Close; give more digits."),
        "wrong": (False, ""),
    }
    assert (judged.right, judged.text) == expected[says]


def test_nan_is_an_answer():
    assert math.isnan(read_number("nan"))
    assert judge(Question("q", "k", "?", "nan", "0 / 0"), "NaN").right


@pytest.mark.parametrize("label", ["a\nb", "</script>", "\x1b[31m", "x" * 500, "'\"&"])
def test_labels_stay_on_one_line_of_sensible_length(label):
    graph = trace(thermometer)
    nodes = tuple(
        replace(node, names=tuple(label for _ in node.names), op=label, expr=label, grad_fn=label)
        for node in graph.nodes
    )
    for question in ask(Trace(replace(graph, nodes=nodes))):
        assert "\n" not in question.prompt
        assert "\x1b" not in question.prompt
        assert len(question.prompt) < 600


def test_what_runs_next_is_asked_without_going_through_all_pairs_of_nodes():
    """A thousand uses of one tensor are ready at once; each node is looked up a few times only."""

    class Counted(str):
        __slots__ = ()
        lookups = 0

        def __hash__(self):
            Counted.lookups += 1
            return str.__hash__(self)

    count = 300
    ids = [Counted(f"n{i}") for i in range(count)]
    nodes = tuple(Node(name, "operation", op=f"x * {name}", grad_fn="MulBackward0", slots=1) for name in ids)
    edges = tuple(Edge(ids[0], name, "gradient", (0, 0)) for name in ids[1:])
    subject = Subject(
        Graph(nodes, edges, passes=(BackwardPass(tuple(Step(name, (None,)) for name in ids)),)), None
    )
    Counted.lookups = 0
    assert len(list(order.questions(subject))) == 1
    assert Counted.lookups < 40 * count


def test_a_question_about_a_module_names_its_path_and_not_its_class():
    torch.manual_seed(0)
    net = torch.nn.ModuleDict({"first": torch.nn.Linear(2, 2), "second": torch.nn.Linear(2, 2)})
    graph = by_calls(trace(lambda: net["second"](net["first"](torch.ones(1, 2))).sum()))
    subject = Subject(graph, None)
    assert {"first", "second"} <= {subject.called(node.id) for node in graph.nodes if node.kind == "group"}
    assert not [question.prompt for question in ask(Trace(graph)) if "Linear(" in question.prompt]
