// The words of rules in numbers: one evaluator for what nodes compute forward and for what they send back.

import { ON_NUMBERS } from "./numbers.js";
import { concatenate, count, each, expand, gathered, matmul, permute, places, reduce, reshape, scalar, scattered, slice, stack, strides, sumTo, swap, tensor, transpose, unslice, walk, zeros } from "./tensors.js";

const sum = (row) => row.reduce((total, value) => total + value, 0);
const product = (row) => row.reduce((total, value) => total * value, 1);

function softmax(x, dims) {
  const powers = each((value, most) => Math.exp(value - most), x, reduce(x, dims, true, (row) => Math.max(...row)));
  return each(ON_NUMBERS.div, powers, reduce(powers, dims, true, sum));
}

function logsumexp(row) {
  const most = Math.max(...row);
  return Number.isFinite(most) ? most + Math.log(sum(row.map((value) => Math.exp(value - most)))) : most;
}

function variance(correction) {
  return (row) => {
    const mean = sum(row) / row.length;
    return sum(row.map((value) => (value - mean) ** 2)) / Math.max(row.length - correction, 0);
  };
}

/** Each row along a dimension, run through `work` from its beginning or its end. */
function along(x, dim, work) {
  if (!x.shape.length) return x;
  const last = x.shape.length - 1;
  const turned = swap(x, dim, last);
  const size = x.shape[dim];
  const data = new Float64Array(turned.data.length);
  for (let row = 0; row < data.length; row += size) data.set(work(turned.data.subarray(row, row + size)), row);
  return swap(tensor(turned.shape, data), dim, last);
}

function running(row) {
  let total = 0;
  return row.map((value) => (total += value));
}

function triangle(x, keep) {
  const result = zeros(x.shape);
  walk(x.shape, (place, index) => {
    if (keep(index.at(-1) - index.at(-2))) result.data[place] = x.data[place];
  });
  return result;
}

function flip(x, dims) {
  const steps = strides(x.shape);
  return gathered(x.shape, x, (index) =>
    index.reduce((place, value, dim) => place + (dims.includes(dim) ? x.shape[dim] - 1 - value : value) * steps[dim], 0),
  );
}

/** Shapes of `x` and of its copies, with one dimension beside each for the copies. */
function split(shape, repeats) {
  const sizes = [...Array.from({ length: repeats.length - shape.length }, () => 1), ...shape];
  return repeats.flatMap((times, dim) => [times, sizes[dim]]);
}

function tiled(x, { repeats }) {
  const paired = split(x.shape, repeats);
  const single = paired.map((extent, place) => (place % 2 ? extent : 1));
  const sizes = repeats.map((times, dim) => times * paired[2 * dim + 1]);
  return reshape(expand(reshape(x, single), paired), sizes);
}

function untiled(g, { shape, repeats }) {
  const paired = split(shape, repeats);
  const dims = repeats.map((_, dim) => 2 * dim);
  return reshape(reduce(reshape(g, paired), dims, false, sum), shape);
}

function taken(x, index, options) {
  const where = places(x.shape, index, options);
  return tensor(where.shape, Float64Array.from(where.data, (place) => x.data[place]));
}

function added(g, index, options) {
  const where = places(options.shape, index, options);
  return scattered(options.shape, expand(g, where.shape), (_, place) => where.data[place]);
}

/** Rows of a table that were looked up, each added to where it came from. */
function rowsAdded(g, index, { shape, padding_idx: skipped, scale }) {
  const width = shape.at(-1);
  const result = zeros(shape);
  index.data.forEach((row, number) => {
    if (row === skipped) return;
    const often = scale ? index.data.filter((other) => other === row).length : 1;
    for (let k = 0; k < width; k += 1) result.data[row * width + k] += g.data[number * width + k] / often;
  });
  return result;
}

/** Shared by all elements that are equal to what came out. */
function shared(g, x, y, { dims, reduced = [] }) {
  const wide = (item) => expand(item, x.shape, reduced);
  const equal = each((a, b) => (a === b || (Number.isNaN(a) && Number.isNaN(b)) ? 1 : 0), x, wide(y));
  return each((grad, hit, hits) => (grad * hit) / hits, wide(g), equal, reduce(equal, dims, true, sum));
}

/** Call `visit(row, place)` for each target that counts: its number, and where its element stands in `shape`. */
function targets(shape, target, ignored, visit) {
  const classes = shape.length > 1 ? 1 : 0;
  const inner = count(shape.slice(classes + 1));
  target.data.forEach((label, row) => {
    if (label === ignored) return;
    const outside = Math.floor(row / inner);
    visit(row, (outside * shape[classes] + label) * inner + (row % inner), label);
  });
}

function atTarget(x, target, { ignored }) {
  const result = zeros(target.shape);
  targets(x.shape, target, ignored, (row, place) => {
    result.data[row] = x.data[place];
  });
  return result;
}

function placedAtTarget(g, target, weight, { shape, ignored }) {
  const result = zeros(shape);
  targets(shape, target, ignored, (row, place, label) => {
    const factor = weight.data[weight.shape.length ? label : 0];
    result.data[place] = g.data[g.shape.length ? row : 0] * factor;
  });
  return result;
}

/** For each element the product of all others. */
function others(x) {
  const data = x.data.map((_, own) => x.data.reduce((total, value, place) => (place === own ? total : total * value), 1));
  return tensor(x.shape, data);
}

/** Word -> what it does with its arguments, tensors, and its options. */
const WORDS = {
  matmul,
  outer: (a, b) => each(ON_NUMBERS.mul, reshape(a, [...a.shape, 1]), b),
  transpose,
  sum: (x, { dims, keepdim }) => reduce(x, dims, keepdim, sum),
  mean: (x, { dims }) => reduce(x, dims, Boolean(dims), (row) => sum(row) / row.length),
  prod: (x) => reduce(x, undefined, false, product),
  amax: (x, { dims }) => reduce(x, dims, false, (row) => Math.max(...row)),
  amin: (x, { dims }) => reduce(x, dims, false, (row) => Math.min(...row)),
  variance: (x, { dims, correction }) => reduce(x, dims, false, variance(correction)),
  softmax: (x, { dims }) => softmax(x, dims),
  logsumexp: (x, { dims, keepdim }) => reduce(x, dims, keepdim, logsumexp),
  cumsum: (x, { dim }) => along(x, dim, running),
  cumulative_from_end: (x, { dim }) => along(x, dim, (row) => running(row.toReversed()).toReversed()),
  sum_to: (x, { shape }) => sumTo(x, shape),
  expand: (x, { shape, dims }) => expand(x, shape, dims),
  reshape: (x, { shape }) => reshape(x.data.length === count(shape) ? x : expand(x, shape), shape),
  permute: (x, { dims }) => permute(x, dims),
  swap_dims: (x, { dims }) => swap(x, ...dims),
  cast: (x) => x,
  flip: (x, { dims }) => flip(x, dims),
  upper: (x, { diagonal }) => triangle(x, (beside) => beside >= diagonal),
  lower: (x, { diagonal }) => triangle(x, (beside) => beside <= diagonal),
  tiled,
  copies_summed: untiled,
  slice,
  slice_gradient: (g, options) => unslice(g, options.shape, options),
  element_gradient: (g, options) => unslice(g, options.shape, options),
  stacked: (...items) => stack(items.slice(0, -1), items.at(-1).dim),
  concatenated: (...items) => concatenate(items.slice(0, -1), items.at(-1).dim),
  stack_all: (items, { dim }) => stack(items, dim),
  cat_all: (items, { dim }) => concatenate(items, dim),
  element_at: taken,
  added_at: added,
  rows_added: rowsAdded,
  shared_by_equals: shared,
  at_target: atTarget,
  placed_at_target: placedAtTarget,
  product_of_others: others,
};

/** What a tree comes to: a number, a symbol that `value` looks up, or [word, argument, …, options]. */
export function evaluate(tree, value) {
  if (!Array.isArray(tree)) return typeof tree === "number" ? scalar(tree) : value(tree);
  const [word, ...rest] = tree;
  if (word === "#") return scalar(Number(rest[0].replace("inf", "Infinity")));
  const last = rest.at(-1);
  const options = last && typeof last === "object" && !Array.isArray(last) ? rest.pop() : {};
  const given = rest.map((argument) => evaluate(argument, value));
  const onNumbers = ON_NUMBERS[word];
  return onNumbers ? each(onNumbers, ...given) : WORDS[word](...given, options);
}
