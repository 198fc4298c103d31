// The code strip: the lines that made nodes. The line of the step is lit; a click lights its cards.

import { byId, make, tell } from "./dom.js";

export class Code {
  constructor(source) {
    this.items = [];
    const list = byId("code-lines");
    let before = null;
    const order = source.map((line, number) => ({ line, number }));
    order.sort((a, b) => compare(a.line.file, b.line.file) || a.line.line - b.line.line);
    for (const { line, number } of order) {
      if (before?.file !== line.file) list.append(make("li", { class: "file" }, line.file));
      else if (line.line > before.line + 1) list.append(make("li", { class: "gap", "aria-hidden": "true" }, "⋮"));
      before = line;
      const button = make(
        "button",
        { type: "button", "aria-pressed": "false" },
        make("span", { class: "number" }, String(line.line)),
        make("code", {}, line.text || " "),
      );
      button.addEventListener("click", () => tell("line", number));
      const item = make("li", {}, button);
      this.items[number] = item;
      list.append(item);
    }
  }

  /** Light the lines of the step, and mark the ones that are selected. */
  light(now, selected) {
    this.items.forEach((item, number) => {
      item.classList.toggle("now", now.includes(number));
      item.classList.toggle("selected", selected.includes(number));
      item.firstChild.setAttribute("aria-pressed", String(selected.includes(number)));
    });
    const first = this.items[now[0]];
    if (first) scrollStrip(first);
  }
}

function compare(a, b) {
  return a < b ? -1 : Number(a > b);
}

/** Scroll the strip, and nothing else, until the line is in it. */
function scrollStrip(item) {
  const list = item.parentElement;
  if (item.offsetTop < list.scrollTop) list.scrollTop = item.offsetTop;
  const bottom = item.offsetTop + item.offsetHeight - list.clientHeight;
  if (bottom > list.scrollTop) list.scrollTop = bottom;
}
