// Functions of single numbers, as torch computes them: 1/0 is infinite, ln(-1) is NaN.

const SERIES = 2;

/** The error function: its series, or 1 minus the fraction of what is left. */
export function erf(x) {
  if (Number.isNaN(x)) return x;
  if (Math.abs(x) > SERIES) return Math.sign(x) * (1 - rest(Math.abs(x)));
  let term = x;
  let total = x;
  for (let n = 1; Math.abs(term) > Math.abs(total) * 1e-17; n += 1) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}

function erfc(x) {
  return x > SERIES ? rest(x) : 1 - erf(x);
}

/** What is left of 1 beyond x > 2: a continued fraction, from its end. */
function rest(x) {
  if (x > 27) return 0;
  let fraction = x;
  for (let n = 120; n >= 1; n -= 1) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
}

function sigmoid(x) {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

function tanhGelu(x) {
  const k = Math.sqrt(2 / Math.PI);
  const c = 0.044715;
  const t = Math.tanh(k * (x + c * x ** 3));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * k * (1 + 3 * c * x * x);
}

/** The power as C has it: 1 to any power is 1, also to one that is no number. */
function power(a, b) {
  if (b === 2) return a * a;
  if (b === 0.5) return Math.sqrt(a);
  if (a === 1 || (a === -1 && !Number.isFinite(b) && !Number.isNaN(b))) return 1;
  return a ** b;
}

const truth = (value) => (value ? 1 : 0);

/** Word -> the function of single numbers that it stands for. */
export const ON_NUMBERS = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  neg: (a) => -a,
  pow: power,
  exp: Math.exp,
  expm1: Math.expm1,
  ln: Math.log,
  ln1p: Math.log1p,
  sqrt: Math.sqrt,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  atan2: Math.atan2,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  sigmoid,
  erf,
  normal_cdf: (x) => 0.5 * erfc(-x / Math.SQRT2),
  normal_density: (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI),
  gelu_tanh_derivative: tanhGelu,
  sign: (x) => truth(x > 0) - truth(x < 0),
  abs: Math.abs,
  floor: Math.floor,
  ceil: Math.ceil,
  truncated: Math.trunc,
  clamp: (x, low, high) => Math.min(Math.max(x, low), high),
  maximum: (a, b) => Math.max(a, b),
  minimum: (a, b) => Math.min(a, b),
  over_norm: (x, y) => (y === 0 ? 0 : x / y),
  is_nan: (x) => truth(Number.isNaN(x)),
  less: (a, b) => truth(a < b),
  less_equal: (a, b) => truth(a <= b),
  greater: (a, b) => truth(a > b),
  greater_equal: (a, b) => truth(a >= b),
  equal: (a, b) => truth(a === b),
  both: (a, b) => truth(a && b),
  either: (a, b) => truth(a || b),
  not: (a) => truth(!a),
  where: (condition, a, b) => (condition ? a : b),
  greater_ties_half: (a, b) => (a > b ? 1 : a === b ? 0.5 : 0),
  less_ties_half: (a, b) => (a < b ? 1 : a === b ? 0.5 : 0),
};
