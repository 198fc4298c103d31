"""The site of the tour in a browser: answers, keys, progress, paper, and what a browser may forbid."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from autograd_tour.formats.tour.site import site
from autograd_tour.lessons.tour import chosen, stops
from autograd_tour.lessons.tour.telling import told_tour
from tests.test_browser.test_page_elsewhere import axe

FEW = ("2", "3", "5", "6")


@pytest.fixture(scope="module")
def tour():
    return told_tour(chosen(FEW))


@pytest.fixture(scope="module")
def folder(tour, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tour")
    for name, text in site(tour).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def visit(browser, folder):
    """A reader, who keeps a browser's storage; nobody may complain or ask for another machine."""
    complaints, contexts = [], []

    def open_page(name, *, at="", context=None, script="", **options):
        context = context or browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        if script:
            page.add_init_script(script)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(("file:", "blob:")) else complaints.append(request.url)
            ),
        )
        page.goto((folder / f"{name}.html").as_uri() + at)
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield open_page
    for context in set(contexts):
        context.close()
    assert complaints == []


def form(page, key):
    return page.locator(f"form[data-question='{key}']")


def give(page, key, answer, sure="rather"):
    """Answer a question, by typing or by choosing."""
    question = form(page, key)
    if question.locator("input[type=text]").count():
        question.locator("input[name=answer]").fill(answer)
    else:
        question.locator(f"input[name=answer][value={json.dumps(answer)}]").check()
    if sure:
        question.locator(f"input[value={sure}]").check()
    question.locator("button[type=submit]").click()


def keys(stop):
    teaching = stop.teaching
    return [
        *((f"predict-{q.id}", q) for q in teaching.predict),
        (f"transfer-{teaching.transfer.id}", teaching.transfer),
        *((f"recall-{item.stop}-{item.question.id}", item.question) for item in stop.recall),
    ]


def solve(page, stop, upto=None):
    """Answer rightly all questions of a stop, or those before number ``upto``."""
    for number, (key, question) in enumerate(keys(stop)):
        if number == upto:
            return
        if number == len(stop.teaching.predict):
            page.fill("#own", "Because it is so.")
            page.click("#explain button")
        give(page, key, question.answer)
    expect(page.locator("#end")).to_be_visible()


@pytest.mark.parametrize("number", range(len(FEW)))
@pytest.mark.parametrize("at", ["", "#end", "#explain", "#own"])
def test_nothing_gives_an_answer_away_before_it_is_given(visit, tour, number, at):
    stop = tour.stops[number]
    page = visit(name(stop), at=at)
    for place, (key, question) in enumerate(keys(stop)[: len(stop.teaching.predict)]):
        text = page.inner_text("body")
        assert form(page, key).is_visible()
        assert question.right.replace("`", "") not in text
        assert stop.teaching.rule.replace("`", "") not in text
        assert not any(line in text for line in stop.hook.outputs)
        assert not any(picture.title.replace("`", "") in text for picture in stop.pictures)
        for later, _ in keys(stop)[place + 1 :]:
            assert not form(page, later).is_visible()
        give(page, key, question.answer)
    assert page.locator("pre.output").first.is_visible()
    assert not page.locator(".sentence").is_visible()


def name(stop):
    return f"{stop.number:02}-{stop.name}"


def test_each_foreseen_wrong_answer_has_its_own_feedback(visit, tour):
    for stop in tour.stops:
        question = stop.teaching.predict[0]
        for wrong in question.wrong:
            page = visit(name(stop))
            give(page, f"predict-{question.id}", wrong.answer)
            said = form(page, f"predict-{question.id}").locator(".feedback").inner_text()
            assert said == f"Not yet. {wrong.feedback.replace('`', '')} Try once more."
            page.close()


def test_after_two_tries_the_answer_is_told_and_the_first_one_counts(visit, tour):
    stop = tour.stops[1]
    page = visit(name(stop))
    give(page, "predict-edges", "2", "certain")
    give(page, "predict-edges", "1", "guess")
    feedback = form(page, "predict-edges").locator(".feedback")
    expect(feedback).to_contain_text("Not quite.")
    expect(feedback).to_contain_text("It is 3.")
    stored = page.evaluate("JSON.parse(localStorage.getItem('autograd-tour-progress'))")
    answer = stored["fan-out"]["answers"]["predict-edges"]
    assert (answer["given"], answer["sure"], answer["right"], answer["betrays"]) == ("2", "certain", False, 3)


def test_how_sure_is_asked_for_and_nonsense_is_told(visit, tour):
    page = visit(name(tour.stops[1]))
    give(page, "predict-edges", "3", sure="")
    expect(form(page, "predict-edges").locator(".feedback")).to_have_text("Say how sure you are, too.")
    give(page, "predict-edges", "many")
    expect(form(page, "predict-edges").locator(".feedback")).to_have_text("Type a number, or None.")
    assert page.evaluate("localStorage.getItem('autograd-tour-progress')") is None


def test_progress_is_kept_and_forgotten_at_will(visit, tour, browser):
    context = browser.new_context()
    stop = tour.stops[0]
    page = visit(name(stop), context=context)
    solve(page, stop)
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(page.locator("#end")).to_be_visible()
    assert page.input_value("#own") == "Because it is so."
    page = visit("index", context=context)
    expect(page.locator("[data-stop=chain-rule] .state")).to_have_text("✓ done")
    expect(page.locator("#progress")).to_have_text("1 of 4 done.")
    page.click("#forget")
    page.click("#forget-sure")
    expect(page.locator("#progress")).to_have_text("0 of 4 done.")
    page = visit(name(stop), context=context)
    assert not page.locator("#end").is_visible()
    assert page.evaluate("localStorage.getItem('autograd-tour-progress')") is None


def test_a_stop_can_be_begun_again(visit, tour):
    stop = tour.stops[0]
    page = visit(name(stop))
    solve(page, stop, upto=2)
    page.click("#again")
    page.wait_for_selector("html[data-ready]", state="attached")
    assert not form(page, "predict-x").is_visible()


@pytest.mark.parametrize(
    "script",
    [
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } });",
        "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };",
        "Object.defineProperty(window, 'localStorage', { value: null });",
    ],
    ids=["switched off", "full", "not there"],
)
def test_without_storage_everything_works_and_nothing_is_kept(visit, tour, script):
    stop = tour.stops[0]
    page = visit(name(stop), script=script)
    expect(page.locator("#unkept")).to_be_visible()
    solve(page, stop)
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert not page.locator("#end").is_visible()
    for other in ("index", "review"):
        expect(visit(other, script=script).locator("#unkept")).to_be_visible()


@pytest.mark.parametrize(
    "stored", ["", "[]", "3", '{"chain-rule": 7}', '{"chain-rule": {"answers": 5, "done": "x"}}', "{"]
)
def test_what_was_stored_by_somebody_else_does_no_harm(visit, tour, stored):
    script = f"localStorage.setItem('autograd-tour-progress', {json.dumps(stored)});"
    page = visit(name(tour.stops[0]), script=script)
    assert form(page, "predict-z").is_visible()
    expect(visit("index", script=script).locator("#progress")).to_have_text("0 of 4 done.")
    visit("review", script=script)


def test_the_keys_step_through_a_picture_and_from_stop_to_stop(visit, tour):
    stop = tour.stops[0]
    page = visit(name(stop))
    solve(page, stop)
    count = page.locator(".count").first
    page.locator("h1").click()
    for key, expected in (("ArrowRight", "1 / 5"), ("ArrowRight", "2 / 5"), ("ArrowLeft", "1 / 5")):
        page.keyboard.press(key)
        expect(count).to_have_text(expected)
    expect(page.locator("div.caption").first).to_contain_text("Step 1 of 5")
    page.locator(".player .last").first.click()
    expect(count).to_have_text("5 / 5")
    assert page.locator(".player button.forward").first.is_disabled()
    page.fill("#own", "")
    page.locator("#own").press("n")
    assert page.input_value("#own") == "n"  # a letter, and no key of the page
    page.locator("h1").click()
    page.keyboard.press("n")
    page.wait_for_url("**/03-fan-out.html")
    page.keyboard.press("p")
    page.wait_for_url("**/02-chain-rule.html")
    page.wait_for_selector("html[data-ready]", state="attached")
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.keyboard.press("m")
    page.wait_for_url("**/index.html")


def test_the_keyboard_alone_is_enough(visit, tour):
    page = visit(name(tour.stops[1]))
    form(page, "predict-edges").locator("input[name=answer]").focus()
    page.keyboard.type("3")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(form(page, "predict-edges").locator(".feedback")).to_contain_text("Right.")
    expect(form(page, "predict-sum")).to_be_visible()


def test_at_the_end_it_says_which_stops_to_look_at_again(visit, tour, browser):
    context = browser.new_context(accept_downloads=True)
    page = visit("review", context=context)
    expect(page.locator("#summary")).to_have_text("No answers yet: begin with a stop on the map.")
    page = visit("06-accumulation", context=context)
    give(page, "predict-second", "0", "certain")  # nobody empties .grad: stop 12
    give(page, "predict-second", "9034.6")
    give(page, "predict-values", "each call moves them a little downhill", "guess")
    page = visit("03-fan-out", context=context)
    give(page, "predict-edges", "3", "certain")
    form(page, "predict-sum").locator(".show").click()
    page = visit("review", context=context)
    expect(page.locator("#summary")).to_have_text(
        "1 of 4 first answers were right. Look again at 12, 3 and 14:"
    )
    expect(page.locator("#again-list li").first).to_contain_text(
        "Is emptying .grad the same as setting it to 0?"
    )
    expect(page.locator("#again-list a")).to_have_count(1)  # stops 12 and 14 are not in this site
    told = json.loads(page.input_value("#json"))
    assert told["look_again"] == [12, 3, 14]
    assert [(item["stop"], item["question"], item["right"], item["betrays"]) for item in told["answers"]] == [
        (3, "predict-edges", True, None),
        (3, "predict-sum", False, 3),
        (6, "predict-second", False, 12),
        (6, "predict-values", False, 14),
    ]
    with page.expect_download() as download:
        page.click("#save")
    assert json.loads(download.value.path().read_text()) == told


def test_an_error_shows_torchs_message_both_lines_and_the_fix(visit, tour):
    stop = tour.stops[2]
    page = visit(name(stop))
    solve(page, stop)
    error = page.locator("section.error")
    expect(error.locator(".message")).to_contain_text("is not a leaf Tensor")
    expect(error.locator(".line.marked")).to_have_count(2)
    expect(error.locator(".mark")).to_have_text(
        ["↑ the cause: computed here", "↑ here torch complains: read here"]
    )
    expect(error).to_contain_text("The fix")
    lines = error.locator("pre.code").first.locator(".line")
    assert lines.count() == len(stop.errors[0].code.lines)
    assert all(lines.nth(i).is_visible() for i in range(lines.count()))


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_complain_of(visit, tour, width, scheme):
    options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    for page_name in ("index", "review", "lecturer"):
        page = visit(page_name, **options)
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    stop = tour.stops[2]
    page = visit(name(stop), **options)
    assert axe(page) == []
    solve(page, stop)
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_narrow_screen_pictures_keep_their_size_and_long_names_break(visit, tour):
    stop = tour.stops[3]
    page = visit(name(stop), viewport={"width": 360, "height": 800})
    solve(page, stop)
    sizes = page.evaluate(
        "[...document.querySelectorAll('.stage svg')].map("
        "(svg) => [svg.getBoundingClientRect().width, svg.viewBox.baseVal.width])"
    )
    assert len(sizes) == 2
    assert all(width == pytest.approx(own, abs=1) for width, own in sizes)
    (long_name,) = stops()[7].reading
    page.locator("#end li").first.evaluate("(item, text) => { item.textContent = text; }", long_name)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_in_a_column_of_a_document_text_of_pictures_can_still_be_read(visit, tour):
    page = visit(name(tour.stops[3]), viewport={"width": 736, "height": 900})
    solve(page, tour.stops[3])
    sizes = page.evaluate(
        "[...document.querySelectorAll('.stage svg text')].map("
        "(text) => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a)"
    )
    assert min(sizes) > 9.5
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_on_paper_there_is_a_sheet_to_fill_in_and_then_all_of_it(visit, tour, tmp_path):
    from pypdfium2 import PdfDocument

    def printed(page):
        page.pdf(path=tmp_path / "page.pdf", format="A4")
        return " ".join(
            sheet.get_textpage().get_text_bounded() for sheet in PdfDocument(tmp_path / "page.pdf")
        )

    stop = tour.stops[1]
    page = visit(name(stop))
    sheet = printed(page)
    assert "How many gradients come back" in sheet
    assert "How sure are you?" in sheet
    for hidden in ("Show me", "x.grad tensor", "What happens", "gradients add"):
        assert hidden not in sheet
    solve(page, stop)
    whole = printed(page)
    for told in ("x.grad tensor(7.)", "gradients add", "Three edges into one mailbox"):
        assert told in whole
    assert "Show me" not in whole


def test_without_javascript_answers_are_folded_away(visit, tour):
    stop = tour.stops[1]
    page = visit(name(stop), java_script_enabled=False)
    text = page.inner_text("body")
    assert "How many gradients come back" in text
    assert stop.teaching.rule not in text
    assert "x.grad tensor" not in text
    page.locator("noscript summary, summary:has-text('The answer')").first.click()
    assert stop.teaching.predict[0].right in page.inner_text("body")
    page.locator("summary", has_text="What happens").click()
    assert "x.grad tensor(7.)" in page.inner_text("body")


def test_a_stop_lets_its_numbers_be_changed(visit, tour):
    stop = next(stop for stop in tour.stops if any(picture.plan for picture in stop.pictures))
    page = visit(name(stop))
    page.evaluate(
        "for (const step of document.querySelectorAll('.step')) { step.hidden = false; step.open = true; }"
    )
    figure = page.locator("figure:has(#moved)")
    before = figure.locator("svg").text_content()
    page.locator("#move-elements input[type=text]").first.fill("0.75")
    page.keyboard.press("Enter")
    assert "Computed here" in page.inner_text("#moved")
    assert figure.locator("svg").text_content() != before
    page.click("#moved-reset")
    assert page.is_hidden("#moved")
    assert figure.locator("svg").text_content() == before
