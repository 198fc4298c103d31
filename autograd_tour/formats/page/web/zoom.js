// The size of the picture: as large as it was drawn, or as fits the width.

import { byId } from "./dom.js";

const STEP = 1.25;
const READABLE = 0.7;
// Text of 12 px in a picture has 18 px on a slide, and not more than 32.
const SLIDE = [1.5, 2.7];

export class Zoom {
  constructor(stage) {
    this.stage = stage;
    this.factor = null;
    byId("zoom-in").addEventListener("click", () => this.by(STEP));
    byId("zoom-out").addEventListener("click", () => this.by(1 / STEP));
    byId("zoom-fit").addEventListener("click", () => this.fit());
  }

  /** Take the picture that is shown now: the size stays, or is chosen if none was. */
  take() {
    this.factor ??= this.#fitting() >= READABLE ? Math.min(1, this.#fitting()) : 1;
    this.#apply();
  }

  /** For a projector: as large as fits, but text is readable; then a part of the picture is in sight. */
  present() {
    const [, , width, height] = this.#svg().getAttribute("viewBox").split(" ").map(Number);
    const fitting = Math.min(this.stage.clientWidth / width, this.stage.clientHeight / height);
    this.to(Math.min(SLIDE[1], Math.max(SLIDE[0], fitting)));
  }

  to(factor) {
    this.factor = factor;
    this.#apply();
  }

  by(factor) {
    this.factor = Math.min(4, Math.max(0.1, this.factor * factor));
    this.#apply();
  }

  fit() {
    this.factor = this.#fitting();
    this.#apply();
  }

  #fitting() {
    const [, , width] = this.#svg().getAttribute("viewBox").split(" ").map(Number);
    return this.stage.clientWidth / width;
  }

  #svg() {
    return this.stage.querySelector("svg");
  }

  #apply() {
    const svg = this.#svg();
    const [, , width] = svg.getAttribute("viewBox").split(" ").map(Number);
    svg.style.width = `${width * this.factor}px`;
    svg.style.height = "auto";
  }
}
