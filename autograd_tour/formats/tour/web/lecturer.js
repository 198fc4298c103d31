// For the lecturer: the page is read; only its theme can be changed.

import { startTheme } from "./theme.js";

document.documentElement.classList.add("js");
for (const item of document.querySelectorAll("[data-script]")) item.hidden = false;
startTheme();
document.documentElement.dataset.ready = "";
