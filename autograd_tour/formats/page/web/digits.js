// Numbers and tensors as the rest of the page writes them.

const WRITTEN_OUT = 4;

/** With at most so many significant digits, and no zeros at the end. */
export function number(value, digits = 6) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "−inf";
  const [mantissa, power] = value.toExponential(digits - 1).split("e");
  const exponent = Number(power);
  const large = exponent < -4 || exponent >= digits;
  let text = large ? mantissa : value.toFixed(Math.max(0, digits - 1 - exponent));
  if (text.includes(".")) text = text.replace(/\.?0+$/, "");
  text = large ? `${text}e${exponent}` : text;
  return text === "-0" ? "0" : text.replaceAll("-", "−");
}

/** With few digits; up to a million the part before the point stays whole. */
export function rounded(value, digits = 4) {
  if (Math.abs(value) >= 10 ** digits && Math.abs(value) < 1e6) return number(Math.round(value), 7);
  return number(value, digits);
}

/** The elements as they fit: all of up to four, else the first two and the last. */
export function elements({ shape, data }, digits = 4) {
  if (data.length === 1) return number(data[0], 6);
  if (data.length <= WRITTEN_OUT) return [...data].map((value) => rounded(value, digits)).join(", ");
  const last = rounded(data.at(-1), digits);
  if (data.every((value) => value === data[0])) return `${shape.length ? "all" : `${data.length} ×`} ${last}`;
  return `${rounded(data[0], digits)}, ${rounded(data[1], digits)} … ${last}`;
}

/** Shape, type and elements. */
export function tensorText(tensor, dtype, digits = 4) {
  const shape = tensor.shape.length ? `(${tensor.shape.join(", ")})` : "";
  return [shape, dtype === "float32" ? "" : dtype, elements(tensor, digits)].filter(Boolean).join(" ");
}

/** What is in a mailbox. */
export function content(tensor) {
  if (!tensor) return "None";
  const { data } = tensor;
  if (data.length === 1) return rounded(data[0], 6);
  const texts = [...data].map((value) => rounded(value));
  return data.length <= WRITTEN_OUT ? `[${texts.join(", ")}]` : `[${texts[0]}, ${texts[1]} … ${texts.at(-1)}]`;
}

/** The terms of a sum and the sum with so many places that it closes as printed; if it cannot, with `≈`. */
export function closing(terms, total, digits = 6) {
  const values = [...terms, total];
  const largest = Math.max(...values.map(Math.abs));
  const natural = digits - 1 - (largest ? Math.floor(Math.log10(largest)) : 0);
  if (values.every(Number.isFinite)) {
    for (const shift of [0, -1, 1, -2, 2, 3, 4]) {
      const unit = 10 ** (natural + shift);
      const whole = values.map((value) => Math.round(value * unit));
      const lost = values.some((value, place) => Math.abs(value - whole[place] / unit) > 0.01 * Math.abs(value));
      const sum = whole.slice(0, -1).reduce((sofar, value) => sofar + value, 0);
      if (!lost && sum === whole.at(-1) && (natural + shift >= 0 || largest >= 1e9)) {
        const texts = whole.map((value) => number(value / unit, 15));
        return { texts: texts.slice(0, -1), sign: "=", result: texts.at(-1) };
      }
    }
  }
  return { texts: terms.map((term) => number(term, digits)), sign: values.every(Number.isFinite) ? "≈" : "=", result: number(total, digits) };
}

/** What may stand behind a sign. */
export function bracketed(text) {
  return text.startsWith("−") ? `(${text})` : text;
}

/** A row of a ledger: what was there, what came, and what there is now. */
export function summed(before, part, after) {
  if (part.data.length > 1) return [before, part, after].map(content);
  const { texts, result } = closing([before, part].filter(Boolean).map(({ data }) => data[0]), after.data[0]);
  return [before ? texts[0] : "None", texts.at(-1), result];
}
