// What was computed here, in the words in which the page tells what was recorded.

import { bracketed, closing, content, number, rounded, summed, tensorText } from "./digits.js";
import { each } from "./tensors.js";

export class Retelling {
  /** @param {object} machine the graph @param {object} computed what it came to: see `Machine.run` */
  constructor(machine, computed) {
    this.plan = machine.plan;
    this.machine = machine;
    this.computed = computed;
    this.nodes = new Map(this.plan.nodes.map((node) => [node.id, node]));
    this.sources = new Map(this.plan.tensors.map((item) => [item.id, item]));
  }

  /** The text of a fact such as `n3.value.0`; `null` if it is not among what was computed. */
  text(fact, digits = 6) {
    const [id, what, slot = 0] = fact.split(".");
    const item = this.brief(fact);
    if (item) return tensorText(item, this.#dtype(...this.#inner(fact)), digits);
    if (what === "worked") return this.worked(id, Number(slot));
    const mailbox = this.mailbox(id);
    if (what === "before" || what === "contribution" || what === "after") return mailbox && mailbox[what];
    return null;
  }

  /** The tensor of a value, a gradient or one sent; of a folded card it is a sum of those of its nodes. */
  brief(fact) {
    const sum = this.machine.sums?.[fact];
    if (sum) return sum.map((part) => this.brief(part)).reduce((a, b) => a && b && each((x, y) => x + y, a, b));
    const [id, what, slot] = fact.split(".");
    if (what === "sent") return this.computed.sent.get(`${id}.${slot}`) ?? null;
    return { value: this.computed.values, grad: this.computed.received }[what]?.get(id)?.[slot] ?? null;
  }

  /** The places of what the folded card `id` sends, in order. */
  sends(id) {
    return Object.keys(this.machine.sums ?? {}).filter((fact) => fact.startsWith(`${id}.sent.`));
  }

  /** Node and place of what is told, or of the first of those that are added. */
  #inner(fact) {
    const [id, what, slot] = (this.machine.sums?.[fact]?.[0] ?? fact).split(".");
    return [id, what === "sent" ? 0 : slot];
  }

  /** The name that stands before a result on its card, and its shape. */
  lead(fact) {
    const [id, slot] = this.#inner(fact);
    const { shape } = this.brief(fact);
    const name = this.nodes.get(id)?.names[slot] ?? "";
    const dtype = this.#dtype(id, slot);
    const parts = [shape.length ? `(${shape.join(", ")})` : "", dtype === "float32" ? "" : dtype].filter(Boolean);
    return [name ? `${name}${shape.length || dtype !== "float32" ? " " : " ="}` : "", ...parts].filter(Boolean).join(" ");
  }

  /** The place of the element whose arithmetic is told: of the first that is not finite, if there is one. */
  element(id, slot) {
    return Math.max(this.computed.sent.get(`${id}.${slot}`).data.findIndex((value) => !Number.isFinite(value)), 0);
  }

  /** The arithmetic of one element that a node sends; `null` where one element cannot tell it. */
  worked(id, slot) {
    const node = this.nodes.get(id);
    const back = node?.back.find((item) => item.slot === slot);
    const sent = this.computed.sent.get(`${id}.${slot}`);
    if (!back?.line.length || !sent) return null;
    const incoming = this.computed.received.get(id)[0];
    const many = back.summed ? incoming.data.length : sent.data.length;
    const result = sent.data;
    const place = back.summed ? 0 : this.element(id, slot);
    const line = back.line.map((part, turn) => (turn % 2 ? this.#written(node, part, place, many, back.line[turn - 1]) : part)).join("");
    const terms = back.summed ? ` + … (${Math.round(many / result.length)} terms)` : "";
    return `${line.trim()}${terms} = ${result.length === 1 ? number(result[0]) : rounded(result[place])}`;
  }

  /** What a leaf's `.grad` was, what came, and what it is; `null` if none came. */
  mailbox(id) {
    const source = this.sources.get(id);
    const contribution = this.computed.received.get(id)?.[0];
    if (!source?.grad || !contribution) return null;
    const before = this.machine.before(id);
    const after = before ? each((a, b) => a + b, before, contribution) : contribution;
    return { before: content(before), contribution: content(contribution), after: content(after), sum: this.#sum(id, before, after) };
  }

  /** Rows of `count` backward calls: `.grad` before, contribution, after; `null` where the calls are the program's. */
  calls(name, policy, count) {
    const source = [...this.sources.values()].find((item) => item.grad && item.name === name);
    const [part] = this.computed.received.get(source?.id) ?? [];
    if (!part || policy === "program") return null;
    let held = this.machine.before(source.id);
    return Array.from({ length: count }, (_, call) => {
      if (call && policy !== "keep") held = policy === "none" ? null : each(() => 0, part);
      const before = held;
      held = before ? each((a, b) => a + b, before, part) : part;
      return summed(before, part, held);
    });
  }

  /** How a gradient's sign reads on the card of a leaf of one element: "falls" or "rises". */
  sign(id) {
    const slope = this.computed.received.get(id)?.[0]?.data[0];
    return Number.isFinite(slope) && slope !== 0 ? `${slope > 0 ? "falls" : "rises"} a little` : "";
  }

  /** Where numbers are not finite: the first node whose result, or whose gradient, is not. */
  odd() {
    for (const [what, found, order] of [
      ["value", this.computed.values, this.plan.nodes.map((node) => node.id)],
      ["gradient", this.computed.received, [...this.plan.order, ...this.sources.keys()]],
    ]) {
      for (const id of order) {
        for (const item of found.get(id) ?? []) {
          const value = item?.data.find((element) => !Number.isFinite(element));
          if (value !== undefined) return { what, id, value: number(value) };
        }
      }
    }
    return null;
  }

  #sum(id, before, after) {
    const parts = this.computed.parts.get(`${id}.0`) ?? [];
    const column = (place) => closing([before, ...parts].filter(Boolean).map(({ data }) => data[place]), after.data[place], after.data.length > 1 ? 4 : 6);
    const size = after.data.length;
    const columns = Array.from({ length: Math.min(size, 2) }, (_, place) => column(place));
    const wrap = (texts) => (size === 1 ? texts[0] : `[${texts.join(", ")}${size > columns.length ? " …" : ""}]`);
    const rows = columns[0].texts.map((_, row) => wrap(columns.map(({ texts }) => texts[row])));
    const start = before ? rows.shift() : "None";
    const written = rows.length > 3 ? [...rows.slice(0, 2), `… ${rows.length} parts`] : rows;
    const several = written.map((text, place) => (place || before ? bracketed(text) : text)).join(" + ");
    const sign = columns.every((item) => item.sign === "=") ? "=" : "≈";
    return [`${start} + ${written.length > 1 ? `(${several})` : several} ${sign}`, size > 2 ? content(after) : wrap(columns.map(({ result }) => result))];
  }

  #dtype(id, slot) {
    return this.nodes.get(id)?.dtypes[slot] ?? this.sources.get(id)?.dtype ?? "float32";
  }

  #written(node, symbol, place, many, before) {
    const value = this.machine.symbol(node, symbol, this.computed);
    const data = value.data.length === many ? value.data[place] : value.data[0];
    const text = rounded(data, 6);
    return before.trim() && !before.endsWith("(") ? bracketed(text) : text;
  }
}
