// Pictures that a reader pages through, and what is said in each frame.

import { make } from "./dom.js";
import { Film } from "./film.js";

let current = null;

/** Wire one figure; `captions` has lines of pieces for each frame, which `told` may tell with other numbers. */
export function startPlayer(figure, captions, told = (lines) => lines) {
  const film = new Film(figure.querySelector("svg"), captions.length - 1);
  const button = (name) => figure.querySelector(`.player .${name}`); // the picture has classes of its own
  const show = (number) => {
    const frame = film.show(number);
    button("count").textContent = `${frame} / ${film.last}`;
    figure.querySelector("div.caption").replaceChildren(...told(captions[frame], frame).map(said));
    button("first").disabled = button("back").disabled = frame === 0;
    button("last").disabled = button("forward").disabled = frame === film.last;
    current = player;
  };
  const player = { figure, step: (by) => show(film.frame + by) };
  button("first").addEventListener("click", () => show(0));
  button("back").addEventListener("click", () => show(film.frame - 1));
  button("forward").addEventListener("click", () => show(film.frame + 1));
  button("last").addEventListener("click", () => show(film.last));
  show(0);
  return () => show(film.frame);
}

function said(line) {
  return make("p", {}, ...line.flatMap(([role, bold, text]) => [make(bold ? "b" : "span", { class: role }, text), " "]));
}

/** One frame forward or back in the picture that was used last. */
export function stepPicture(by) {
  if (current?.figure.checkVisibility()) current.step(by);
}
