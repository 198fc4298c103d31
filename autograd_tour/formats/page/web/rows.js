// What of a picture is to be seen: its rows by choice, one direction alone, no constants. Nothing moves.

import { byId, hear, make, tell } from "./dom.js";

const PARTS = ["value", "shape", "grad", "rule", "line", "saved"];
const ONLY = { forward: ["grad", "rule", "back"], backward: ["value", "tensor", "ahead", "constants", "cuts"] };
const COMPACT = ["line", "saved", "note"];

function group(name, ...labels) {
  return make("fieldset", {}, make("legend", {}, name), ...labels);
}

export class Rows {
  /** @param {HTMLElement} stage where a picture is shown @param {() => void} changed is called after a choice
   *  @param {boolean} joined whether there is a picture without transposes, which is one of its own */
  constructor(stage, changed, joined) {
    this.stage = stage;
    this.boxes = new Map();
    const box = (name, on) => {
      const input = make("input", { type: "checkbox", checked: on });
      this.boxes.set(name, input);
      return make("label", {}, input, ` ${name}`);
    };
    this.only = make("select", {}, ...["both", ...Object.keys(ONLY)].map((name) => make("option", {}, name)));
    const body = byId("rows-body");
    body.append(
      group("Show", ...PARTS.map((part) => box(part, true))),
      group("Hide", box("constants", false), ...(joined ? [box("transposes", false)] : [])),
      group("", make("label", {}, "Directions ", this.only), box("compact", false)),
    );
    const other = this.boxes.get("transposes");
    body.addEventListener("change", ({ target }) => {
      if (target === other) return tell("open", other.checked ? "transposes" : "");
      this.#apply();
      return changed();
    });
    if (other) hear("shown", ({ picture }) => (other.checked = picture.key === "transposes"));
  }

  /** The choice as words of the address; nothing stands there that is as usual. */
  words() {
    const on = (name) => this.boxes.get(name).checked;
    const parts = PARTS.filter(on);
    return {
      show: parts.length === PARTS.length ? "" : parts.join() || "none",
      hide: on("constants") ? "constants" : "",
      only: this.only.selectedIndex ? this.only.value : "",
      compact: on("compact") ? "yes" : "",
    };
  }

  /** Take a choice from the address. */
  choose({ show, hide, only, compact }) {
    for (const part of PARTS) this.boxes.get(part).checked = !show || show.split(",").includes(part);
    this.boxes.get("constants").checked = hide === "constants";
    this.boxes.get("compact").checked = compact === "yes";
    this.only.value = Object.hasOwn(ONLY, only) ? only : "both";
    this.#apply();
  }

  #apply() {
    const { show, hide, only, compact } = this.words();
    const away = PARTS.filter((part) => !this.boxes.get(part).checked);
    const gone = [...away, ...(ONLY[only] ?? []), ...(compact ? COMPACT : []), hide, show && "note"];
    if (gone.includes("value") && gone.includes("shape")) gone.push("tensor");
    this.stage.setAttribute("class", gone.filter(Boolean).map((name) => `no-${name}`).join(" "));
  }
}
