// Frames of one picture. Whatever changes carries data-f, the first frame that shows it, and maybe
// data-t, the last one. A step touches only what changes in it.

export class Film {
  /** @param {SVGElement} svg @param {number} last number of the last frame */
  constructor(svg, last) {
    this.last = last;
    this.frame = -1;
    this.timed = [...svg.querySelectorAll("[data-f]")].map((element) => ({
      element,
      first: Number(element.dataset.f),
      end: element.dataset.t === undefined ? Infinity : Number(element.dataset.t),
    }));
    this.appear = new Map();
    this.vanish = new Map();
    for (const item of this.timed) {
      push(this.appear, item.first, item.element);
      push(this.vanish, item.end + 1, item.element);
    }
  }

  /** Show frame `number`; out of range is cut to the nearest one. */
  show(number) {
    const target = Math.min(Math.max(number, 0), this.last);
    if (this.frame < 0) {
      for (const { element, first, end } of this.timed) {
        element.classList.toggle("on", first <= target && target <= end);
      }
      this.frame = target;
    }
    while (this.frame < target) {
      this.frame += 1;
      set(this.appear.get(this.frame), true);
      set(this.vanish.get(this.frame), false);
    }
    while (this.frame > target) {
      set(this.appear.get(this.frame), false);
      set(this.vanish.get(this.frame), true);
      this.frame -= 1;
    }
    return target;
  }
}

function push(map, key, element) {
  if (!map.has(key)) map.set(key, []);
  map.get(key).push(element);
}

function set(elements, visible) {
  for (const element of elements ?? []) element.classList.toggle("on", visible);
}
