// A stop of the tour: each part comes into sight when what comes before it has been answered.

import { byId } from "./dom.js";
import { startPlayer, stepPicture } from "./player.js";
import { keeps, stopState, store } from "./progress.js";
import { settled, startQuestion } from "./question.js";
import { startTheme } from "./theme.js";

const data = JSON.parse(byId("tour-data").textContent);
const state = stopState(data.name);
const steps = [...document.querySelectorAll(".step")];
const own = byId("own");

document.documentElement.classList.add("js");
for (const item of document.querySelectorAll("[data-script]")) item.hidden = false;
byId("unkept").hidden = keeps();

/** Whether what a step asks for has been done; one that only tells has nothing to wait for. */
function complete(step) {
  if (step.dataset.step === "question") return settled(step.querySelector("form"));
  return step.dataset.step !== "explain" || typeof state.explained === "string";
}

function update() {
  let open = true;
  for (const step of steps) {
    step.hidden = !open;
    if (open && step.tagName === "DETAILS" && !step.dataset.seen) {
      step.open = true;
      step.dataset.seen = "1";
    }
    open &&= complete(step);
  }
  state.done = open;
  if (state.explained !== undefined || Object.keys(state.answers).length) keep();
}

function keep() {
  store(data.name, state);
}

/** What has just come into sight gets the focus, so that the keyboard goes on there. */
function advance(form) {
  update();
  const next = steps[steps.indexOf(form.closest(".step")) + 1];
  next?.querySelector("summary")?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: "nearest" });
}

for (const form of document.querySelectorAll("form.question")) {
  startQuestion(form, data.questions[form.dataset.question], state, keep, advance);
}
if (typeof state.explained === "string") own.value = state.explained;
byId("explain").addEventListener("submit", (event) => {
  event.preventDefault();
  state.explained = own.value;
  advance(event.target);
});
byId("again").addEventListener("click", () => {
  store(data.name, null);
  location.reload();
});

const theme = startTheme();
const actions = {
  ArrowRight: () => stepPicture(1),
  ArrowLeft: () => stepPicture(-1),
  n: () => byId("to-later")?.click(),
  p: () => byId("to-earlier")?.click(),
  m: () => byId("to-map").click(),
  t: theme,
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

/** Start the pictures, of which some have a player of their own: their place in the page -> what starts it. */
export function startStop(players = new Map()) {
  for (const figure of document.querySelectorAll("figure[data-picture]")) {
    const captions = data.captions[figure.dataset.picture];
    const start = players.get(figure.dataset.picture) ?? startPlayer;
    if (captions.length) start(figure, captions);
  }
  update();
  document.documentElement.dataset.ready = "";
}
