// The loop of a stop with another lr, more calls, another zeroing: a table of them, and the path that comes of it.

import { bracketed, content, number, summed } from "./digits.js";
import { byId, hear, make } from "./dom.js";
import { plain, read } from "./moving.js";
import { trace } from "./path.js";
import { follows, recorded, walked } from "./walk.js";

const MOST_CALLS = 20;
const ZEROING = {
  keep: "nothing",
  zero: "it is set to 0",
  none: "it is set to None",
};

export class Walking {
  /** @param {object} moving the numbers of its graph @param {object} walk the loop: see `views/walk.py` */
  constructor(moving, walk) {
    this.moving = moving;
    this.machine = moving.machine;
    this.walk = walk;
    this.truth = recorded(this.machine, walk);
    this.start = { lr: walk.lr, calls: walk.rounds.length, zeroing: walk.zeroing };
    this.now = { ...this.start };
    if (!follows(this.machine, walk, this.truth)) return;
    moving.beside = this;
    byId("move").append(...this.#furniture());
    this.#wire();
    hear("moved", () => this.#draw());
    this.#draw();
  }

  /** Whether the loop is another one than was recorded; fewer calls of it were recorded too. */
  get moved() {
    const { lr, calls, zeroing } = this.start;
    return this.now.lr !== lr || this.now.zeroing !== zeroing || this.now.calls > calls;
  }

  /** The loop as it was recorded. */
  reset() {
    this.now = { ...this.start };
    byId("walk-said").textContent = "";
    this.#fields();
  }

  #furniture() {
    const most = Math.max(MOST_CALLS, this.start.calls);
    const lr = this.start.lr === null ? [] : [knob("walk-lr", "lr", -3, 3, "any")];
    const options = Object.entries(ZEROING).map(([value, text]) => make("option", { value }, text));
    const titles = ["call", "leaf", "value", ".grad before", "contribution", ".grad after", ...(this.#steps ? ["value at the end"] : [])];
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const [name, value] of Object.entries({ id: "walk-path", class: "plot", viewBox: "0 0 360 220", role: "img" })) svg.setAttribute(name, value);
    return [
      make("h3", {}, "Call after call"),
      make("div", { class: "controls" }, ...lr, knob("walk-calls", "calls", 1, most, 1), make("label", {}, "what empties .grad ", make("select", { id: "walk-zeroing" }, ...options))),
      make("p", { id: "walk-said", role: "status" }),
      make("p", { id: "walk-note", class: "muted" }),
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Every call of backward" }, make("table", {}, make("thead", {}, make("tr", {}, ...titles.map((title) => make("th", { scope: "col" }, title)))), make("tbody", { id: "walk-rows" }))),
      ...(this.#steps ? [make("figure", {}, svg, make("figcaption", { class: "muted" }, make("b", { class: "was" }, "○"), " recorded ", make("b", { class: "is" }, "●"), " now"))] : []),
    ];
  }

  get #steps() {
    return this.walk.parts.includes("step");
  }

  #wire() {
    this.#fields();
    const { lr, calls } = this.start;
    if (lr !== null) {
      byId("walk-lr").addEventListener("input", (event) => this.#set({ lr: Number((lr * 10 ** Number(event.target.value)).toPrecision(3)) }));
      byId("walk-lr-typed").addEventListener("change", (event) => this.#typed("lr", event.target.value));
    }
    byId("walk-calls").addEventListener("input", (event) => this.#set({ calls: Number(event.target.value) }));
    byId("walk-calls-typed").addEventListener("change", (event) => this.#typed("calls", event.target.value));
    byId("walk-zeroing").addEventListener("change", (event) => this.#set({ zeroing: event.target.value }));
    this.most = Math.max(MOST_CALLS, calls);
  }

  /** A number that was typed, or a line that says why it is none. */
  #typed(name, text) {
    const value = read(text);
    const stays = `${name} stays ${number(this.now[name])}.`;
    if (value === null || !Number.isFinite(value)) this.#refuse(`“${text.trim()}” is no number for ${name}; ${stays}`);
    else if (name === "calls" && (!Number.isInteger(value) || value < 1 || value > this.most)) this.#refuse(`calls is a whole number from 1 to ${this.most}; ${stays}`);
    else if (name === "lr" && value < 0 && this.walk.optimizer) this.#refuse(`${this.walk.optimizer} refuses an lr below 0; ${stays}`);
    else this.#set({ [name]: value });
  }

  #refuse(text) {
    byId("walk-said").textContent = text;
    this.#fields();
  }

  #set(change) {
    Object.assign(this.now, change);
    byId("walk-said").textContent = "";
    this.#fields();
    this.moving.compute();
  }

  #fields() {
    const { lr, calls, zeroing } = this.now;
    if (lr !== null) {
      const slider = byId("walk-lr");
      if (document.activeElement !== slider) slider.value = String(lr > 0 ? Math.log10(lr / this.start.lr) : -3);
      slider.setAttribute("aria-valuetext", number(lr));
      byId("walk-lr-typed").value = plain(lr);
    }
    byId("walk-calls").value = String(calls);
    byId("walk-calls-typed").value = String(calls);
    byId("walk-zeroing").value = zeroing;
  }

  #draw() {
    const other = this.machine.moved || this.now.lr !== this.start.lr || this.now.zeroing !== this.start.zeroing;
    const { calls } = this.now;
    const { rounds, losses } = this.truth;
    const told = other || calls > rounds.length ? walked(this.machine, this.walk, this.now) : this.truth;
    const kept = other ? 0 : Math.min(rounds.length, calls);
    const rows = [...rounds.slice(0, kept), ...told.rounds.slice(kept, calls)];
    byId("walk-rows").replaceChildren(...rows.flatMap((row, call) => this.#call(row, call, call >= kept)));
    byId("walk-note").textContent = note(kept, calls);
    const odd = rows.findIndex((row) => row.some(({ after, following }) => [after, following].some((item) => item.data.some((value) => !Number.isFinite(value)))));
    if (odd >= 0) byId("walk-said").textContent = `Not finite any more from call ${odd + 1} on.`;
    if (!this.#steps) return;
    const names = this.walk.leaves.map((id) => this.#name(id));
    const seen = { rounds: rows, losses: [...losses.slice(0, kept), ...told.losses.slice(kept, calls)] };
    trace(byId("walk-path"), names, this.truth, seen);
  }

  #name(id) {
    return this.machine.plan.tensors.find((item) => item.id === id).name;
  }

  #call(row, call, computed) {
    return row.map(({ value, before, contribution, after, following }, place) => {
      const [held, brought, sum] = summed(before, contribution, after);
      const head = place ? [] : [make("th", { scope: "rowgroup", rowspan: String(row.length) }, String(call + 1))];
      const cells = [this.#name(this.walk.leaves[place]), content(value), held, `+ ${bracketed(brought)}`, `= ${sum}`, ...(this.#steps ? [content(following)] : [])];
      return make("tr", computed ? { class: "computed" } : {}, ...head, ...cells.map((text) => make("td", {}, text)));
    });
  }
}

/** A slider, and a field beside it. */
function knob(id, label, min, max, step) {
  const typed = { id: `${id}-typed`, type: "text", autocomplete: "off", spellcheck: "false", "aria-label": `${label}, typed` };
  const slider = { id, type: "range", min, max, step, "aria-label": label };
  return make("span", { class: "knob" }, make("span", { "aria-hidden": "true" }, label), make("input", slider), make("input", typed));
}

function note(kept, calls) {
  if (kept === calls) return "As recorded.";
  if (!kept) return "Computed here, in 64-bit floats.";
  return `The first ${kept === 1 ? "call is" : `${kept} calls are`} as recorded, what follows is computed here, in 64-bit floats.`;
}
