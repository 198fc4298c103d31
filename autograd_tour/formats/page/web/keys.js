// The keyboard. A key that a control needs for itself stays with it.

const OWN = "input, select, textarea";
// What a presenter's remote control sends; elsewhere these keys scroll the page.
const REMOTE = { PageDown: "forward", PageUp: "back" };
const PRESSED = "button, summary, a, [role=button]";

/** Call `actions[name]` for the keys of the page. */
export function startKeys(actions) {
  const keys = {
    ArrowRight: actions.forward,
    ArrowLeft: actions.back,
    Home: actions.first,
    End: actions.last,
    " ": actions.play,
    "?": actions.help,
    Escape: actions.up,
    "/": actions.search,
    "+": actions.larger,
    "-": actions.smaller,
    0: actions.fit,
    p: actions.predict,
    f: actions.present,
    t: actions.theme,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const action = keys[event.key] ?? (actions.presenting() ? actions[REMOTE[event.key]] : undefined);
    if (!action || (event.key !== "Escape" && event.target.closest(OWN))) return;
    if (event.key === " " && event.target.closest(PRESSED)) return;
    event.preventDefault();
    action();
  });
}
