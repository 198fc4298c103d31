// Search: cards by name, operation, grad_fn or module, also those inside folded cards.

import { byId, make, tell } from "./dom.js";

const MOST = 12;

/** Wire the search field to `index`: [text, key of a picture, card] for every card of every picture. */
export function startSearch(index) {
  const field = byId("search");
  const list = byId("search-results");
  const entries = index.map(([text, key, card]) => ({ text, key, card, low: text.toLowerCase() }));

  function find() {
    const words = field.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const found = words.length ? entries.filter(({ low }) => words.every((word) => low.includes(word))) : [];
    const shown = found.slice(0, MOST).map((entry) => {
      const button = make("button", { type: "button" }, entry.text);
      button.addEventListener("click", () => choose(entry));
      return make("li", {}, button);
    });
    if (words.length && !found.length) shown.push(make("li", { class: "muted" }, "Nothing is called so"));
    if (found.length > MOST) shown.push(make("li", { class: "muted" }, `… ${found.length - MOST} more`));
    list.replaceChildren(...shown);
    list.hidden = !words.length;
    return found;
  }

  function choose({ key, card }) {
    list.hidden = true;
    tell("find", { key, card });
  }

  field.addEventListener("input", find);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      const [first] = find();
      if (first) choose(first);
    } else if (event.key === "Escape") {
      field.value = "";
      find();
      field.blur();
      event.stopPropagation();
    }
  });
}
