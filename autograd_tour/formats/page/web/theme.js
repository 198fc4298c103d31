// Light, dark, or as the reader's system has it. The choice outlives the page where that is possible.

import { byId } from "./dom.js";

const ORDER = ["auto", "light", "dark"];
const NAME = "autograd-tour-theme";

function remembered() {
  try {
    const found = localStorage.getItem(NAME);
    return ORDER.includes(found) ? found : null;
  } catch {
    return null; // no storage for a page in a sandbox
  }
}

function remember(theme) {
  try {
    localStorage.setItem(NAME, theme);
  } catch {
    // then it lasts as long as the page
  }
}

/** Wire the button; gives back what changes the theme. */
export function startTheme() {
  const root = document.documentElement;
  let theme = remembered() ?? root.dataset.theme ?? "auto";
  const apply = () => {
    root.dataset.theme = theme;
    byId("theme").textContent = `Theme: ${theme}`;
  };
  const next = () => {
    theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
    remember(theme);
    apply();
  };
  byId("theme").addEventListener("click", next);
  apply();
  return next;
}
