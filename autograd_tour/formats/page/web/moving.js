// Change it and see: leaves and constants get other numbers, and the page tells what they come to.

import { Cards } from "./cards.js";
import { number } from "./digits.js";
import { byId, hear, make, tell } from "./dom.js";
import { Machine } from "./machine.js";
import { plot } from "./plot.js";
import { Retelling } from "./retelling.js";

const MOST_SLIDERS = 12;
const POINTS = 60;
const CALM = 120;
/** So many times too wide a curve is worked out anew. */
const WIDE = 10;
/** Beyond it a slider has no length. */
const FARTHEST = 8e307;
/** What can be typed: Python's words too. */
const WORDS = { inf: Infinity, "+inf": Infinity, "-inf": -Infinity, nan: NaN };

export class Moving {
  /** @param {object} plan of the page's data @param {() => void} changed called when other numbers are there */
  constructor(plan, changed) {
    this.machine = new Machine(plan);
    this.changed = changed;
    this.retelling = null;
    this.told = new WeakMap();
    this.place = 0;
    this.beside = null; // what else can be changed: {moved, reset}
    this.free = plan.tensors.filter((item) => item.free);
    this.here = this.machine.agrees();
    if (this.here) this.#start();
  }

  /** Rows of the panel as they are now. */
  rows(rows) {
    if (!this.retelling) return rows;
    return rows.flatMap(([label, text, since = 0, fact = "", lead = ""]) => {
      if (!fact) return [[label, text, since]];
      const now = fact === "statistics" ? null : this.retelling.text(fact);
      return now === null ? [] : [[label, `${lead}${now}`, since]];
    });
  }

  /** The caption of a frame in which `id` runs (a node, or a leaf), whose lines were recorded as `lines`. */
  caption(lines, id) {
    if (!this.retelling || lines.length < 2) return lines;
    const mailbox = this.retelling.mailbox(id);
    const backs = this.retelling.nodes.get(id)?.back;
    if (!mailbox && !backs) return this.#folded(lines, id);
    return lines.map((line, place) => {
      if (place === 0) return line;
      if (mailbox) return told(line, 0, mailbox.sum);
      const back = backs[place - 1];
      if (!back) return line;
      const worked = this.retelling.worked(id, back.slot);
      return worked ? told(line, 1, [worked], !this.retelling.element(id, back.slot)) : told(line, 1, [this.retelling.text(`${id}.sent.${back.slot}`, 4)]);
    });
  }

  /** Of a folded card what it sends; its notes tell sums of what was recorded. */
  #folded([head, ...lines], id) {
    const sends = this.retelling.sends(id);
    const sent = lines.filter((line) => line.some(([role]) => role === "backward"));
    return [head, ...sent.map((line, place) => told(line, 1, [this.retelling.text(sends[place], 4)]))];
  }

  /** Tell the cards of a picture, which may be another one than before. */
  picture(svg) {
    if (!this.here) return;
    if (!this.told.has(svg)) {
      if (!this.retelling) return;
      this.told.set(svg, { cards: new Cards(svg), by: null });
    }
    const state = this.told.get(svg);
    if (state.by !== this.retelling) state.cards.tell(this.retelling);
    state.by = this.retelling;
  }

  /** Offer the tensor of this card, if it is one that can be changed. */
  offer(id) {
    if (!this.here || id === this.chosen.id || !this.free.some((item) => item.id === id)) return;
    this.#choose(id);
  }

  #start() {
    furnish(this.machine.plan.aside);
    const select = byId("move-tensor");
    for (const { id, name, kind } of this.free) select.append(make("option", { value: id }, `${name} (${kind})`));
    select.addEventListener("change", () => this.#choose(select.value));
    byId("move-all").addEventListener("change", (event) => this.#typed(event.target.value));
    for (const button of [byId("move-reset"), byId("moved-reset")]) button.addEventListener("click", () => this.#reset());
    hear("shown", ({ picture }) => this.picture(picture.element));
    this.#choose(this.free.find((item) => item.kind === "leaf")?.id ?? this.free[0].id);
  }

  #choose(id) {
    this.chosen = this.free.find((item) => item.id === id);
    this.place = 0;
    byId("move-tensor").value = id;
    this.#say("");
    this.#fields();
    this.#plot();
  }

  get #data() {
    return this.machine.now.get(this.chosen.id).data;
  }

  #fields() {
    const data = this.#data;
    const { name, shape } = this.chosen;
    byId("move-all").value = [...data].map(plain).join(", ");
    byId("move-shape").textContent = shape.length ? `shape (${shape.join(", ")})` : "one number";
    const rows = Array.from(data.slice(0, MOST_SLIDERS), (value, place) => {
      const label = data.length > 1 ? `${name}[${subscript(shape, place)}]` : name;
      const bound = range(Number(this.chosen.values[place]));
      const slider = make("input", { type: "range", min: -bound, max: bound, step: "any", "aria-label": label });
      slider.value = String(Number.isFinite(value) ? value : 0);
      slider.setAttribute("aria-valuetext", number(value));
      const field = make("input", { type: "text", inputmode: "text", autocomplete: "off", spellcheck: "false", "aria-label": `${label}, typed`, value: plain(value) });
      slider.addEventListener("input", () => this.#put(place, Number(slider.value)));
      slider.addEventListener("focus", () => this.#at(place));
      field.addEventListener("focus", () => this.#at(place));
      field.addEventListener("change", () => {
        const typed = read(field.value);
        if (typed === null) {
          this.#say(`“${field.value.trim()}” is no number; ${label} stays ${number(this.#data[place])}.`);
          field.value = plain(this.#data[place]);
        } else {
          this.#put(place, typed);
        }
      });
      return make("div", { class: "slider" }, make("span", { "aria-hidden": "true" }, label), slider, field);
    });
    byId("move-elements").replaceChildren(...rows);
  }

  /** All numbers of a tensor at once: as many as it has. */
  #typed(text) {
    const parts = text.replaceAll(/[[\]()]/g, " ").split(/[\s,;]+/).filter(Boolean);
    const size = this.#data.length;
    const wrong = parts.find((part) => read(part) === null);
    if (wrong !== undefined) this.#say(`“${wrong}” is no number; nothing was changed.`);
    else if (parts.length !== size) {
      const shape = this.chosen.shape.length ? `, shape (${this.chosen.shape.join(", ")})` : "";
      this.#say(`${this.chosen.name} has ${size} ${size === 1 ? "number" : "numbers"}${shape}; ${parts.length} do not fit. Nothing was changed.`);
    } else {
      parts.forEach((part, place) => this.machine.set(this.chosen.id, place, read(part)));
      this.compute();
      this.#plot();
    }
    this.#fields();
  }

  #put(place, value) {
    this.place = place;
    this.machine.set(this.chosen.id, place, value);
    const row = byId("move-elements").children[place];
    const [slider, field] = row.querySelectorAll("input");
    if (document.activeElement !== slider && Number.isFinite(value)) slider.value = String(value);
    slider.setAttribute("aria-valuetext", number(value));
    field.value = plain(value);
    byId("move-all").value = [...this.#data].map(plain).join(", ");
    this.compute();
  }

  #at(place) {
    if (this.place === place) return;
    this.place = place;
    this.#plot();
  }

  /** Back to what was recorded. */
  back() {
    if (byId("moved").hidden) return;
    this.machine.reset();
    this.beside?.reset();
    this.compute();
    this.#fields();
    this.#plot();
  }

  #reset() {
    this.back();
    byId("move-tensor").focus();
  }

  /** All that follows from the numbers as they are now. */
  compute() {
    this.retelling = this.machine.moved ? new Retelling(this.machine, this.machine.run()) : null;
    const odd = this.retelling?.odd();
    this.#say(odd ? `Not finite any more: the ${odd.what} of ${this.#title(odd.id)} has ${odd.value}.` : "");
    const moved = Boolean(this.retelling || this.beside?.moved);
    for (const item of document.querySelectorAll(".recorded, #moved")) item.hidden = !moved;
    byId("move-reset").disabled = !moved;
    document.documentElement.classList.toggle("moved", moved);
    this.changed();
    tell("moved", this.retelling);
    this.#point();
  }

  #title(id) {
    return this.machine.byId.get(id)?.node.title ?? this.machine.plan.tensors.find((item) => item.id === id).name;
  }

  #say(text) {
    byId("move-said").textContent = text;
  }

  /** The curve is worked out when the hand rests: it changes only with other numbers than this one. */
  #plot() {
    this.curve = null;
    byId("move-plot").toggleAttribute("hidden", true);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.curve = this.#curve();
      this.#point();
    }, CALM);
  }

  /** How far the curve goes: to the number, if the result has a place there. */
  get #bound() {
    const now = this.#data[this.place];
    const [[node, slot]] = this.machine.plan.outputs;
    const result = this.retelling?.computed.values.get(node)[slot].data[0] ?? 0; // what was recorded has its place
    const inSight = Number.isFinite(now) && Number.isFinite(result);
    return Math.max(range(Number(this.chosen.values[this.place])), inSight ? Math.abs(now) : 0);
  }

  #curve() {
    const was = Number(this.chosen.values[this.place]);
    const bound = this.#bound;
    const lossAt = (x) => this.machine.lossAt(this.chosen.id, this.place, x);
    const points = Array.from({ length: POINTS + 1 }, (_, step) => {
      const x = bound * ((2 * step) / POINTS - 1);
      return [x, lossAt(x)];
    });
    return { place: this.place, bound, points, was: [was, lossAt(was)] };
  }

  #point() {
    if (!this.curve) return;
    const now = this.#data[this.place];
    const bound = this.#bound;
    if (this.curve.place !== this.place || bound > this.curve.bound || bound < this.curve.bound / WIDE) {
      this.#plot();
      return;
    }
    const { id, name, shape } = this.chosen;
    const { values, received } = this.retelling?.computed ?? this.machine.run();
    const [[node, slot]] = this.machine.plan.outputs;
    const loss = this.machine.byId.get(node).node.names[slot] || "loss";
    plot(byId("move-plot"), {
      name: this.#data.length > 1 ? `${name}[${subscript(shape, this.place)}]` : name,
      loss,
      curve: this.curve.points,
      was: this.curve.was,
      is: [now, values.get(node)[slot].data[0]],
      slope: received.get(id)?.[0]?.data[this.place] ?? this.#slope(id, now),
    });
  }

  /** Of a constant no gradient is computed: the slope of its curve, from both sides. */
  #slope(id, now) {
    const step = Math.max(Math.abs(now), 1) * 1e-6;
    return (this.machine.lossAt(id, this.place, now + step) - this.machine.lossAt(id, this.place, now - step)) / (2 * step);
  }
}

/** A line of a caption with other texts from its first number on, a bold one if `bold`; `whole`: what follows stays. */
function told(line, bold, texts, whole = false) {
  const at = line.findIndex((piece) => piece[0] === "backward" && piece[1] >= bold);
  const rest = whole ? line.slice(at + 1) : [];
  return [...line.slice(0, at), ...texts.map((text, place) => ["backward", Number(place === texts.length - 1), text]), ...rest];
}

function resetting(id) {
  return make("button", { id, type: "button" }, "Back to what was recorded");
}

/** What the panel and the line below the picture consist of. */
function furnish(aside) {
  byId("moved").replaceChildren(make("b", {}, "Computed here"), " for other numbers than those that were recorded, in 64-bit floats. ", resetting("moved-reset"));
  const rest = aside ? " So does what it computes aside from the graph, as item() and if do." : "";
  const about = `Other numbers for a leaf or a constant: forward, gradients and mailboxes follow. What the program computes before the graph begins stays as it was recorded.${rest}`;
  const all = make("input", { id: "move-all", type: "text", autocomplete: "off", spellcheck: "false", "aria-describedby": "move-shape" });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const look = { id: "move-plot", class: "plot", viewBox: "0 0 360 220", role: "img", "aria-label": "The result over this number", hidden: "" };
  for (const [name, value] of Object.entries(look)) svg.setAttribute(name, value);
  const key = [["was", "○", "recorded"], ["is", "●", "now"], ["tangent", "—", "tangent"], ["secant", "╌", "secant"]];
  const legend = key.flatMap(([name, sign, text]) => [make("b", { class: name }, sign), ` ${text} `]);
  byId("move").replaceChildren(
    make("h2", { id: "move-title" }, "Change it and see"),
    make("p", { class: "muted" }, about),
    make("div", { class: "controls" }, make("label", {}, "Tensor ", make("select", { id: "move-tensor" })), make("label", { class: "wide" }, "its numbers ", all), make("span", { id: "move-shape", class: "muted" }), resetting("move-reset")),
    make("p", { id: "move-said", role: "status" }),
    make("div", { class: "moves" }, make("div", { id: "move-elements" }), make("figure", {}, svg, make("figcaption", { class: "muted" }, ...legend))),
  );
  byId("move").hidden = false;
  byId("move-reset").disabled = true;
}

/** A number that was typed; `null` if it is none. */
export function read(text) {
  const typed = text.trim().toLowerCase().replaceAll("−", "-").replace("infinity", "inf");
  if (typed in WORDS) return WORDS[typed];
  return typed !== "" && Number.isFinite(Number(typed)) ? Number(typed) : null;
}

/** A number as it can be typed again: all of it, but what float32 adds behind its own digits. */
export function plain(value) {
  if (!Number.isFinite(value)) return number(value).replace("−", "-");
  return String(Math.fround(value) === value ? Number(value.toPrecision(7)) : value);
}

/** How far a slider goes to both sides: past 0, and to some times the number. */
function range(value) {
  const size = Math.max(Number.isFinite(value) ? 2 * Math.abs(value) : 1, 0.5);
  const power = 10 ** Math.floor(Math.log10(size));
  return Math.min([1, 2, 5, 10].map((times) => times * power).find((bound) => bound >= size), FARTHEST);
}

function subscript(shape, place) {
  const index = [];
  let rest = place;
  for (const extent of shape.toReversed()) {
    index.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return index.join(", ");
}
