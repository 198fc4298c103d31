// Predict, then reveal: in this mode a step asks its questions before it shows its numbers.

import { betrayed, judge } from "./answers.js";
import { byId, make } from "./dom.js";

const TRIES = 2;

export class Quiz {
  /**
   * @param {object[]} questions
   * @param {() => SVGElement} drawn the picture that the questions are about, as it is now
   * @param {(on: boolean) => Promise<void>} changed called when the mode is switched
   */
  constructor(questions, drawn, changed) {
    this.questions = questions;
    this.drawn = drawn;
    this.changed = changed;
    this.on = false;
    this.answered = new Set();
    this.right = 0;
    this.again = new Map();
    this.section = byId("quiz");
    byId("predict")?.addEventListener("click", () => this.switch(!this.on));
  }

  /** Turn the mode on or off; without questions there is none. The first picture is shown from its beginning. */
  switch(on) {
    if (!this.questions.length) return undefined;
    this.on = on;
    this.answered.clear();
    this.right = 0;
    this.again.clear();
    byId("predict").setAttribute("aria-pressed", String(on));
    document.documentElement.classList.toggle("predicting", on); // hides what would tell the answers
    this.close();
    return this.changed(on);
  }

  /** Whether something stands before frame `target`: a question, after which `go` is called, or the score. */
  stops(target, last, go) {
    if (!this.on) return false;
    const open = this.questions.filter((question) => !this.answered.has(question.id));
    const question = open.find(({ frame = 0 }) => (frame > 0 && frame <= last ? frame <= target : target > last));
    if (question) this.#ask(question, go);
    else if (target > last) this.#score();
    return Boolean(question) || target > last;
  }

  /** The step of the engine whose numbers answer the next question; `engine` has those of the frames. */
  until(engine) {
    if (!this.on) return Infinity;
    const open = this.questions.filter(({ id, frame = 0 }) => !this.answered.has(id) && engine[frame] > 0);
    return Math.min(...open.map(({ frame }) => engine[frame]));
  }

  /** What stands below the first picture, where nothing is asked yet. */
  announced() {
    const count = this.questions.length;
    const come = count === 1 ? "1 question comes before the step" : `${count} questions come, each before the step`;
    return make("p", {}, `${come} that answers it: Step → goes on.`);
  }

  /** Take the question away without an answer. */
  close() {
    this.section.hidden = true;
    this.section.replaceChildren();
  }

  #ask(question, go) {
    let tries = 0;
    const place = this.questions.indexOf(question) + 1;
    const feedback = make("p", { class: "feedback", role: "status" });
    const field = question.choices?.length ? choices(question, this.drawn) : entry();
    const send = make("button", { type: "submit" }, "Answer");
    const show = make("button", { type: "button" }, "Show me");
    const form = make("form", {}, field, make("p", { class: "buttons" }, send, show));
    const finish = (text) => {
      this.answered.add(question.id);
      feedback.textContent = text;
      field.disabled = true;
      const on = make("button", { type: "button" }, "Reveal and go on");
      on.addEventListener("click", () => {
        this.close();
        go();
      });
      form.lastChild.replaceChildren(on);
      on.focus();
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const given = new FormData(form).get("answer") ?? "";
      const judged = given === "" ? null : judge(question, String(given));
      if (judged === null) {
        feedback.textContent = question.choices?.length ? "Choose one." : "Type a number, or None.";
        return;
      }
      tries += 1;
      const stop = tries === 1 ? betrayed(question, judged) : 0;
      if (stop) this.again.set(stop, (this.again.get(stop) ?? 0) + 1);
      if (judged.right) {
        this.right += tries === 1;
        finish(`Right. ${judged.text}`);
      } else if (tries < TRIES) {
        feedback.textContent = `Not yet. ${judged.text} Try once more.`;
      } else {
        finish(`Not quite. ${judged.text} It is ${question.answer}. ${question.right}`);
      }
    });
    show.addEventListener("click", () => finish(`It is ${question.answer}. ${question.right}`));
    const title = make("h2", {}, `Question ${place} of ${this.questions.length}`);
    this.section.replaceChildren(title, make("p", { class: "prompt" }, question.prompt), form, feedback);
    this.section.hidden = false;
    form.querySelector("input").focus();
  }

  #score() {
    const said = `${this.right} of ${this.questions.length} right at the first try.`;
    const stops = [...this.again].toSorted((a, b) => b[1] - a[1] || a[0] - b[0]).map(([stop]) => stop);
    const again = stops.length ? ` Look again at ${listed(stops)} of the tour.` : "";
    this.section.replaceChildren(make("h2", {}, "All questions are answered"), make("p", {}, said + again));
    this.section.hidden = false;
  }
}

/** Take away what a picture says of itself in words, gradients and rules, or give it back. */
export function veil(svg, on) {
  for (const words of svg.querySelectorAll(":scope > desc, g > title")) {
    words.dataset.words ??= words.textContent;
    const [ends] = words.dataset.words.split(": ");
    words.textContent = !on ? words.dataset.words : words.tagName === "desc" ? "" : ends;
  }
}

function listed(stops) {
  return stops.length < 2 ? `stop ${stops[0]}` : `stops ${stops.slice(0, -1).join(", ")} and ${stops.at(-1)}`;
}

function entry() {
  const input = make("input", { name: "answer", type: "text", inputmode: "text", autocomplete: "off" });
  return make("fieldset", {}, make("label", {}, "Your answer ", input));
}

function choices(question, drawn) {
  const options = question.choices.map((text, place) => {
    const words = make("label", {}, make("input", { type: "radio", name: "answer", value: text }), ` ${text}`);
    if (question.frames?.length) words.prepend(next(drawn(), question.frames[place]));
    return words;
  });
  const legend = question.frames?.length ? "Which picture comes next?" : "Your answer";
  const kind = question.frames?.length ? { class: "next" } : {};
  return make("fieldset", kind, make("legend", {}, legend), ...options);
}

/** The picture as it is now, with the card lit that runs in `frame`; the numbers of that frame stay hidden. */
function next(svg, frame) {
  const copy = svg.cloneNode(true);
  for (const name of ["id", "role", "aria-labelledby", "style"]) copy.removeAttribute(name);
  copy.setAttribute("aria-hidden", "true"); // the words beside it say which
  for (const item of copy.querySelectorAll("title, desc")) item.remove();
  for (const item of copy.querySelectorAll("[id], [tabindex], [role]")) {
    for (const name of ["id", "tabindex", "role", "aria-label", "aria-pressed"]) item.removeAttribute(name);
  }
  for (const item of copy.querySelectorAll("[data-f][data-t]")) {
    if (item.dataset.f !== item.dataset.t || item.querySelector("text")) continue;
    item.classList.toggle("on", Number(item.dataset.f) === frame);
  }
  return copy;
}
