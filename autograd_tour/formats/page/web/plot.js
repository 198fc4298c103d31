// The loss over one number: the curve, where the number was and is, the secant and the tangent.

import { number } from "./digits.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, BELOW, EDGE] = [360, 220, 64, 36, 14];

/** Draw it. `was` and `is` are [x, loss]; `slope` that of the tangent at `is`; `curve` a list of [x, loss]. */
export function plot(svg, { name, loss, curve, was, is, slope }) {
  const points = curve.filter(([, y]) => Number.isFinite(y));
  const seen = [...points, was, is].filter(([, y]) => Number.isFinite(y));
  svg.replaceChildren();
  svg.toggleAttribute("hidden", seen.length < 2);
  if (seen.length < 2) return;
  const [x, y] = [scale(seen.map(([value]) => value), LEFT, WIDTH - EDGE), scale(seen.map(([, value]) => value), HEIGHT - BELOW, EDGE)];
  const at = ([a, b]) => `${x(a).toFixed(1)} ${y(b).toFixed(1)}`;
  add(svg, "path", { class: "axis", d: `M${LEFT} ${EDGE}V${HEIGHT - BELOW}H${WIDTH - EDGE}` });
  for (const value of [x.low, x.high]) text(svg, number(value, 3), x(value), HEIGHT - BELOW + 16, value === x.low ? "start" : "end");
  for (const value of [y.low, y.high]) text(svg, number(value, 3), LEFT - 6, y(value) + 4, "end");
  text(svg, name, (LEFT + WIDTH - EDGE) / 2, HEIGHT - 4, "middle");
  text(svg, loss, LEFT + 6, EDGE + 4, "start");
  add(svg, "path", { class: "curve", d: broken(curve, at) });
  const inside = Number.isFinite(is[1]);
  if (inside && Number.isFinite(slope)) line(svg, "tangent", x, y, is, slope);
  const apart = is[0] !== was[0] && inside && Number.isFinite(was[1]);
  const secant = apart ? (is[1] - was[1]) / (is[0] - was[0]) : NaN;
  if (apart) line(svg, "secant", x, y, was, secant);
  if (Number.isFinite(was[1])) add(svg, "circle", { class: "was", cx: x(was[0]), cy: y(was[1]), r: 4 });
  if (inside) add(svg, "circle", { class: "is", cx: x(is[0]), cy: y(is[1]), r: 5 });
  const told = [`${loss} over ${name}`, `at ${number(is[0])} it is ${number(is[1])}, slope ${number(slope)}`];
  if (apart) told.push(`secant from ${number(was[0])}: ${number(secant)}`);
  svg.setAttribute("aria-label", told.join("; "));
}

/** From numbers to px: a function that knows the least and the greatest. */
export function scale(values, start, end) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const half = high / 2 - low / 2 || Math.abs(high / 2) || 0.5; // the whole of the largest floats is infinite
  const place = (value) => start + ((value / 2 - low / 2) / half) * (end - start);
  return Object.assign(place, { low, high: low + half + half });
}

/** A line through a point, over the whole width, cut off where it leaves the picture. */
function line(svg, kind, x, y, [a, b], slope) {
  const ends = [x.low, x.high].map((value) => [value, b + slope * (value - a)]);
  const inside = ends.map(([value, height]) => {
    const bound = Math.min(Math.max(height, y.low), y.high);
    return bound === height || slope === 0 ? [value, height] : [a + (bound - b) / slope, bound];
  });
  add(svg, "path", { class: kind, d: `M${inside.map(([value, height]) => `${x(value).toFixed(1)} ${y(height).toFixed(1)}`).join("L")}` });
}

function broken(curve, at) {
  let pen = "M";
  return curve
    .map((point) => {
      if (!Number.isFinite(point[1])) {
        pen = "M";
        return "";
      }
      const piece = `${pen}${at(point)}`;
      pen = "L";
      return piece;
    })
    .join("");
}

/** A new element of a picture. */
export function add(svg, tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  svg.append(element);
  return element;
}

/** Words in a picture. */
export function text(svg, words, x, y, anchor) {
  add(svg, "text", { x, y, "text-anchor": anchor }).textContent = words;
}
