// A stop with a picture whose numbers a reader can change.

import { byId } from "./dom.js";
import { Moving } from "./moving.js";
import { startPlayer } from "./player.js";
import { startStop } from "./stop.js";

const { move, moving, runs } = JSON.parse(byId("tour-data").textContent);

function start(figure, captions) {
  const svg = figure.querySelector("svg");
  const shown = { again: () => {} };
  const numbers = new Moving(move, () => {
    numbers.picture(svg);
    shown.again();
  });
  shown.again = startPlayer(figure, captions, (lines, frame) => numbers.caption(lines, runs[moving][frame]));
}

startStop(new Map([[String(moving), start]]));
