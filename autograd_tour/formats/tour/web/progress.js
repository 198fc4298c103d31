// What a reader did so far, kept in this browser where it keeps anything, and in this page where it does not.

const NAME = "autograd-tour-progress";
let memory = null;

/** Whether the browser keeps what it is given. */
export function keeps() {
  try {
    localStorage.setItem(`${NAME}-try`, "1");
    localStorage.removeItem(`${NAME}-try`);
    return true;
  } catch {
    return false; // switched off, full, or a page in a sandbox
  }
}

/** All stops so far: name -> {answers, explained, done}. What cannot be read counts as nothing. */
export function load() {
  if (memory) return memory;
  try {
    const stored = JSON.parse(localStorage.getItem(NAME));
    memory = stored && typeof stored === "object" && !Array.isArray(stored) ? stored : {};
  } catch {
    memory = {};
  }
  return memory;
}

/** What is kept of one stop, to be changed and then handed to `store`. */
export function stopState(name) {
  const kept = load()[name];
  const whole = kept && typeof kept === "object" ? kept : {};
  const answers = whole.answers && typeof whole.answers === "object" ? whole.answers : {};
  return { answers, explained: whole.explained, done: whole.done === true };
}

/** Keep the state of one stop; null forgets it. */
export function store(name, state) {
  const every = load();
  if (state === null) delete every[name];
  else every[name] = state;
  write(every);
}

/** Forget everything. */
export function forget() {
  memory = {};
  try {
    localStorage.removeItem(NAME);
  } catch {
    // nothing was kept
  }
}

function write(every) {
  try {
    localStorage.setItem(NAME, JSON.stringify(every));
  } catch {
    // then it lasts as long as the page
  }
}
