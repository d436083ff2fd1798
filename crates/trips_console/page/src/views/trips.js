// Trips by week, day or month: stacked by region or datasource, beside the year before.

import { h, put, setText } from "../dom.js";
import { get, search } from "../api.js";
import { change, filters, route } from "../route.js";
import { onTheme, seriesColour } from "../theme.js";
import { answerPlace, choose, empty, table } from "../widgets.js";
import { drawChart } from "../chart.js";
import * as format from "../format.js";

const TABLE_ROWS = 200;
const WORDS = { day: "Day", week: "Week of", month: "Month of" };

export const trips = {
  title: "Trips",
  note: "How many trips the history has, over time.",
  filters: ["period", "region", "datasource"],
  mount(root, page) {
    const controls = h("div", { class: "controls" });
    let chart;
    let shown;
    const draw = (answer) => {
      chart?.end();
      chart = undefined;
      shown = answer;
      if (!answer.starts.length) return nothing(page);
      const parts = chartParts(answer);
      // uPlot measures its place, which must be in the page.
      requestAnimationFrame(() => {
        chart?.end();
        if (parts.place.isConnected) chart = parts.draw();
      });
      return [parts.element, dataTable(answer)];
    };
    const answer = answerPlace((signal) => get("trips", question(), signal), draw);
    root.append(controls, answer.place);
    let asked;
    const update = (why) => {
      put(controls, controlsOf());
      const now = JSON.stringify(question());
      if (now !== asked || why === "status") answer.refresh();
      asked = now;
    };
    const stop = onTheme(() => shown && put(answer.place, draw(shown)));
    update();
    return { update, end: () => { stop(); chart?.end(); } };
  },
};

function question() {
  const { since, until, region, datasource } = filters();
  const { period = "week", by = "region", compare } = route().params;
  return { period, by, top: 8, compare, since, until, region, datasource };
}

function controlsOf() {
  const now = question();
  const given = search(filters());
  const compare = h("label", { class: "check" }, h("input", { type: "checkbox", "data-key": "compare", checked: now.compare === "year", on: { change: (event) => change({ compare: event.target.checked ? "year" : "" }) } }), "Compare with the year before");
  const csv = (file, text) => h("a", { class: "download", href: `api/${file}?${given}`, download: "" }, text);
  return [
    choose("Period", [["day", "Days"], ["week", "Weeks"], ["month", "Months"]], now.period, (period) => change({ period })),
    choose("Series", [["region", "Regions"], ["datasource", "Datasources"]], now.by, (by) => change({ by })),
    compare,
    h("span", { class: "downloads" }, csv("trips.csv", "Trips by day (CSV)"), csv("weekly.csv", "Weekly averages (CSV)")),
  ];
}

function nothing(page) {
  if (Object.values(filters()).some(Boolean)) return empty("No trip is like that", "Take a filter away, or choose another period.");
  const loaded = page.status()?.since;
  return loaded ? empty("No trips in this period") : empty("No trips yet", "Load a file, and its trips are here:", "SELECT * FROM trips.ingest('/data/trips.csv');");
}

function nameOf(series, by) {
  if (series.name === null) return "All others";
  return series.name === "" && by === "datasource" ? "(no datasource)" : series.name;
}

function chartParts(answer) {
  const { period, by } = question();
  const totals = answer.starts.map((_, i) => answer.series.reduce((sum, each) => sum + (each.trips[i] ?? 0), 0));
  const colours = answer.series.map((each, i) => seriesColour(i, each.name === null));
  const when = h("p", { class: "legend-when", "aria-live": "polite" });
  const values = answer.series.map(() => h("span", { class: "legend-value" }));
  const before = answer.compare && h("span", { class: "legend-value" });
  const legend = h("ul", { class: "legend" }, answer.series.map((each, i) => h("li", null, swatch(colours[i]), legendName(each, by), values[i])),
    before && h("li", null, h("span", { class: "swatch dashed" }), h("span", { class: "legend-name" }, "The year before"), before));
  const tell = (index) => {
    const at = index === null || index === undefined ? null : index;
    setText(when, at === null ? `${answer.starts[0]} to ${answer.starts.at(-1)}: ${format.plural(totals.reduce((a, b) => a + b, 0), "trip")}` : `${WORDS[period]} ${answer.starts[at]}: ${format.plural(totals[at], "trip")}`);
    const pick = (list) => (at === null ? list.reduce((sum, value) => sum + (value ?? 0), 0) : list[at]);
    answer.series.forEach((each, i) => setText(values[i], format.count(pick(each.trips))));
    if (before) setText(before, format.count(pick(answer.compare.total)));
  };
  tell(null);
  const place = h("div", { class: "chart", tabindex: "0", role: "img", "aria-label": `Trips by ${period}. The arrow keys read the values.` });
  const element = h("div", { class: "chart-frame" }, place, h("div", { class: "chart-side" }, when, legend, answer.gaps.length > 0 && h("p", { class: "gap-note" }, h("span", { class: "swatch gap" }), `No trips: ${gapText(answer.gaps)}`)));
  const draw = () => {
    const chart = drawChart(place, { days: answer.starts, series: answer.series.map((each, i) => ({ values: each.trips, colour: colours[i] })), line: answer.compare?.total, gaps: answer.gaps, moved: tell, height: innerWidth < 700 ? 280 : Math.max(300, Math.min(480, innerHeight - 340)) });
    readByKeys(place, answer.starts.length, (index) => { chart.point(index); tell(index); }, () => tell(null));
    return chart;
  };
  return { element, place, draw };
}

function swatch(colour) {
  return h("span", { class: "swatch", style: { background: colour } });
}

function legendName(series, by) {
  const text = nameOf(series, by);
  if (!series.name) return h("span", { class: "legend-name" }, text);
  const chosen = filters()[by] === series.name;
  return h("button", { type: "button", class: "legend-name", title: chosen ? "Show all again" : "Show this one alone", "data-key": `series-${series.name}`, on: { click: () => change({ [by]: chosen ? "" : series.name }) } }, text);
}

function gapText(gaps) {
  const some = gaps.slice(0, 3).map(([since, until]) => (since === until ? since : `${since} to ${until}`));
  return gaps.length > 3 ? `${some.join(", ")} and ${gaps.length - 3} more` : some.join(", ");
}

function readByKeys(place, length, point, leave) {
  let at = null;
  const moves = { ArrowLeft: () => Math.max(0, (at ?? length) - 1), ArrowRight: () => Math.min(length - 1, (at ?? -1) + 1), Home: () => 0, End: () => length - 1 };
  place.onkeydown = (event) => {
    if (!moves[event.key]) return;
    event.preventDefault();
    at = moves[event.key]();
    point(at);
  };
  place.onblur = place.onpointerleave = () => {
    at = null;
    leave();
  };
}

function dataTable(answer) {
  const { period, by } = question();
  const from = Math.max(0, answer.starts.length - TABLE_ROWS);
  const rows = answer.starts.map((start, i) => ({ start, i })).slice(from).reverse();
  const columns = [
    { name: WORDS[period].split(" ")[0], value: (row) => row.start },
    { name: "All", number: true, value: (row) => format.count(answer.series.reduce((sum, each) => sum + (each.trips[row.i] ?? 0), 0)) },
    ...answer.series.map((each) => ({ name: nameOf(each, by), number: true, value: (row) => format.count(each.trips[row.i]) })),
    ...(answer.compare ? [{ name: "The year before", number: true, value: (row) => format.count(answer.compare.total[row.i]) }] : []),
  ];
  const details = h("details", { class: "as-table" }, h("summary", null, from ? `As a table (the newest ${TABLE_ROWS})` : "As a table"));
  // Made when it is opened: most people look at the chart.
  details.addEventListener("toggle", () => details.open && details.children.length === 1 && details.append(table("Trips", columns, rows)), { once: false });
  return details;
}
