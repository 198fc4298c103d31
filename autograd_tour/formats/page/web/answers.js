// Is an answer right? Numbers as people type them: 4,517.3, −0.09, 1/11, 1e-3, nan, inf, None.

const TOLERANCE = 0.002;
const CLOSE = 0.05;

/** The number that a text stands for; "none" for None, null for what is neither. */
export function readNumber(text) {
  const plain = bare(text);
  if (plain === "none") return "none";
  if (/^[+-]?(inf|infinity|∞)$/.test(plain)) return plain.startsWith("-") ? -Infinity : Infinity;
  if (plain === "nan") return NaN;
  const [over, under, ...rest] = plain.split("/");
  if (rest.length) return null;
  const value = number(over);
  if (under === undefined || value === null) return value;
  const divisor = number(under);
  return divisor === null ? null : value / divisor;
}

function bare(text) {
  return text.trim().toLowerCase().replaceAll("−", "-").replaceAll(/(?<=\d)[,_ ](?=\d{3})/g, "");
}

function number(text) {
  return /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/.test(text) ? Number(text) : null;
}

/** Whether two answers are the same within a relative tolerance. */
export function near(a, b, tolerance) {
  if (typeof a === "string" || typeof b === "string") return a === b;
  if (Object.is(a, b)) return true; // NaN too
  if (!Number.isFinite(a) || !Number.isFinite(b)) return a === b;
  return Math.abs(a - b) <= Math.max(tolerance * Math.abs(b), Number.MIN_VALUE);
}

/** Whether `given` is the right number with too few digits: 4500 for 4517.3, and not 6.2 for 6.4. */
function isRounded(given, value, target) {
  const digits = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:e[+-]?\d+)?$/.exec(bare(given));
  if (!digits || !Number.isFinite(value) || !Number.isFinite(target)) return false;
  const written = digits[1].replace(/^[+\-0.]+/, "").replace(".", "");
  const count = (digits[1].includes(".") ? written : written.replace(/0+$/, "")).length;
  if (!count || !near(value, target, CLOSE)) return false;
  return Number(target.toPrecision(Math.min(count, 21))) === value;
}

/** What to say to `given`: {right, text}; null if it is not understood. */
export function judge(question, given) {
  if (question.choices?.length) {
    if (given === question.answer) return { right: true, text: question.right };
    const wrong = question.wrong?.find(({ answer }) => answer === given);
    return { right: false, text: wrong?.feedback ?? "" };
  }
  const value = readNumber(given);
  if (value === null) return null;
  const [target, tolerance] = [readNumber(question.answer), question.tolerance ?? TOLERANCE];
  if (near(value, target, tolerance)) return { right: true, text: question.right };
  const wrong = question.wrong?.find(({ answer }) => near(value, readNumber(answer), tolerance));
  const close = isRounded(given, value, target) ? "Close; give more digits." : "";
  return { right: false, text: wrong?.feedback ?? close };
}

/** The stop of the tour that a wrong answer points to, 0 for none. */
export function betrayed(question, judged) {
  return (!judged.right && question.wrong?.find(({ feedback }) => feedback === judged.text)?.stop) || 0;
}
