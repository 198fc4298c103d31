// A recorded graph worked out anew for other numbers: forward in its order, then backward by its rules.

import { each, expand, scalar, tensor, zeros } from "./tensors.js";
import { evaluate } from "./words.js";

/** How much float32 may differ from 64 bits, and 64 bits from themselves, relative to the largest element. */
export const SLACK = { float32: 1e-4, float64: 1e-9 };

/** What sums to less than this may be what is left of larger numbers. */
const NOTHING = 1e-3;

export class Machine {
  /** @param {object} plan what of the record is needed: see `views/movable.py` */
  constructor(plan) {
    const nodes = plan.nodes.map((node) => Object.assign(node, { back: node.back.map(sending) }));
    this.plan = { ...plan, nodes };
    this.given = new Map(plan.tensors.map((item) => [item.id, tensor(item.shape, numbers(item.values))]));
    this.now = new Map(this.given);
    this.kept = plan.nodes.map((node) => kept(node.saved));
    this.byId = new Map(plan.nodes.map((node, place) => [node.id, { node, place }]));
  }

  /** Whether any number is another one than was recorded. */
  get moved() {
    return [...this.now].some(([id, { data }]) => data.some((value, place) => !Object.is(value, this.given.get(id).data[place])));
  }

  /** Give element `place` of a leaf or constant another value. */
  set(id, place, value) {
    const { shape, data } = this.now.get(id);
    this.now.set(id, tensor(shape, data.with(place, value)));
  }

  /** `.grad` of a leaf before backward; `null` if there was none. */
  before(id) {
    const { before, shape } = this.plan.tensors.find((item) => item.id === id);
    return before ? tensor(shape, numbers(before)) : null;
  }

  /** All numbers as they were recorded. */
  reset() {
    this.now = new Map(this.given);
  }

  /** The results of every node, [id] -> tensors; `instead` stands for some of the given ones. */
  forward(instead = new Map()) {
    const results = new Map([...this.now, ...instead].map(([id, value]) => [id, [value]]));
    this.plan.nodes.forEach((node, place) => {
      const value = this.#symbols(node, place, results, []);
      results.set(node.id, node.forward.map((tree) => evaluate(tree, value)));
    });
    return results;
  }

  /** The first result as a number, with another value at one place. */
  lossAt(id, place, value) {
    const { shape, data } = this.now.get(id);
    const [[node, slot]] = this.plan.outputs;
    return this.forward(new Map([[id, tensor(shape, data.with(place, value))]])).get(node)[slot].data[0];
  }

  /** Everything: `values` of nodes, `received` gradients, those `sent` ([`id.slot`]), and their `parts` where they meet. */
  run(instead) {
    const values = this.forward(instead);
    const received = new Map();
    const sent = new Map();
    const parts = new Map();
    const arrive = (id, slot, gradient) => {
      if (!received.has(id)) received.set(id, []);
      const before = received.get(id)[slot];
      received.get(id)[slot] = before ? each((a, b) => a + b, before, gradient) : gradient;
    };
    for (const [id, slot] of this.plan.outputs) arrive(id, slot, scalar(1));
    for (const id of this.plan.order) {
      const { node, place } = this.byId.get(id);
      const incoming = node.forward.map((_, slot) => received.get(id)?.[slot] ?? zeros(values.get(id)[slot].shape));
      received.set(id, incoming);
      const value = this.#symbols(node, place, values, incoming);
      for (const { slot, to, output, rule } of node.back) {
        const target = values.get(to)[output].shape;
        const result = evaluate(rule, value);
        const gradient = result.shape.length === target.length ? result : expand(result, target);
        sent.set(`${id}.${slot}`, gradient);
        if (!parts.has(`${to}.${output}`)) parts.set(`${to}.${output}`, []);
        parts.get(`${to}.${output}`).push(gradient);
        arrive(to, output, gradient);
      }
    }
    return { values, received, sent, parts };
  }

  /** Whether it comes to what was recorded: only then it is known to be this program. */
  agrees() {
    try {
      const { values, received } = this.run();
      return this.plan.checks.every(([of, id, slot, first, dtype]) => {
        const computed = (of === "value" ? values : received).get(id)?.[slot]?.data;
        return Boolean(computed) && close(computed, numbers(first), SLACK[dtype]);
      });
    } catch {
      return false;
    }
  }

  /** What a symbol of a rule of `node` stood for in a run. */
  symbol(node, symbol, { values, received }) {
    return this.#symbols(node, this.byId.get(node.id).place, values, received.get(node.id))(symbol);
  }

  #symbols(node, place, results, incoming) {
    return (symbol) => {
      const slot = Number(symbol.slice(1));
      switch (symbol[0]) {
        case "g":
          return slot < 0 ? incoming : incoming[slot];
        case "x": {
          const [id, output] = node.inputs[slot];
          return results.get(id)[output];
        }
        case "y":
          return results.get(node.id)[slot];
        default:
          return this.#saved(node.saved[symbol.slice(1)], this.kept[place][symbol.slice(1)], results);
      }
    };
  }

  #saved(item, constant, results) {
    if (Array.isArray(item)) return item.map((part, place) => part && this.#saved(part, constant[place], results));
    return item.of ? results.get(item.of)[item.slot] : constant;
  }
}

function sending([slot, to, output, rule, line = [], summed = false]) {
  return { slot, to, output, rule, line, summed };
}

function kept(saved) {
  const read = (item) => (Array.isArray(item) ? item.map((part) => part && read(part)) : item.of ? null : tensor(item.shape, numbers(item.values)));
  return Object.fromEntries(Object.entries(saved).map(([name, item]) => [name, read(item)]));
}

/** Numbers of the record: what JSON cannot hold is text. */
export function numbers(values) {
  return Float64Array.from(values, (value) => (typeof value === "string" ? Number(value.replace("inf", "Infinity")) : Number(value)));
}

/** Whether numbers come to what was recorded, but for what their type cannot hold. */
export function close(computed, recorded, slack) {
  const size = Math.max(...computed.map((value) => (Number.isFinite(value) ? Math.abs(value) : 0)));
  return recorded.every((value, place) => {
    const other = computed[place];
    return Object.is(value, other) || value === other || Math.abs(value - other) <= slack * Math.max(size, NOTHING);
  });
}
