// Deep links: #step=4&open=f0/f3&node=n9&mode=predict. What is not understood is ignored.

/** @returns {Object<string, string> & {step: number | null}} */
export function readLink(hash) {
  const words = Object.fromEntries(new URLSearchParams(hash.replace(/^#/, "")));
  const step = words.step ?? "";
  return { open: "", node: "", mode: "", ...words, step: /^\d{1,7}$/.test(step) ? Number(step) : null };
}

/** The hash for a state; nothing stands in it that is as usual. */
export function writeLink(state) {
  const words = Object.entries(state).filter(([, value]) => value !== "");
  return `#${words.map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll("%2F", "/").replaceAll("%2C", ",")}`).join("&")}`;
}
