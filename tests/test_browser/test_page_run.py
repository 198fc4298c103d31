"""The run of a training loop, gone through line by line in a browser."""

from __future__ import annotations


def test_each_event_shows_its_line_and_what_it_did(visit):
    page = visit("train")
    head = page.locator("#run-head")
    assert head.inner_text() == "forward"
    page.click("#run-forward")
    assert head.inner_text() == "backward 1"
    assert "loss.backward()" in page.locator("#run-lines li.now").inner_text()
    assert page.locator("#run-rows td.grad").inner_text() == "None + 0.666667 = 0.666667"
    page.click("#run-forward")
    assert page.locator("#run-rows td.value.changed").inner_text() == "1 → 0.916667"
    page.click("#run-forward")
    assert head.inner_text() == "zeroing"
    assert page.locator("#run-rows td.grad.changed").inner_text() == "0.666667 → 0"
    page.locator("#run-lines li", has_text="loss.backward()").locator("button").click()
    assert head.inner_text() == "backward 2"
    page.locator("#run-slider").fill("0")
    assert head.inner_text() == "Before the run"
    assert page.locator("#run-back").is_disabled()


def test_the_ledger_of_such_a_page_tells_the_programs_own_calls(visit):
    page = visit("train")
    assert page.locator("#ledger-policy option").all_inner_texts() == ["what the program does"]
    assert "The backward calls of the program itself" in page.locator("#ledger").inner_text()


def test_a_page_of_a_loss_that_is_only_returned_has_no_run(visit):
    assert visit("thermometer").locator("#run").is_hidden()


def test_the_page_asks_about_the_run_and_shows_no_answer_before(visit):
    page = visit("train", "#mode=predict")
    assert page.is_hidden("#run")
    prompts = []
    for _ in range(60):
        if page.is_hidden("#quiz"):
            page.keyboard.press("ArrowRight")
        elif "All questions" in page.inner_text("#quiz"):
            break
        else:
            prompts.append(page.inner_text("#quiz .prompt"))
            page.click("#quiz button:has-text('Show me')")
            page.click("#quiz button:has-text('Reveal')")
    assert "right at the first try" in page.inner_text("#quiz")
    assert any("w.grad.zero_()" in prompt for prompt in prompts)
    assert any(prompt.startswith("Which of these lines changes the value of w") for prompt in prompts)
