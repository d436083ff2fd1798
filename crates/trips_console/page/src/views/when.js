// When trips begin: weekdays by hours.

import { h } from "../dom.js";
import { get } from "../api.js";
import { filters } from "../route.js";
import { onTheme, scale } from "../theme.js";
import { answerPlace, empty } from "../widgets.js";
import { askAgain, missingNote } from "./missing.js";
import * as format from "../format.js";

const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const HOURS = Array.from({ length: 24 }, (_, hour) => hour);

export const when = {
  title: "When",
  note: "Weekdays and hours at which trips begin, local time.",
  filters: ["period", "region", "datasource"],
  monthly: true,
  mount(root) {
    let asked;
    const answer = answerPlace((signal) => get("when", question(), signal), (found) => {
      again.after(found);
      return [missingNote(found), heat(found)];
    });
    const again = askAgain(() => answer.refresh());
    root.append(answer.place);
    const update = (why) => {
      const now = JSON.stringify(question());
      if (now !== asked || why === "status") answer.refresh();
      asked = now;
    };
    const stop = onTheme(() => answer.refresh());
    update();
    return { update, end: () => { stop(); again.end(); } };
  },
};

function question() {
  const { since, until, region, datasource } = filters();
  return { since, until, region, datasource };
}

function heat({ counts, since, until }) {
  const sums = counts.map((row) => row.reduce((a, b) => a + b, 0));
  const total = sums.reduce((a, b) => a + b, 0);
  if (!total) return empty("No trips here", "Choose another period or region, or load a file:", "SELECT * FROM trips.ingest('/data/trips.csv');");
  const hours = HOURS.map((hour) => counts.reduce((sum, row) => sum + row[hour], 0));
  const most = Math.max(...counts.flat());
  const day = sums.indexOf(Math.max(...sums));
  const peak = counts[day] && place(counts, most);
  const cell = (value, name) => {
    const [r, g, b] = scale(value / most);
    // Dark text on pale fields, pale text on dark ones.
    const light = 0.299 * r + 0.587 * g + 0.114 * b > 140;
    return h("td", { class: light ? "heat on-light" : "heat on-dark", title: `${name}: ${format.plural(value, "trip")}`, style: { background: `rgb(${r} ${g} ${b})` } }, h("span", null, format.short(value)));
  };
  const sumCell = (value, of) => h("td", { class: "sum", title: format.plural(value, "trip") }, h("span", { class: "sum-bar", style: { "--share": String(value / of) } }), h("span", null, format.short(value)));
  const head = h("tr", null, h("th", { scope: "col" }, h("span", { class: "unseen" }, "Weekday")), HOURS.map((hour) => h("th", { scope: "col" }, String(hour).padStart(2, "0"))), h("th", { scope: "col" }, "Day"));
  const rows = DAYS.map((name, i) => h("tr", null, h("th", { scope: "row" }, h("span", { class: "long" }, name), h("span", { class: "brief", "aria-hidden": "true" }, name.slice(0, 2))), counts[i].map((value, hour) => cell(value, `${name}, ${hour}:00`)), sumCell(sums[i], Math.max(...sums))));
  const foot = h("tr", null, h("th", { scope: "row" }, "Hour"), hours.map((value) => h("td", { class: "hour-sum", title: format.plural(value, "trip") }, h("span", null, format.short(value)), h("span", { class: "hour-bar", style: { "--share": String(value / Math.max(...hours)) } }))), h("td", { class: "sum" }, format.short(total)));
  return [
    h("p", { class: "facts-line" }, h("strong", null, format.plural(total, "trip")), ` from ${since} to ${until}. Most: ${DAYS[peak[0]]} at ${String(peak[1]).padStart(2, "0")}:00 (${format.count(most)}).`),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Trips by weekday and hour" }, h("table", { class: "heat-table" }, h("caption", { class: "unseen" }, "Trips by weekday and hour"), h("thead", null, head), h("tbody", null, rows), h("tfoot", null, foot))),
  ];
}

function place(counts, value) {
  const day = counts.findIndex((row) => row.includes(value));
  return [day, counts[day].indexOf(value)];
}
