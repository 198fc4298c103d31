// The few things every part of the page does with elements. Text is only ever set as text.

/** The element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** A new element with attributes and children; a string is a text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A text as nodes: what stands between backticks is code. */
export function coded(text) {
  return text.split("`").map((piece, index) => (index % 2 ? make("code", {}, piece) : piece));
}

/** An event that other parts of the page listen to. */
export function tell(name, detail) {
  document.dispatchEvent(new CustomEvent(`tour:${name}`, { detail }));
}

/** Listen to such an event. */
export function hear(name, listener) {
  document.addEventListener(`tour:${name}`, (event) => listener(event.detail));
}
