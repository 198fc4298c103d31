// A training loop gone through anew: each backward finds the values that the step before it left.

import { SLACK, close, numbers } from "./machine.js";
import { each, tensor, zeros } from "./tensors.js";

/** What an optimizer makes of a gradient: the new value of a leaf; `kept` is what it remembers of that leaf. */
const STEPS = {
  "": (value, gradient, lr) => each((p, g) => p - lr * g, value, gradient),
  SGD(value, gradient, lr, { momentum = 0, weight_decay: decay = 0 }, kept) {
    const pulled = each((p, g) => g + decay * p, value, gradient);
    kept.speed = kept.speed ? each((v, g) => momentum * v + g, kept.speed, pulled) : pulled;
    return each((p, v) => p - lr * v, value, momentum ? kept.speed : pulled);
  },
  Adam(value, gradient, lr, settings, kept) {
    const [first, second] = [settings["betas[0]"], settings["betas[1]"]];
    kept.count = (kept.count ?? 0) + 1;
    kept.mean = each((m, g) => first * m + (1 - first) * g, kept.mean ?? zeros(value.shape), gradient);
    kept.square = each((v, g) => second * v + (1 - second) * g * g, kept.square ?? zeros(value.shape), gradient);
    const size = (v) => Math.sqrt(v / (1 - second ** kept.count)) + settings.eps;
    return each((p, m, v) => p - (lr * m) / (1 - first ** kept.count) / size(v), value, kept.mean, kept.square);
  },
};

/** The parts of a round when `.grad` is emptied so: where the loop does it, or before each forward. */
function partsOf({ parts }, zeroing) {
  if (zeroing === "keep") return parts.filter((part) => part !== "zero");
  return parts.includes("zero") ? parts : ["zero", ...parts];
}

function emptied(gradient, zeroing) {
  return zeroing === "none" || !gradient ? null : zeros(gradient.shape);
}

/** The loop with the numbers that `machine` has now: `rounds` of rows, one for each leaf, and `losses`. */
export function walked(machine, walk, { lr, calls, zeroing }) {
  const values = new Map(walk.leaves.map((id) => [id, machine.now.get(id)]));
  const grads = new Map(walk.leaves.map((id) => [id, machine.before(id)]));
  const kept = new Map(walk.leaves.map((id) => [id, {}]));
  const [[output, slot]] = machine.plan.outputs;
  const losses = [];
  let rows = [];
  const work = {
    zero: (id) => grads.set(id, emptied(grads.get(id), zeroing)),
    step(id) {
      const gradient = grads.get(id);
      if (gradient) values.set(id, STEPS[walk.optimizer](values.get(id), gradient, lr, walk.settings, kept.get(id)));
    },
  };
  const backward = () => {
    const computed = machine.run(values);
    losses.push(computed.values.get(output)[slot].data[0]);
    rows = walk.leaves.map((id) => {
      const [before, contribution] = [grads.get(id), computed.received.get(id)[0]];
      const after = before ? each((a, b) => a + b, before, contribution) : contribution;
      grads.set(id, after);
      return { value: values.get(id), before, contribution, after };
    });
  };
  const parts = partsOf(walk, zeroing);
  const rounds = Array.from({ length: calls }, () => {
    for (const part of parts) {
      if (part === "backward") backward();
      else walk.leaves.forEach(work[part]);
    }
    for (const [place, row] of rows.entries()) row.following = values.get(walk.leaves[place]);
    return rows;
  });
  return { rounds, losses };
}

/** What was recorded, in the same form. */
export function recorded(machine, walk) {
  const shapes = walk.leaves.map((id) => machine.given.get(id).shape);
  const rounds = walk.rounds.map((rows) =>
    rows.map((row, place) => {
      const [value, before, contribution, after, following] = row.map((item) => item && tensor(shapes[place], numbers(item)));
      return { value, before, contribution, after, following };
    }),
  );
  return { rounds, losses: [...numbers(walk.losses)] };
}

function same(a, b) {
  return a && b ? close(a.data, [...b.data], SLACK.float32) : a === b;
}

/** Whether this comes to what was recorded: only then it is known to be this loop. */
export function follows(machine, walk, truth) {
  const { lr, zeroing, rounds } = walk;
  try {
    const computed = walked(machine, walk, { lr, zeroing, calls: rounds.length });
    return computed.rounds.every((rows, call) =>
      rows.every((row, place) => Object.entries(truth.rounds[call][place]).every(([name, item]) => same(row[name], item))),
    );
  } catch {
    return false;
  }
}
