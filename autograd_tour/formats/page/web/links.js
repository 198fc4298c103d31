// Deep links: #step=4&open=f0/f3&node=n9&mode=predict. What is not understood is ignored.

/** @returns {{step: number | null, open: string, node: string, mode: string}} */
export function readLink(hash) {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  const step = words.get("step") ?? "";
  return {
    step: /^\d{1,7}$/.test(step) ? Number(step) : null,
    open: words.get("open") ?? "",
    node: words.get("node") ?? "",
    mode: words.get("mode") ?? "",
  };
}

/** The hash for a state; nothing stands in it that is as usual. */
export function writeLink({ step, open, node, mode }) {
  const words = [`step=${step}`];
  if (open) words.push(`open=${encodeURIComponent(open).replaceAll("%2F", "/")}`);
  if (node) words.push(`node=${encodeURIComponent(node)}`);
  if (mode) words.push(`mode=${encodeURIComponent(mode)}`);
  return `#${words.join("&")}`;
}
