// For a projector: the picture, the step and the caption fill the screen, and there is nothing else.

import { byId } from "./dom.js";

export class Presenter {
  /** @param {import("./zoom.js").Zoom} zoom @param {() => void} changed called when the mode is switched */
  constructor(zoom, changed) {
    this.zoom = zoom;
    this.changed = changed;
    this.on = false;
    this.factor = null;
    byId("present").addEventListener("click", () => this.switch(true));
    // The browser leaves full screen by itself, at a key that the page does not hear.
    document.addEventListener("fullscreenchange", () => {
      if (document.fullscreenElement) this.fit();
      else this.switch(false);
    });
    addEventListener("resize", () => this.fit());
  }

  switch(on) {
    if (this.on === on) return;
    this.on = on;
    document.documentElement.classList.toggle("presenting", on);
    if (on) {
      this.factor = this.zoom.factor;
      byId("stage").focus({ preventScroll: true });
      // Only what a reader just did may ask for the full screen; a link may not.
      if (navigator.userActivation?.isActive !== false) {
        document.documentElement.requestFullscreen?.().catch(() => {});
      }
      this.zoom.present();
    } else {
      if (document.fullscreenElement) document.exitFullscreen();
      this.zoom.to(this.factor);
      byId("present").focus({ preventScroll: true });
    }
    this.changed();
  }

  /** The screen has another size. */
  fit() {
    if (!this.on) return;
    this.zoom.present();
    this.changed();
  }
}
