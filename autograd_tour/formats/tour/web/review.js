// Which stops to look at again: what was answered wrongly, most of all what was wrong and certain.

import { byId, make } from "./dom.js";
import { keeps, stopState } from "./progress.js";
import { startTheme } from "./theme.js";

const WEIGHT = { certain: 3, rather: 2, guess: 1 };
const data = JSON.parse(byId("tour-data").textContent);

document.documentElement.classList.add("js");
for (const item of document.querySelectorAll("[data-script]")) item.hidden = false;
byId("unkept").hidden = keeps();

/** Every first answer, with the stop that it was about and the one that it points to. */
function answers() {
  return data.stops.flatMap(({ number, name }) =>
    Object.entries(stopState(name).answers).map(([question, { given, sure, right, betrays }]) => ({
      stop: number,
      question,
      about: data.about[name]?.[question] ?? number,
      answer: given ?? "",
      sure: sure ?? "",
      right: right === true,
      betrays: right === true ? null : betrays || data.about[name]?.[question] || number,
    })),
  );
}

/** Stops with a weight above 0, the heaviest first. */
function lookAgain(every) {
  const weights = new Map();
  for (const { about, sure, right, betrays } of every) {
    const stop = right ? about : betrays;
    const weight = right ? (sure === "guess" ? 0.5 : 0) : (WEIGHT[sure] ?? 1);
    weights.set(stop, (weights.get(stop) ?? 0) + weight);
  }
  const heavy = [...weights].filter(([, weight]) => weight > 0);
  return heavy.toSorted((a, b) => b[1] - a[1] || a[0] - b[0]).map(([stop]) => stop);
}

function line(stop, every) {
  const file = data.files[stop];
  const title = `${stop} ${data.titles[stop] ?? ""}`;
  const wrong = every.filter((item) => item.betrays === stop);
  const certain = wrong.filter((item) => item.sure === "certain").length;
  const about = [
    wrong.length ? `${wrong.length} first ${wrong.length === 1 ? "answer points" : "answers point"} here` : "right, but a guess",
    certain ? `${certain} of them certain` : "",
  ];
  return make("li", {}, file ? make("a", { href: file }, title) : title, make("span", { class: "muted" }, about.filter(Boolean).join(", ")));
}

const every = answers();
const again = lookAgain(every);
const right = every.filter((item) => item.right).length;
byId("summary").textContent = every.length
  ? `${right} of ${every.length} first answers were right. ${again.length ? `Look again at ${list(again)}:` : "Nothing to look at again."}`
  : "No answers yet: begin with a stop on the map.";
byId("again-list").replaceChildren(...again.map((stop) => line(stop, every)));

function list(stops) {
  return stops.length < 2 ? stops.join("") : `${stops.slice(0, -1).join(", ")} and ${stops.at(-1)}`;
}

if (every.length) {
  const text = `${JSON.stringify({ schema: 1, look_again: again, answers: every }, null, 2)}\n`;
  byId("teacher").hidden = false;
  byId("json").value = text;
  byId("save").href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
}
startTheme();
document.documentElement.dataset.ready = "";
