// The map of the tour: what is done, what is begun, and how to forget it all.

import { byId } from "./dom.js";
import { forget, keeps, stopState } from "./progress.js";
import { startTheme } from "./theme.js";

document.documentElement.classList.add("js");
for (const item of document.querySelectorAll("[data-script]")) item.hidden = false;
byId("unkept").hidden = keeps();

function update() {
  const items = [...document.querySelectorAll("[data-stop]")];
  let done = 0;
  for (const item of items) {
    const state = stopState(item.dataset.stop);
    const begun = Object.keys(state.answers).length > 0;
    done += state.done;
    item.querySelector(".state").textContent = state.done ? "✓ done" : begun ? "begun" : "";
  }
  byId("progress").textContent = `${done} of ${items.length} done.`;
}

const sure = byId("forget-sure");
byId("forget").addEventListener("click", () => {
  sure.hidden = !sure.hidden;
});
sure.addEventListener("click", () => {
  forget();
  sure.hidden = true;
  update();
});
update();
startTheme();
document.documentElement.dataset.ready = "";
