// The run of a program that trains: its lines, and what each event did to the value and .grad of every leaf.

import { byId, make } from "./dom.js";

const UNKNOWN = "…";

/** Wire the controls; `run` is null for a program that does not train. */
export function startRun(run) {
  if (!run || !run.events.length) return;
  byId("run").hidden = false;
  const lines = lineItems(run);
  const slider = byId("run-slider");
  slider.max = String(run.events.length);
  let now = 0;
  const go = (number) => {
    now = Math.max(0, Math.min(run.events.length, number));
    show(run, now, lines);
  };
  slider.addEventListener("input", () => go(Number(slider.value)));
  byId("run-back").addEventListener("click", () => go(now - 1));
  byId("run-forward").addEventListener("click", () => go(now + 1));
  lines.forEach((item, line) => {
    item.firstChild.addEventListener("click", () => go(nextAt(run, line, now)));
  });
  byId("run-notes").replaceChildren(...run.notes.map((note) => make("p", { class: "muted" }, note)));
  go(1);
}

/** The number of the next event at a line after the one shown, or of the first. */
function nextAt(run, line, now) {
  const later = run.events.findIndex((event, index) => index >= now && event.line === line);
  return (later >= 0 ? later : run.events.findIndex((event) => event.line === line)) + 1;
}

function lineItems(run) {
  const list = byId("run-lines");
  let file = "";
  return run.source.map((source) => {
    if (source.file !== file) list.append(make("li", { class: "file" }, source.file));
    file = source.file;
    const item = make(
      "li",
      {},
      make("button", { type: "button" }, make("span", { class: "number" }, String(source.line)), make("code", {}, source.text || " ")),
    );
    list.append(item);
    return item;
  });
}

/** What is known of every leaf after the first `count` events. */
function state(run, count) {
  const cells = run.leaves.map((leaf) => ({ value: leaf.value, grad: leaf.grad }));
  for (const event of run.events.slice(0, count)) {
    if (event.gap) for (const cell of cells) cell.value = cell.grad = UNKNOWN;
    for (const change of event.changes) {
      if (change.after !== null) cells[change.leaf][change.part] = change.after;
      if (change.grad !== null) cells[change.leaf].grad = change.grad;
    }
  }
  return cells;
}

function show(run, count, lines) {
  const event = run.events[count - 1];
  byId("run-slider").value = String(count);
  byId("run-count").textContent = `${count} / ${run.events.length}`;
  byId("run-back").disabled = count === 0;
  byId("run-forward").disabled = count === run.events.length;
  byId("run-head").textContent = event ? event.head : "Before the run";
  byId("run-about").textContent = event ? event.about.join(" · ") : "";
  lines.forEach((item, line) => item.classList.toggle("now", event?.line === line));
  const current = lines[event?.line];
  if (current) {
    const list = current.parentElement;
    list.scrollTop = Math.max(0, current.offsetTop - list.clientHeight / 2);
  }
  const cells = state(run, count);
  const rows = run.leaves.map((leaf, number) => {
    const row = make("tr", { class: "first" }, make("th", { scope: "row" }, leaf.name));
    for (const part of ["value", "grad"]) {
      const change = event?.changes.find((item) => item.leaf === number && item.part === part);
      const cell = make("td", change ? { class: `${part} changed` } : { class: part });
      if (change) cell.append(make("span", { class: "before" }, change.process));
      cell.append(make("span", { class: "after" }, cells[number][part]));
      row.append(cell);
    }
    return row;
  });
  byId("run-rows").replaceChildren(...rows);
}
