"""The page in a browser: every control and every key, and the same picture whichever way one came."""

from __future__ import annotations

import re

from playwright.sync_api import expect

VISIBLE = """() => [...document.querySelectorAll('#stage text')].filter(
    (item) => getComputedStyle(item).visibility === 'visible').map((item) => item.textContent).join('|')"""


def seen(page):
    """The texts of the picture that are visible now."""
    return page.evaluate(VISIBLE)


def step(page):
    return page.inner_text("#count").split(" / ")[0]


def card(page, title):
    return page.locator(f"#stage [role=button][aria-label^='{title}, ']")


# ---- stepping ---------------------------------------------------------------------------------


def test_the_keys_step_through_backward(visit):
    page = visit("thermometer")
    assert step(page) == "0"
    for key, expected in (
        ("ArrowRight", "1"), ("ArrowRight", "2"), ("ArrowLeft", "1"), ("End", "7"), ("ArrowRight", "7"),
        ("Home", "0"), ("ArrowLeft", "0"),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert step(page) == expected, key


def test_the_buttons_and_the_slider_step_through_backward(visit):
    page = visit("thermometer")
    for name, expected in (
        ("#forward", "1"),
        ("#forward", "2"),
        ("#back", "1"),
        ("#last", "7"),
        ("#first", "0"),
    ):
        page.click(name)
        assert step(page) == expected
    assert page.is_disabled("#back")
    page.fill("#slider", "5")
    assert step(page) == "5"
    page.focus("#slider")
    page.keyboard.press("ArrowRight")
    assert step(page) == "6"  # the slider's own key, and not twice


def test_forward_and_back_show_the_same_pictures(visit):
    page = visit("thermometer")
    forward = []
    for _ in range(8):
        forward.append(seen(page))
        page.keyboard.press("ArrowRight")
    assert len(set(forward)) == 8
    for expected in reversed(forward):
        assert seen(page) == expected
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("End")
    page.keyboard.press("Home")
    assert seen(page) == forward[0]


def test_numbers_come_at_their_step_and_the_caption_tells_them(visit):
    page = visit("thermometer")
    assert "4517.3" not in seen(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert "0.09091 × 2(35.2) = 6.4" in page.inner_text("#caption")
    page.keyboard.press("End")
    assert "4517.3" in seen(page)


def test_play_goes_on_by_itself_and_stops_at_the_end(visit):
    page = visit("thermometer")
    page.clock.install()
    page.keyboard.press(" ")
    assert (step(page), page.inner_text("#play")) == ("1", "Pause")
    page.clock.run_for(1600)
    assert step(page) == "2"
    page.click("#play")
    page.clock.run_for(5000)
    assert step(page) == "2"
    page.click("#play")
    page.clock.run_for(1600 * 8)
    assert (step(page), page.inner_text("#play")) == ("7", "Play")
    page.click("#play")  # from the end it begins anew
    assert step(page) == "0"
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#play") == "Play"


# ---- cards, code, facts -------------------------------------------------------------------------


def test_a_card_tells_its_facts_and_gradients_only_from_their_step(visit):
    page = visit("thermometer")
    card(page, "w * t_u + b").click()
    panel = page.locator("#panel-body")
    assert "AddBackward0" in panel.inner_text()
    assert "(11) 35.7, 55.9" in panel.inner_text()
    assert "gradient in" not in panel.inner_text()
    assert "Its step is 4" in panel.inner_text()
    page.fill("#slider", "4")
    assert "gradient in" in panel.inner_text()
    assert "6.4 × 1 = 6.4" in panel.inner_text()
    card(page, "w * t_u + b").click()
    assert "Select a card" in panel.inner_text()


def test_a_card_lights_its_line_and_a_line_its_cards(visit):
    page = visit("thermometer")
    card(page, "squared_diffs.mean()").press("Enter")
    assert page.inner_text("#code-lines .selected .number") == "38"
    page.click("#code-lines button:has-text('return w * t_u + b')")
    assert page.locator("#stage .mark").count() == 2
    assert card(page, "w * t_u + b").get_attribute("aria-pressed") == "true"
    assert card(page, "squared_diffs.mean()").get_attribute("aria-pressed") == "false"
    page.click("#code-lines button:has-text('return w * t_u + b')")
    assert page.locator("#stage .mark").count() == 0


def test_the_line_of_the_step_is_lit(visit):
    page = visit("thermometer")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#code-lines .now .number") == "38"
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#code-lines .now .number") == "37"


def test_the_ledger_follows_its_controls(visit):
    page = visit("thermometer")

    def after():
        return page.locator("#ledger-rows td.after").all_inner_texts()

    assert after()[:2] == ["= 4517.3", "= 9034.6"]
    page.fill("#ledger-calls", "4")
    assert after()[3] == "= 18069.2"
    page.select_option("#ledger-policy", "none")
    assert set(after()[:4]) == {"= 4517.3"}
    before = page.locator("#ledger-rows tr td:nth-of-type(2)").all_inner_texts()
    assert before[:4] == ["None"] * 4
    page.select_option("#ledger-policy", "zero_")
    assert page.locator("#ledger-rows tr td:nth-of-type(2)").all_inner_texts()[1] == "0"


# ---- folded cards -------------------------------------------------------------------------------


def test_folded_cards_open_and_close_again_with_the_moment_kept(visit):
    page = visit("gpt")
    page.keyboard.press("End")
    pile = card(page, "TransformerBlock × 12")
    assert pile.get_attribute("aria-label").endswith(": open")
    pile.click()
    page.wait_for_selector("#trail:not([hidden])")
    assert card(page, "TransformerBlock").count() == 12
    assert step(page) == page.inner_text("#count").split(" / ")[1]
    page.keyboard.press("Home")
    card(page, "TransformerBlock").nth(3).press("Enter")
    expect(page.locator("#trail li")).to_have_count(3)
    expect(page).to_have_url(re.compile(r"#step=\d+&open=f2/"))
    page.keyboard.press("Escape")
    expect(page.locator("#trail li")).to_have_count(2)
    page.click("#trail button:has-text('Whole program')")
    expect(page.locator("#trail")).to_be_hidden()
    assert card(page, "TransformerBlock × 12").count() == 1


def test_of_two_cards_opened_in_a_hurry_the_last_is_shown(visit):
    page = visit("gpt")
    first, second = (
        card(page, title).get_attribute("id") for title in ("TransformerBlock × 12", "Linear(32→50)")
    )
    page.evaluate(
        "(ids) => ids.forEach((id) => document.getElementById(id).dispatchEvent(new Event('click')))",
        [first, second],
    )
    expect(page.locator("#trail li").last).to_have_text("head")
    assert card(page, "TransformerBlock × 12").count() == 1


def test_search_finds_what_is_inside_a_folded_card_and_opens_it(visit):
    page = visit("gpt")
    page.keyboard.press("/")
    page.keyboard.type("blocks.5")
    page.keyboard.press("Enter")
    page.wait_for_selector("#trail:not([hidden])")
    assert "blocks.5" in page.inner_text("#panel-body")
    page.fill("#search", "no such thing")
    assert "Nothing is called so" in page.inner_text("#search-results")
    page.keyboard.press("Escape")
    assert page.is_hidden("#search-results")


# ---- predict, then reveal ------------------------------------------------------------------------


def test_the_page_asks_before_it_shows(visit):
    page = visit("thermometer")
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    assert step(page) == "0"
    assert "Question 1 of" in page.inner_text("#quiz")
    page.fill("#quiz input", "1")
    page.keyboard.press("Enter")
    assert "without the local derivative" in page.inner_text("#quiz .feedback")
    page.fill("#quiz input", "1/11")
    page.keyboard.press("Enter")
    assert page.inner_text("#quiz .feedback").startswith("Right.")
    page.keyboard.press("Enter")
    assert step(page) == "1"
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    assert page.is_hidden("#quiz")


def test_before_the_first_question_the_page_says_what_to_do(visit):
    page = visit("thermometer")
    assert "Step → goes on" not in page.inner_text("#caption")
    page.click("#predict")
    assert "questions come, each before the step that answers it: Step → goes on." in page.inner_text(
        "#caption"
    )
    page.click("#predict")
    assert "Step → goes on" not in page.inner_text("#caption")


def test_play_asks_too(visit):
    page = visit("thermometer", "#mode=predict")
    page.click("#play")
    assert "Question 1 of" in page.inner_text("#quiz")
    assert step(page) == "0"


def test_in_that_mode_nothing_tells_the_answers(visit):
    page = visit("thermometer", "#mode=predict")
    assert page.is_hidden("#ledger")
    assert page.is_hidden("#twin")
    kept = page.evaluate("[...document.querySelectorAll('.kept')].map((e) => getComputedStyle(e).visibility)")
    assert kept
    assert set(kept) == {"hidden"}
    card(page, "w * t_u").first.click()
    assert "saved" not in page.inner_text("#panel-body")


WORDS = """() => [...document.querySelectorAll('#stage title, #stage desc')].map((e) => e.textContent).join('|')"""


def test_in_that_mode_no_words_of_the_page_or_the_picture_tell_a_gradient(visit):
    page = visit("thermometer", "#mode=predict")
    told = page.inner_text("body") + seen(page) + page.evaluate(WORDS)
    for secret in ("4517", "82.6", "0.09091", "6.4", "AccumulateGrad", "÷ 11", "Σ"):
        assert secret not in told, secret
    assert page.is_hidden(".summary")
    card(page, "squared_diffs.mean()").click()
    told = page.inner_text("#panel-body")
    assert "Its step is" not in told  # that would tell the order
    assert "derivative" not in told  # and that what is kept
    page.keyboard.press("p")
    assert "82.6" in page.evaluate(WORDS)
    assert "÷ 11" in page.evaluate(WORDS)
    assert page.is_visible(".summary")


def test_in_that_mode_what_was_found_is_not_told(visit):
    page = visit("masked", "#mode=predict")
    assert not [notice for notice in page.locator(".notice").all() if notice.is_visible()]
    page.keyboard.press("p")
    assert "torch.sqrt(x)" in page.locator(".notice").first.inner_text()


def test_in_that_mode_no_jump_leads_past_a_question(visit):
    page = visit("thermometer", "#mode=predict&step=7")
    assert step(page) == "0"
    assert "Question 1 of" in page.inner_text("#quiz")
    page.click("#quiz button:has-text('Show me')")
    page.click("#quiz button:has-text('Reveal')")
    assert step(page) == "1"
    for jump in (
        lambda: page.keyboard.press("End"),
        lambda: page.click("#last"),
        lambda: page.fill("#slider", "6"),
        lambda: page.evaluate("location.hash = '#step=6&mode=predict'"),
    ):
        jump()
        assert step(page) == "1"
        assert "6.4" not in seen(page)
    page.keyboard.press("Home")
    page.keyboard.press("End")
    assert step(page) == "1"
    assert "Question 2 of" in page.inner_text("#quiz")


def test_in_that_mode_an_opened_card_tells_no_more_than_the_whole(visit):
    page = visit("gpt", "#mode=predict")
    page.locator("#stage [role=button][aria-label$=': open']").first.click()
    page.wait_for_function("document.querySelector('#trail').hidden === false")
    page.keyboard.press("End")
    expect(page.locator("#trail")).to_be_hidden()  # back to where questions are asked
    assert "Question 1 of" in page.inner_text("#quiz")


def test_which_picture_comes_next_is_chosen_from_pictures(visit):
    page = visit("thermometer", "#mode=predict")
    for _ in range(40):
        if page.locator("#quiz .next").count():
            break
        if page.is_hidden("#quiz"):
            page.keyboard.press("ArrowRight")
        else:
            page.click("#quiz button:has-text('Show me')")
            page.click("#quiz button:has-text('Reveal')")
    assert page.inner_text("#quiz legend") == "Which picture comes next?"
    assert page.locator("#quiz .next svg").count() == 3
    lit = page.evaluate("""() => [...document.querySelectorAll('#quiz .next svg')].map((svg) =>
        [...svg.querySelectorAll('[data-f][data-t].on')].filter((e) => e.dataset.f === e.dataset.t
            && !e.querySelector('text')).map((e) => e.dataset.f))""")
    # One step each, those of b, w * t_u and w: a card, and the arrow that it sends along.
    assert sorted(map(set, lit), key=min) == [{"5"}, {"6"}, {"7"}]
    visible = """() => [...document.querySelectorAll('#quiz .next text')].filter((item) =>
        getComputedStyle(item).visibility === 'visible').map((item) => item.textContent).join('|')"""
    assert "4517.3" not in page.evaluate(visible)
    page.locator("#quiz label", has_text="w (AccumulateGrad)").click()
    page.keyboard.press("Enter")
    assert "still waits for the gradient from w * t_u" in page.inner_text("#quiz .feedback")
    page.locator("#quiz label", has_text="b (AccumulateGrad)").click()
    page.keyboard.press("Enter")
    assert page.inner_text("#quiz .feedback").startswith("Right.")


def test_a_wrong_answer_names_the_stop_to_look_at_again(visit):
    page = visit("thermometer", "#mode=predict")
    for given in ("1", "1", "Show me"):
        if page.is_hidden("#quiz"):
            page.keyboard.press("ArrowRight")
        if given == "Show me":
            break
        page.fill("#quiz input", given)
        page.keyboard.press("Enter")
    for _ in range(40):
        if page.is_hidden("#quiz"):
            page.keyboard.press("ArrowRight")
        elif "All questions" in page.inner_text("#quiz"):
            break
        else:
            for name in ("Show me", "Reveal"):
                if page.locator(f"#quiz button:has-text('{name}')").count():
                    page.click(f"#quiz button:has-text('{name}')")
    assert "Look again at stop 2 of the tour." in page.inner_text("#quiz")


def test_the_page_judges_numbers_as_the_terminal_does(visit):
    from autograd_tour.questions import Question, judge

    page = visit("thermometer", "#mode=predict")
    page.keyboard.press("ArrowRight")
    for _ in range(1):  # to the question whose answer is 6.4
        page.click("#quiz button:has-text('Show me')")
        page.click("#quiz button:has-text('Reveal')")
        page.keyboard.press("ArrowRight")
    question = Question("q", "k", "?", "6.4", "Right it is.")
    for given, says in (("6.2", "Not yet."), ("6", "Not yet."), ("6.4", "Right.")):
        page.fill("#quiz input", given)
        page.keyboard.press("Enter")
        told = page.inner_text("#quiz .feedback")
        assert told.startswith(says) or "Not quite" in told, given
        assert "more digits" not in told
        assert judge(question, given).right == (says == "Right.")
        if "Not quite" in told:
            break


def test_all_questions_lead_to_a_score(visit):
    page = visit("thermometer", "#mode=predict")
    for _ in range(40):
        if page.is_hidden("#quiz"):
            page.keyboard.press("ArrowRight")
        elif "All questions" in page.inner_text("#quiz"):
            break
        else:
            page.click("#quiz button:has-text('Show me')")
            page.click("#quiz button:has-text('Reveal')")
    assert "right at the first try" in page.inner_text("#quiz")
    assert step(page) == "7"


# ---- what there is less of -----------------------------------------------------------------------


def test_without_a_backward_the_page_says_so_and_shows_what_there_is(visit):
    page = visit("silent")
    assert "No backward was recorded" in page.inner_text("header")
    assert page.is_hidden("#player")
    card(page, "w * t_u + b").click()
    assert "35.7" in page.inner_text("#panel-body")


def test_without_script_the_end_of_backward_and_the_text_twin_are_there(visit):
    page = visit("thermometer", java_script_enabled=False)
    assert page.is_hidden("#player")
    assert page.is_hidden("header .tools")
    page.click("#twin summary")
    assert "4517.3" in page.inner_text("#twin pre")
    shot = page.locator("#stage text:has-text('4517.3')").last
    assert shot.is_visible()
