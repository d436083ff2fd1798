// Rows that wait for a decision: why, which, and what would mend them.

import { debounce, h, put } from "../dom.js";
import { get } from "../api.js";
import { listen } from "../live.js";
import { change, filters, route } from "../route.js";
import { answerPlace, empty } from "../widgets.js";
import { badLines, explainTable } from "./load.js";
import * as format from "../format.js";

export const staging = {
  title: "Staging",
  note: "Records that loads could not take, by reason. Nothing is lost: they wait here.",
  filters: ["period", "feed"],
  mount(root) {
    const groups = answerPlace((signal) => get("staging", question(), signal), (answer) => listOf(answer));
    const one = h("aside", { class: "detail", hidden: true, "aria-label": "Staged rows of a load" });
    const heading = h("h2", { tabindex: "-1" });
    const detail = answerPlace((signal, id) => get(`staging/${encodeURIComponent(id)}`, {}, signal), explained);
    const close = h("button", { type: "button", class: "quiet small close", on: { click: () => change({ load: "" }) } }, "Close");
    one.append(h("div", { class: "detail-head" }, heading, close), detail.place);
    one.addEventListener("keydown", (event) => event.key === "Escape" && change({ load: "" }));
    root.append(h("div", { class: "ledger" }, groups.place, one));
    let asked;
    let shown;
    const update = (why) => {
      const now = JSON.stringify(question());
      if (now !== asked || why === "status") groups.refresh();
      asked = now;
      const id = route().params.load;
      one.hidden = !id;
      if (id && id !== shown) {
        put(heading, `Load ${id}`);
        detail.refresh(id);
        requestAnimationFrame(() => heading.focus({ preventScroll: false }));
      }
      shown = id;
    };
    const soon = debounce(500, () => groups.refresh());
    const stop = listen((kind, event) => kind === "load" && event.state !== "running" && soon());
    update();
    return { update, end: stop };
  },
};

function question() {
  const { since, until, feed } = filters();
  return { since, until, feed };
}

function listOf({ groups, total, cut }) {
  if (!groups.length) {
    const filtered = Object.values(question()).some(Boolean);
    return empty("Nothing waits", filtered ? "No staged row is of this period and feed." : "All rows that loads have read are in the history, or were there already.");
  }
  const most = Math.max(...groups.map((group) => group.records));
  return [
    h("p", { class: "facts-line" }, h("strong", null, `${cut ? "More than " : ""}${format.plural(total, "row")}`), ` in ${format.plural(groups.length, "group")}`),
    h("ul", { class: "groups" }, groups.map((group) => groupOf(group, most))),
  ];
}

function groupOf(group, most) {
  const loads = group.load_ids.map((id) =>
    h("button", { type: "button", class: "small", "data-key": `explain-${id}-${group.reason}`, "aria-label": `Explain load ${id}`, on: { click: () => change({ load: id }) } }, `Load ${id}`));
  return h("li", { class: "group" },
    h("div", { class: "group-head" },
      h("span", { class: "group-count" }, format.count(group.records)),
      h("div", null,
        h("p", { class: "group-reason" }, group.reason ?? "not checked yet"),
        h("p", { class: "group-where" }, group.column_name && [h("code", null, group.column_name), " · "], group.code ? `SQLSTATE ${group.code}` : "rows of another writer"))),
    h("div", { class: "group-bar", "aria-hidden": "true", style: { "--share": String(group.records / most) } }),
    badLines(group.samples.map((sample) => ({ ...sample, reason: sample.value && sample.value !== sample.raw_line ? sample.value : "" }))),
    loads.length > 0 && h("div", { class: "group-loads" }, h("span", null, "Explain:"), loads));
}

function explained({ explain, rows }) {
  if (!explain?.length && !rows?.length) {
    return h("p", { class: "nothing" }, explain === null ? "This role may not ask trips.explain_staged(): trips.grant_loader() allows it." : "No row of this load waits any more.");
  }
  return [explainTable(explain), rows?.length > 0 && [h("h3", null, rows.length < 100 ? "Its rows" : "Its first 100 rows"), badLines(rows)]];
}
