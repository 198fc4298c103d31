// Is an answer right? Numbers as people type them: 4,517.3, −0.09, 1/11, 1e-3, nan, inf, None.

const TOLERANCE = 0.005;
const CLOSE = 0.05;

/** The number that a text stands for; "none" for None, null for what is neither. */
export function readNumber(text) {
  const plain = text.trim().toLowerCase().replaceAll("−", "-").replaceAll(/(?<=\d)[,_ ](?=\d{3})/g, "");
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

/** What to say to `given`: {right, text}; null if it is not understood. */
export function judge(question, given) {
  if (question.choices?.length) {
    if (given === question.answer) return { right: true, text: question.right };
    const wrong = question.wrong.find(({ answer }) => answer === given);
    return { right: false, text: wrong?.feedback ?? "" };
  }
  const value = readNumber(given);
  if (value === null) return null;
  if (near(value, readNumber(question.answer), (question.tolerance ?? TOLERANCE))) return { right: true, text: question.right };
  const wrong = question.wrong.find(({ answer }) => near(value, readNumber(answer), (question.tolerance ?? TOLERANCE)));
  const close = near(value, readNumber(question.answer), CLOSE) ? "Close; give more digits." : "";
  return { right: false, text: wrong?.feedback ?? close };
}
