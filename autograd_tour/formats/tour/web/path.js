// The way of a loop: of two numbers from above, else the loss after each call.

import { number } from "./digits.js";
import { add, scale, text } from "./plot.js";

const [WIDTH, HEIGHT, LEFT, BELOW, EDGE] = [360, 220, 64, 36, 14];

function flat(rows, key) {
  return rows.flatMap((row) => [...row[key].data]);
}

function finite(path) {
  return path.filter((point) => point.every(Number.isFinite));
}

/** Draw it: where the recorded loop went, and this one. `names` are those of the leaves. */
export function trace(svg, names, was, is) {
  const two = flat(is.rounds[0], "value").length === 2;
  const points = ({ rounds, losses }) => {
    if (!two) return losses.map((loss, call) => [call + 1, loss]);
    return [flat(rounds[0], "value"), ...rounds.map((rows) => flat(rows, "following"))];
  };
  const labels = names.length === 2 ? names : [`${names[0]}[0]`, `${names[0]}[1]`];
  const [across, up] = two ? labels : ["call", "loss"];
  const [recorded, now] = [finite(points(was)), finite(points(is))];
  const seen = [...recorded, ...now];
  svg.replaceChildren();
  svg.toggleAttribute("hidden", !now.length);
  if (!now.length) return;
  const x = scale(seen.map((point) => point[0]), LEFT, WIDTH - EDGE);
  const y = scale(seen.map((point) => point[1]), HEIGHT - BELOW, EDGE);
  add(svg, "path", { class: "axis", d: `M${LEFT} ${EDGE}V${HEIGHT - BELOW}H${WIDTH - EDGE}` });
  for (const value of [x.low, x.high]) text(svg, number(value, 3), x(value), HEIGHT - BELOW + 16, value === x.low ? "start" : "end");
  for (const value of [y.low, y.high]) text(svg, number(value, 3), LEFT - 6, y(value) + 4, "end");
  text(svg, across, (LEFT + WIDTH - EDGE) / 2, HEIGHT - 4, "middle");
  text(svg, up, LEFT + 6, EDGE + 4, "start");
  for (const [kind, path, r] of [["was", recorded, 5], ["is", now, 3]]) {
    const at = path.map(([a, b]) => [x(a).toFixed(1), y(b).toFixed(1)]);
    add(svg, "path", { class: kind === "is" ? "curve" : "secant", d: `M${at.map((pair) => pair.join(" ")).join("L")}` });
    for (const [cx, cy] of at) add(svg, "circle", { class: kind, cx, cy, r });
  }
  const [a, b] = now.at(-1);
  svg.setAttribute("aria-label", `${up} over ${across}: ${now.length} points, the last at ${number(a)}, ${number(b)}`);
}
