// The panel: all that is known of the selected card at this step.

import { byId, make, tell } from "./dom.js";

/** Rows that would answer a question at any step. */
const TELLING = /^(saved|derivative|note)/;

/** What a card is, and whether it is only around the opened one. */
export function kindOf(card) {
  return card.outside ? `${card.kind}, outside the opened card` : card.kind;
}

/** Fill the panel for `card` (undefined: nothing is selected) as of frame `step`. */
export function showPanel(card, step, canFold, rows = card?.rows ?? []) {
  const panel = byId("panel-body");
  if (!card) {
    panel.replaceChildren(make("p", { class: "muted" }, "Select a card of the picture to see all that is known of it."));
    return;
  }
  const predicting = document.documentElement.classList.contains("predicting");
  const title = make("h3", {}, card.title, " ", make("span", { class: "muted" }, kindOf(card)));
  const list = make("dl");
  let hidden = 0;
  for (const [label, text, since = 0] of rows) {
    if (predicting && TELLING.test(label)) continue;
    if (since > step) {
      hidden += 1;
      continue;
    }
    list.append(make("div", {}, make("dt", {}, label), make("dd", {}, text)));
  }
  const parts = [title, list];
  if (hidden) {
    const when = card.runs_at > step && !predicting ? ` Its step is ${card.runs_at}.` : "";
    parts.push(make("p", { class: "muted" }, `Its gradient is not known yet.${when}`));
  }
  const buttons = [];
  if (card.opens) buttons.push(button("Open it", () => tell("open", card.opens)));
  if (canFold) buttons.push(button("Fold it again", () => tell("up")));
  if (buttons.length) parts.push(make("p", { class: "buttons" }, ...buttons));
  panel.replaceChildren(...parts);
}

function button(text, action) {
  const element = make("button", { type: "button" }, text);
  element.addEventListener("click", action);
  return element;
}
