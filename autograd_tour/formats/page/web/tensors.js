// Small dense tensors of 64-bit floats, row by row, and what moves, reduces or multiplies them.

/** A tensor of this shape; `data` has its elements row by row. */
export function tensor(shape, data) {
  return { shape, data };
}

export function scalar(value) {
  return tensor([], Float64Array.of(value));
}

export function count(shape) {
  return shape.reduce((product, extent) => product * extent, 1);
}

export function zeros(shape) {
  return tensor(shape, new Float64Array(count(shape)));
}

/** How far apart neighbours along each dimension lie; 0 where `shape` is stretched to `outer`. */
export function strides(shape, outer = shape) {
  const lead = outer.length - shape.length;
  const steps = Array.from(outer, () => 0);
  let step = 1;
  for (let dim = shape.length - 1; dim >= 0; dim -= 1) {
    steps[lead + dim] = shape[dim] === 1 ? 0 : step;
    step *= shape[dim];
  }
  return steps;
}

/** Call `visit(place, index)` for each element of `shape`; `index` is one array that changes. */
export function walk(shape, visit) {
  const index = Array.from(shape, () => 0);
  const total = count(shape);
  for (let place = 0; place < total; place += 1) {
    visit(place, index);
    for (let dim = shape.length - 1; dim >= 0; dim -= 1) {
      index[dim] += 1;
      if (index[dim] < shape[dim]) break;
      index[dim] = 0;
    }
  }
}

function at(index, steps) {
  let place = 0;
  for (let dim = 0; dim < index.length; dim += 1) place += index[dim] * steps[dim];
  return place;
}

/** The shape to which all of these are stretched. */
export function together(...shapes) {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, dim) => {
    const extents = shapes.map((shape) => shape[dim - rank + shape.length] ?? 1);
    const other = extents.find((extent) => extent !== 1) ?? 1;
    if (extents.some((extent) => extent !== 1 && extent !== other)) throw new Error("shapes do not fit");
    return other;
  });
}

/** `work` element by element, over tensors that are stretched to one shape. */
export function each(work, ...given) {
  const [a, b, c] = given;
  const shape = given.length === 1 ? a.shape : together(...given.map((item) => item.shape));
  if (given.every((item) => item.data.length === 1 || same(item.shape, shape))) {
    const data = new Float64Array(count(shape));
    const [s, t, u] = given.map((item) => (item.data.length === 1 ? 0 : 1)); // a single number stays where it is
    for (let i = 0; i < data.length; i += 1) data[i] = work(a.data[i * s], b?.data[i * t], c?.data[i * u]);
    return tensor(shape, data);
  }
  const [first, second, third] = given.map((item) => expand(item, shape));
  return each(work, ...[first, second, third].slice(0, given.length));
}

function same(a, b) {
  return a.length === b.length && a.every((extent, dim) => extent === b[dim]);
}

export function reshape(x, shape) {
  return tensor(shape, x.data);
}

/** Copied along dimensions: `dims` are new ones of `shape`, the others are stretched. */
export function expand(x, shape, dims = []) {
  const own = [...x.shape];
  for (const dim of dims.toSorted((a, b) => a - b)) own.splice(dim, 0, 1);
  const steps = strides(own, shape);
  return gathered(shape, x, (index) => at(index, steps));
}

/** A tensor of `shape` whose element at `index` is the one of `x` at place `from(index)`. */
export function gathered(shape, x, from) {
  const result = zeros(shape);
  walk(shape, (place, index) => {
    result.data[place] = x.data[from(index)];
  });
  return result;
}

/** A tensor of `shape` to which each element of `x` is added at place `to(index, place)`, if that is one. */
export function scattered(shape, x, to) {
  const result = zeros(shape);
  walk(x.shape, (place, index) => {
    const target = to(index, place);
    if (target >= 0) result.data[target] += x.data[place];
  });
  return result;
}

/** Added up over what was stretched, back to `shape`. */
export function sumTo(x, shape) {
  const steps = strides(shape, x.shape);
  return scattered(shape, x, (index) => at(index, steps));
}

/** The rows over `dims` (all if none are given), each put together by `work`; they stay as 1 if `keepdim`. */
export function reduce(x, dims, keepdim, work) {
  const over = dims ?? x.shape.map((_, dim) => dim);
  const kept = x.shape.map((extent, dim) => (over.includes(dim) ? 1 : extent));
  const steps = strides(kept, x.shape);
  const rows = Array.from({ length: count(kept) }, () => []);
  walk(x.shape, (place, index) => rows[at(index, steps)].push(x.data[place]));
  const shape = keepdim ? kept : x.shape.filter((_, dim) => !over.includes(dim));
  return tensor(shape, Float64Array.from(rows, work));
}

export function permute(x, dims) {
  const own = strides(x.shape);
  const steps = dims.map((dim) => own[dim]);
  return gathered(dims.map((dim) => x.shape[dim]), x, (index) => at(index, steps));
}

export function swap(x, a, b) {
  const dims = x.shape.map((_, dim) => dim);
  [dims[a], dims[b]] = [b, a];
  return permute(x, dims);
}

/** The last two dimensions swapped. */
export function transpose(x) {
  return x.shape.length < 2 ? x : swap(x, x.shape.length - 2, x.shape.length - 1);
}

/** A matrix product as torch has it: vectors, matrices, and stacks of them. */
export function matmul(a, b) {
  const left = a.shape.length < 2 ? reshape(a, [1, a.shape[0]]) : a;
  const right = b.shape.length < 2 ? reshape(b, [b.shape[0], 1]) : b;
  const [n, k] = left.shape.slice(-2);
  const m = right.shape.at(-1);
  if (right.shape.at(-2) !== k) throw new Error("shapes do not fit");
  const lead = together(left.shape.slice(0, -2), right.shape.slice(0, -2));
  const steps = [left, right].map((item) => strides(item.shape.slice(0, -2), lead));
  const data = new Float64Array(count(lead) * n * m);
  walk(lead, (number, index) => {
    const from = at(index, steps[0]) * n * k;
    const other = at(index, steps[1]) * k * m;
    for (let i = 0; i < n; i += 1) {
      for (let j = 0; j < m; j += 1) {
        let total = 0;
        for (let l = 0; l < k; l += 1) total += left.data[from + i * k + l] * right.data[other + l * m + j];
        data[(number * n + i) * m + j] = total;
      }
    }
  });
  const rows = a.shape.length < 2 ? [] : [n];
  const columns = b.shape.length < 2 ? [] : [m];
  return tensor([...lead, ...rows, ...columns], data);
}

/** Which indices of a dimension a slice names: one, or those from `start` to before `end` by `step`. */
function named(extent, { index, start = 0, end, step }) {
  if (index !== undefined && index !== null) return [index < 0 ? index + extent : index];
  const inside = (place, otherwise) => {
    if (place === undefined || place === null) return otherwise;
    return Math.min(Math.max(place < 0 ? place + extent : place, 0), extent);
  };
  const chosen = [];
  for (let place = inside(start, 0); place < inside(end, extent); place += step ?? 1) chosen.push(place);
  return chosen;
}

/** A part along one dimension, which goes where it is a single index. */
export function slice(x, options) {
  const { dim } = options;
  const chosen = named(x.shape[dim], options);
  const steps = strides(x.shape);
  const taken = gathered(x.shape.with(dim, chosen.length), x, (index) => at(index.with(dim, chosen[index[dim]]), steps));
  return options.index === undefined ? taken : reshape(taken, x.shape.toSpliced(dim, 1));
}

/** The way back from a slice: zeros of `shape`, with `g` where the slice was. */
export function unslice(g, shape, options) {
  const { dim } = options;
  const chosen = named(shape[dim], options);
  const steps = strides(shape);
  const whole = options.index === undefined ? g : reshape(g, g.shape.toSpliced(dim, 0, 1));
  return scattered(shape, whole, (index) => at(index.with(dim, chosen[index[dim]]), steps));
}

export function concatenate(items, dim) {
  const shape = items[0].shape.with(dim, items.reduce((sum, item) => sum + item.shape[dim], 0));
  const result = zeros(shape);
  const steps = strides(shape);
  let start = 0;
  for (const item of items) {
    const offset = start;
    walk(item.shape, (place, index) => {
      result.data[at(index.with(dim, index[dim] + offset), steps)] = item.data[place];
    });
    start += item.shape[dim];
  }
  return result;
}

export function stack(items, dim) {
  return concatenate(items.map((item) => reshape(item, item.shape.toSpliced(dim, 0, 1))), dim);
}

/** The places in a tensor of `shape` that an index names, as a tensor of numbers. */
export function places(shape, index, { dim, kind }) {
  const steps = strides(shape);
  if (kind === "flat") return each((place) => (place < 0 ? place + count(shape) : place), index);
  if (kind === "rows") {
    const taken = shape.length ? shape : [1];
    const own = strides(taken);
    const rows = taken.with(dim ?? 0, index.data.length);
    return placed(rows, (at_) => at(at_.with(dim ?? 0, index.data[at_[dim ?? 0]]), own));
  }
  if (kind === "gather") return placed(index.shape, (where, place) => at(where.with(dim, index.data[place]), steps));
  return listed(shape, index, steps);
}

function placed(shape, from) {
  const result = zeros(shape);
  walk(shape, (place, index) => {
    result.data[place] = from(index, place);
  });
  return result;
}

/** `x[list, :, list]`: where the lists stand apart, torch puts what they name first. */
function listed(shape, lists, steps) {
  const dims = lists.flatMap((list, dim) => (list ? [dim] : []));
  const common = together(...dims.map((dim) => lists[dim].shape));
  const apart = dims.at(-1) - dims[0] + 1 !== dims.length;
  const first = apart ? 0 : dims[0];
  const rest = shape.flatMap((_, dim) => (dims.includes(dim) ? [] : [dim]));
  const outer = rest.map((dim) => shape[dim]).toSpliced(first, 0, ...common);
  const own = lists.map((list) => (list ? strides(list.shape, common) : null));
  return placed(outer, (index) => {
    const chosen = index.slice(first, first + common.length);
    const others = index.toSpliced(first, common.length);
    let place = rest.reduce((sum, dim, number) => sum + others[number] * steps[dim], 0);
    for (const dim of dims) {
      const row = lists[dim].data[at(chosen, own[dim])];
      place += (row < 0 ? row + shape[dim] : row) * steps[dim];
    }
    return place;
  });
}
