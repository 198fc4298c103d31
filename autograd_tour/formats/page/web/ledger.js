// The ledger: what .grad becomes when backward is called again, with and without zeroing.

import { byId, hear, make } from "./dom.js";

/** Wire the controls; `ledger` is null for a trace without one. */
export function startLedger(ledger) {
  const section = byId("ledger");
  if (!ledger) return;
  section.hidden = false;
  const calls = byId("ledger-calls");
  const policy = byId("ledger-policy");
  calls.max = String(ledger.calls);
  calls.value = String(Math.min(2, ledger.calls));
  let computed = null;
  const draw = () => show(ledger, Number(calls.value), policy.value, computed);
  hear("moved", (retelling) => {
    computed = retelling;
    draw();
  });
  calls.addEventListener("input", draw);
  policy.addEventListener("change", draw);
  draw();
}

function show(ledger, calls, policy, computed) {
  byId("ledger-count").textContent = String(calls);
  const body = byId("ledger-rows");
  const rows = [];
  for (const account of ledger.accounts) {
    const told = computed?.calls(account.name, policy, calls) ?? account[policy].slice(0, calls);
    for (const [number, [before, contribution, after]] of told.entries()) {
      const name = number === 0 ? make("th", { scope: "rowgroup", rowspan: String(calls) }, `${account.name}.grad`) : "";
      const row = make("tr", number === 0 ? { class: "first" } : {}, name);
      row.append(
        make("td", { class: "count" }, String(number + 1)),
        make("td", {}, before),
        make("td", { class: "plus" }, `+ ${contribution}`),
        make("td", { class: "after" }, `= ${after}`),
      );
      rows.push(row);
    }
  }
  body.replaceChildren(...rows);
}
