// The texts of a picture, told anew: what is recorded is kept aside, and comes back.

import { elements, rounded } from "./digits.js";

const PADDING = 8;

/** Tells the numbers of one picture by a retelling, or as they were recorded if there is none. */
export class Cards {
  constructor(svg) {
    this.about = svg.querySelector("desc");
    this.recorded = this.about?.textContent;
    this.facts = [...svg.querySelectorAll("[data-fact]")].map((group) => ({
      fact: group.dataset.fact,
      end: edge(group),
      texts: [...group.querySelectorAll("text")].map((element) => ({
        element,
        text: element.textContent,
        length: element.getAttribute("textLength"),
        bold: element.getAttribute("font-weight") === "bold",
      })),
    }));
  }

  tell(retelling) {
    if (this.about) this.about.textContent = `${retelling ? "As recorded: " : ""}${this.recorded}`;
    for (const { fact, texts, end } of this.facts) {
      const now = retelling ? told(fact, texts, retelling) : null;
      texts.forEach((item, place) => write(item, retelling && now ? now[place] : item.text, end));
    }
  }
}

/** The texts of a row or a label, one for each that stands there; `null` leaves them as they are. */
function told(fact, texts, retelling) {
  const [id, what] = fact.split(".");
  const first = texts.map((item) => item.text);
  const fill = (...now) => first.map((_, place) => now[place] ?? "");
  if (what === "note" && !retelling.nodes.has(id)) return fill(); // a folded card tells sums of what was recorded
  if (what === "saved" || what === "note" || !texts.length) return null;
  if (what === "value") {
    const item = retelling.brief(fact);
    return fill(item ? `${retelling.lead(fact)} ${elements(item)}`.trim() : "…");
  }
  if (what === "grad") {
    const item = retelling.brief(fact);
    return fill(first[0], item ? elements(item) : "…");
  }
  if (what === "sent") {
    const sent = retelling.brief(fact);
    const sum = sent ? `= ${rounded(sent.data[0])}${sent.data.length > 1 ? " …" : ""}` : "…";
    return texts.map((item) => (item.bold ? sum : item.text));
  }
  if (what === "mailbox") {
    if (fact.endsWith(".sign")) return retelling.sign(id) ? fill(first[0], retelling.sign(id)) : fill();
    const mailbox = retelling.mailbox(id);
    return mailbox ? fill(first[0], mailbox.sum.join(" ")) : null;
  }
  return fill(); // what each use brings is told on the arrows
}

/** Where the card of a row ends: a text may go as far. */
function edge(group) {
  const box = group.closest(".node")?.querySelector("path").getBBox();
  return box ? box.x + box.width - PADDING : Infinity;
}

/** Set a text; one that is longer than what was recorded is narrowed where its card ends. */
function write({ element, text, length }, now, end) {
  if (element.textContent === now) return;
  element.textContent = now;
  element.removeAttribute("textLength");
  if (now === text) {
    if (length) element.setAttribute("textLength", length);
  } else if (now.length > text.length) {
    const room = end - Number(element.getAttribute("x"));
    if (element.getComputedTextLength() > room) element.setAttribute("textLength", String(room));
  }
}
