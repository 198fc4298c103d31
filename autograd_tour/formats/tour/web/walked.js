// A stop with a loop whose numbers, lr and calls a reader can change.

import { byId } from "./dom.js";
import { Moving } from "./moving.js";
import { startStop } from "./stop.js";
import { Walking } from "./walking.js";

const { move, walk } = JSON.parse(byId("tour-data").textContent);
const numbers = new Moving(move, () => {});
if (numbers.here) numbers.walking = new Walking(numbers, walk);
startStop();
