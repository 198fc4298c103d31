// The page: one state (picture, step, selection), and everything that follows from it.

import { Code } from "./code.js";
import { byId, hear, make, tell } from "./dom.js";
import { startKeys } from "./keys.js";
import { startLedger } from "./ledger.js";
import { Moving } from "./moving.js";
import { startRun } from "./run.js";
import { readLink, writeLink } from "./links.js";
import { Rows } from "./rows.js";
import { kindOf, showPanel } from "./panel.js";
import { Pictures } from "./pictures.js";
import { Presenter } from "./presenter.js";
import { Quiz, veil } from "./quiz.js";
import { startSearch } from "./search.js";
import { startTheme } from "./theme.js";
import { Zoom } from "./zoom.js";

const PACE = 1600;
const CALM = 200;
const SVG = "http://www.w3.org/2000/svg";

const data = JSON.parse(byId("tour-data").textContent);
const stage = byId("stage");
const pictures = new Pictures(data, stage);
const code = new Code(data.source);
const zoom = new Zoom(stage);
const quiz = new Quiz(
  data.questions,
  () => pictures.ready.get("").element,
  () => {
    moving?.back(); // it asks for what was recorded
    return show("", 0);
  },
);
const presenter = new Presenter(zoom, () => render());
const rows = new Rows(stage, () => link(), pictures.has("transposes"));
const state = { key: "", step: 0, card: "", line: null, timer: 0 };
const moving = data.move ? new Moving(data.move, () => render()) : null;
let picture;
let marked = "";
let linking = 0;
let opening = "";

// ---- what is shown -----------------------------------------------------------------------

function render() {
  state.step = picture.film.show(Math.min(state.step, reach()));
  const last = picture.film.last;
  byId("slider").max = String(last);
  byId("slider").value = String(state.step);
  byId("slider").setAttribute("aria-valuetext", `step ${state.step} of ${last}`);
  byId("count").textContent = `${state.step} / ${last}`;
  byId("back").disabled = byId("first").disabled = state.step === 0;
  byId("last").disabled = state.step === last;
  byId("forward").disabled = state.step === last && !quiz.on;
  caption();
  const running = Object.entries(picture.cards).find(([, card]) => state.step && card.runs_at === state.step);
  const chosen = picture.cards[state.card];
  const selected = state.line === null ? (chosen?.lines ?? []) : [state.line];
  code.light(running?.[1].lines ?? [], selected);
  mark();
  showPanel(chosen, state.step, state.key !== "", moving?.rows(chosen?.rows ?? []));
  if (presenter.on) centre(running?.[0] ?? upcoming());
  else if (running) keepInSight(running[0]);
  clearTimeout(linking);
  linking = setTimeout(link, CALM); // browsers refuse an address that changes too often
  tell("shown", { step: state.step, picture });
}

/** The last step that may be shown: in the mode of prediction the one before the next question's answer. */
function reach() {
  const answer = quiz.until(pictures.ready.get("").engine);
  return answer === Infinity ? picture.film.last : picture.engine.findLastIndex((number) => number < answer);
}

function link() {
  const mode = presenter.on ? "present" : quiz.on ? "predict" : "";
  try {
    const words = { step: state.step, open: state.key, node: state.card, mode, ...rows.words() };
    history.replaceState(null, "", writeLink(words));
  } catch {
    // a page in a sandbox has no address of its own
  }
}

function caption() {
  const recorded = picture.captions[state.step] ?? [];
  const [id] = Object.entries(picture.cards).find(([, card]) => state.step && card.runs_at === state.step) ?? [""];
  const lines = moving ? moving.caption(recorded, id) : recorded;
  const said = lines.map((line) =>
    make("p", {}, ...line.flatMap(([role, bold, text]) => [make(bold ? "b" : "span", { class: role }, text), " "])),
  );
  if (state.step === 0 && state.key === "" && quiz.on) said.push(quiz.announced());
  byId("caption").replaceChildren(...said);
}

function mark() {
  const now = `${state.key} ${state.card} ${state.line}`;
  if (now === marked) return;
  marked = now;
  for (const old of stage.querySelectorAll(".mark")) old.remove();
  for (const [id, card] of Object.entries(picture.cards)) {
    const lit = state.line === null ? id === state.card : (card.lines ?? []).includes(state.line);
    const element = pictures.element(id);
    element?.setAttribute("aria-pressed", String(lit));
    if (!lit || !element) continue;
    const box = element.getBBox();
    const rect = document.createElementNS(SVG, "rect");
    const place = { x: box.x - 5, y: box.y - 5, width: box.width + 10, height: box.height + 10, rx: 9, class: "mark" };
    for (const [name, value] of Object.entries(place)) rect.setAttribute(name, String(value));
    element.append(rect);
  }
}

function keepInSight(id) {
  const box = pictures.element(id)?.getBoundingClientRect();
  if (!box) return;
  const frame = stage.getBoundingClientRect();
  if (box.left < frame.left || box.right > frame.right) {
    stage.scrollLeft += box.left - frame.left - (frame.width - box.width) / 2;
  }
  if (box.top < frame.top || box.bottom > frame.bottom) {
    stage.scrollTop += box.top - frame.top - (frame.height - box.height) / 2;
  }
}

/** The card that runs next. */
function upcoming() {
  const later = Object.entries(picture.cards).filter(([, card]) => card.runs_at > state.step);
  return later.toSorted(([, a], [, b]) => a.runs_at - b.runs_at)[0]?.[0] ?? "";
}

/** The middle of a card comes as near to the middle of the stage as the picture allows. */
function centre(id) {
  const box = pictures.element(id)?.getBoundingClientRect();
  if (!box) return;
  const frame = stage.getBoundingClientRect();
  stage.scrollLeft += box.left + box.width / 2 - frame.left - frame.width / 2;
  stage.scrollTop += box.top + box.height / 2 - frame.top - frame.height / 2;
}

/** Show the picture `key` at `step`, by default at the same moment, with `card` selected. */
async function show(key, step, card = "") {
  const engine = picture?.engine[state.step] ?? 0;
  opening = key;
  const unpacked = await pictures.get(key);
  if (opening !== key) return; // something else was asked for meanwhile
  picture = pictures.show(unpacked);
  if (moving) moving.machine.sums = picture.sums;
  state.key = key;
  if (step === undefined) {
    // The same moment of the whole program, in the steps of this picture.
    step = picture.engine.findLastIndex((number) => number <= engine);
  }
  state.step = Math.max(step, 0);
  // Folded cards of two pictures may have the same id: a selection does not outlive its picture.
  state.card = Object.hasOwn(picture.cards, card) ? card : "";
  prepare();
  veil(picture.element, quiz.on);
  if (presenter.on) zoom.present();
  else zoom.take();
  trail();
  render();
}

/** What was opened comes in sight, unless what runs there is. */
function lookInside() {
  const cards = Object.entries(picture.cards);
  const own = cards.filter(([, card]) => !card.outside);
  const runs = own.some(([, card]) => state.step && card.runs_at === state.step);
  if (own.length < cards.length && !runs) keepInSight(own[0]?.[0]);
}

/** The reader goes to another picture, and the keyboard goes along: to it, or to the card it came out of. */
async function visit(key) {
  const before = `${state.key}/`;
  await show(key);
  if (state.key === key) lookInside();
  const lost = [document.body, stage].includes(document.activeElement);
  if (state.key !== key || !lost) return;
  const closing = before.startsWith(key ? `${key}/` : "");
  const from = Object.entries(picture.cards).find(([, card]) => card.opens && before.startsWith(`${card.opens}/`));
  if (!closing || !from) return stage.focus({ preventScroll: true });
  keepInSight(from[0]);
  return pictures.element(from[0])?.focus({ preventScroll: true });
}

/** Make the cards of a picture that was not shown before buttons. */
function prepare() {
  const svg = picture.element;
  if (svg.dataset.ready) return;
  svg.dataset.ready = "yes";
  svg.setAttribute("role", "group");
  for (const text of svg.querySelectorAll("[textLength]")) text.setAttribute("lengthAdjust", "spacingAndGlyphs");
  for (const [id, card] of Object.entries(picture.cards)) {
    if (!pictures.has(card.opens ?? "")) card.opens = ""; // there was no room for its picture
    const element = pictures.element(id);
    if (!element) continue;
    const name = `${card.name}, ${kindOf(card)}${card.opens ? ": open" : ""}`;
    for (const [key, value] of Object.entries({ role: "button", tabindex: "0", "aria-label": name })) {
      element.setAttribute(key, value);
    }
    element.classList.toggle("opens", Boolean(card.opens));
    element.addEventListener("click", () => choose(id));
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      choose(id);
    });
  }
}

function trail() {
  const way = pictures.way(state.key);
  byId("trail").hidden = way.length < 2;
  byId("trail-note").hidden = !Object.values(picture.cards).some((card) => card.outside);
  stage.setAttribute("aria-label", way.length < 2 ? "Picture of the graph" : `Picture of ${way.at(-1)[1]}, opened`);
  const items = way.map(([key, title], place) => {
    if (place === way.length - 1) return make("li", { "aria-current": "page" }, title);
    const button = make("button", { type: "button" }, title);
    button.addEventListener("click", () => visit(key));
    return make("li", {}, button);
  });
  byId("trail-items").replaceChildren(...items);
}

// ---- what a reader does ------------------------------------------------------------------

function go(step) {
  stop();
  quiz.close();
  state.step = step;
  render();
  if (state.step < Math.min(step, picture.film.last)) forward(); // what lies between is asked first
}

/** One step on; in the mode of prediction its questions come first. They belong to the first picture. */
function forward() {
  const step = state.step;
  if (state.key !== "" && step < picture.film.last && step + 1 > reach()) return visit("").then(forward);
  const asked = state.key === "" && quiz.stops(step + 1, picture.film.last, forward);
  if (!asked) go(step + 1);
  else byId("quiz").scrollIntoView({ block: "nearest" });
  return undefined;
}

function choose(id) {
  state.line = null;
  const { opens } = picture.cards[id];
  if (opens) return visit(opens);
  state.card = state.card === id ? "" : id;
  moving?.offer(id);
  return render();
}

function up() {
  if (byId("search-results").hidden === false) byId("search-results").hidden = true;
  else if (presenter.on) present(false);
  else if (state.key) visit(state.key.split("/").slice(0, -1).join("/"));
  else {
    state.card = "";
    state.line = null;
    render();
  }
}

function stop() {
  clearInterval(state.timer);
  state.timer = 0;
  byId("play").textContent = "Play";
}

function play() {
  if (quiz.on) return forward(); // questions come one by one
  if (state.timer) return stop();
  if (state.step === picture.film.last) state.step = -1;
  const next = () => {
    state.step += 1;
    render();
    if (state.step >= picture.film.last) stop();
  };
  byId("play").textContent = "Pause";
  state.timer = setInterval(next, PACE);
  return next();
}

function present(on) {
  if (on && quiz.on) quiz.switch(false);
  presenter.switch(on);
}

function help() {
  byId("help").showModal();
}

const actions = {
  back: () => go(state.step - 1),
  forward,
  first: () => go(0),
  last: () => go(picture.film.last),
  play,
  help,
  up,
  search: () => byId("search").focus(),
  larger: () => zoom.by(1.25),
  smaller: () => zoom.by(0.8),
  fit: () => zoom.fit(),
  predict: () => {
    present(false);
    quiz.switch(!quiz.on);
  },
  present: () => present(!presenter.on),
  presenting: () => presenter.on,
};

async function follow() {
  const wanted = readLink(location.hash);
  rows.choose(wanted);
  await show(pictures.has(wanted.open) ? wanted.open : "", wanted.step ?? 0, wanted.node);
  present(wanted.mode === "present");
  if (wanted.mode === "predict" && !quiz.on) {
    await quiz.switch(true);
    if (wanted.step) go(wanted.step);
  }
}

async function start() {
  actions.theme = startTheme();
  startKeys(actions);
  startLedger(data.ledger);
  if (data.run) startRun(data.run);
  startSearch(data.index);
  for (const name of ["back", "forward", "first", "last", "play"]) {
    byId(name).addEventListener("click", actions[name]);
  }
  byId("help-open").addEventListener("click", help);
  byId("slider").addEventListener("input", (event) => go(Number(event.target.value)));
  hear("open", visit);
  hear("up", up);
  hear("line", (number) => {
    state.line = state.line === number ? null : number;
    state.card = "";
    render();
  });
  hear("find", async ({ key, card }) => {
    state.line = null;
    await show(key, key === state.key ? state.step : undefined, card);
    keepInSight(card);
    pictures.element(card)?.focus();
  });
  addEventListener("hashchange", follow);
  document.documentElement.classList.add("js");
  for (const element of document.querySelectorAll("[data-script]")) element.hidden = false;
  byId("player").hidden = data.picture.captions.length < 2;
  await follow();
  document.documentElement.dataset.ready = "yes";
}

await start();
