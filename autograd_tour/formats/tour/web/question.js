// One question of a stop: an answer, how sure, what a wrong one betrays; the first answer is what counts.

import { judge } from "./answers.js";
import { coded } from "./dom.js";

const TRIES = 2;

/** Wire a form. `state` has the answers kept so far; `keep` stores it, `advance` goes on when this one is settled. */
export function startQuestion(form, question, state, keep, advance) {
  const key = form.dataset.question;
  const feedback = form.querySelector(".feedback");
  let tries = 0;
  const settle = (text, right) => {
    feedback.replaceChildren(...coded(text));
    feedback.classList.toggle("right", right);
    form.classList.add("solved");
    for (const item of form.querySelectorAll("input")) {
      if (item.type === "text") item.readOnly = true;
      else item.disabled = !item.checked;
    }
    form.querySelector(".buttons").hidden = true;
  };
  const answer = `It is ${question.answer}. ${question.right}`;
  const note = (given, sure, judged) => {
    const wrong = judged && !judged.right ? question.wrong.find((item) => item.feedback === judged.text) : null;
    state.answers[key] ??= { given, sure, right: Boolean(judged?.right), betrays: wrong?.stop ?? 0 };
    keep();
  };
  const finish = (text, right) => {
    state.answers[key].settled = { text, right };
    settle(text, right);
    advance(form);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (form.classList.contains("solved")) return;
    const data = new FormData(form);
    const given = String(data.get("answer") ?? "").trim();
    const judged = given === "" ? null : judge(question, given);
    if (judged === null) {
      feedback.textContent = question.choices?.length ? "Choose one." : "Type a number, or None.";
      return;
    }
    if (!data.get("sure")) {
      feedback.textContent = "Say how sure you are, too.";
      return;
    }
    tries += 1;
    note(given, String(data.get("sure")), judged);
    if (judged.right) finish(`Right. ${judged.text}`, true);
    else if (tries < TRIES) {
      feedback.replaceChildren(...coded(`Not yet. ${judged.text} Try once more.`.replace("  ", " ")));
    } else finish(`Not quite. ${judged.text} ${answer}`.replace("  ", " "), false);
  });
  form.querySelector(".show").addEventListener("click", () => {
    note("", String(new FormData(form).get("sure") ?? ""), null);
    finish(answer, false);
  });
  const kept = state.answers[key];
  if (typeof kept?.settled?.text === "string") {
    restore(form, kept);
    settle(kept.settled.text, kept.settled.right === true);
  }
}

/** Whether a question has been answered to its end. */
export function settled(form) {
  return form.classList.contains("solved");
}

function restore(form, kept) {
  for (const item of form.querySelectorAll("input")) {
    if (item.type === "text") item.value = kept.given ?? "";
    else item.checked = item.value === (item.name === "sure" ? kept.sure : kept.given);
  }
}
