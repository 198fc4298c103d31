// The pictures of the page: the first stands in the document, the others are packed in its data.

import { Film } from "./film.js";

export class Pictures {
  /** @param {object} data the page's data @param {HTMLElement} stage where a picture is shown */
  constructor(data, stage) {
    this.data = data;
    this.stage = stage;
    this.ready = new Map([["", { ...data.picture, element: stage.querySelector("svg") }]]);
    this.shown = null;
  }

  /** Whether there is a picture with this key. */
  has(key) {
    return key === "" || Object.hasOwn(this.data.packed, key);
  }

  /** The picture with this key, unpacked at its first use. */
  async get(key) {
    return this.ready.get(key) ?? (await this.#unpack(key));
  }

  /** Show a picture and give it back, its film wound to nothing yet. */
  show(picture) {
    if (this.shown !== picture) {
      this.stage.replaceChildren(picture.element);
      this.shown = picture;
    }
    picture.film ??= new Film(picture.element, picture.captions.length - 1);
    return picture;
  }

  /** The element of a card in the picture that is shown. */
  element(id) {
    return this.stage.querySelector(`[id="${CSS.escape(`${this.shown.prefix}-${id}`)}"]`);
  }

  /** Titles on the way to a picture: [key, title] from the outermost on. */
  way(key) {
    const words = key ? key.split("/") : [];
    const keys = words.map((_, place) => words.slice(0, place + 1).join("/"));
    return [["", "Whole program"], ...keys.map((part) => [part, this.data.titles[part] ?? part])];
  }

  async #unpack(key) {
    const bytes = Uint8Array.from(atob(this.data.packed[key]), (char) => char.codePointAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const picture = JSON.parse(await new Response(stream).text());
    const parsed = new DOMParser().parseFromString(picture.svg, "image/svg+xml");
    picture.element = document.importNode(parsed.documentElement, true);
    delete picture.svg;
    this.ready.set(key, picture);
    return picture;
  }
}
