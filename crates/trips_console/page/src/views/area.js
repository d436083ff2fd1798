// The panel beside the map: an area by its four edges, and how many trips a week it has.

import { h, put } from "../dom.js";
import { post } from "../api.js";
import { change, filters, route } from "../route.js";
import { answerPlace, field, snippet } from "../widgets.js";
import { colour } from "../theme.js";
import { drawChart } from "../chart.js";
import * as format from "../format.js";

const EDGES = ["west", "south", "east", "north"];

/** The area of the address: `{ box }`, `{ polygon }` or nothing. */
export function areaOf(params) {
  const numbers = (text) => text.split(/[ ,]/).map(Number);
  if (params.box) {
    const box = numbers(params.box);
    return box.length === 4 && box.every(Number.isFinite) ? { box } : null;
  }
  if (!params.polygon) return null;
  const polygon = params.polygon.split(";").map(numbers);
  return polygon.length >= 3 && polygon.every((place) => place.length === 2 && place.every(Number.isFinite)) ? { polygon } : null;
}

/** The corners of an area. */
export function cornersOf(area) {
  if (!area) return null;
  if (area.polygon) return area.polygon;
  const [west, south, east, north] = area.box;
  return [[west, south], [east, south], [east, north], [west, north]];
}

const round = (degrees) => Math.round(degrees * 1e5) / 1e5;

/** Writes an area into the address. */
export function takeArea(area) {
  change({
    box: area?.box ? area.box.map(round).join(",") : "",
    polygon: area?.polygon ? area.polygon.map((place) => place.map(round).join(" ")).join(";") : "",
  });
}

export function areaPanel(bounds) {
  const inputs = EDGES.map((name) => h("input", { type: "number", step: "any", inputmode: "decimal", name, "data-key": name, required: true }));
  const form = h("form", { class: "area-form", "aria-label": "Area", on: { submit } },
    h("div", { class: "area-fields" }, EDGES.map((name, i) => field(name[0].toUpperCase() + name.slice(1), inputs[i]))),
    h("div", { class: "action-row" },
      h("button", { type: "submit", class: "main" }, "Count trips"),
      h("button", { type: "button", on: { click: () => takeArea({ box: bounds() }) } }, "Use map window")));
  const result = h("div", { class: "area-result" });
  let chart;
  const answer = answerPlace((signal) => post("area", question(), signal), (found) => {
    chart?.end();
    return show(found, (made) => (chart = made));
  }, { "aria-live": "polite" });
  function submit(event) {
    event.preventDefault();
    takeArea({ box: inputs.map((input) => Number(input.value)) });
  }
  let asked = "";
  function update() {
    const area = areaOf(route().params);
    const now = JSON.stringify(question());
    const box = area?.box ?? (area && edges(area.polygon));
    if (now !== asked && box) inputs.forEach((input, i) => (input.value = round(box[i])));
    if (!area) put(result, h("p", { class: "nothing" }, "Draw a box or a polygon on the map, or type its edges in degrees: this shows how many trips a week it has."));
    else if (now !== asked) {
      if (!answer.place.isConnected) put(result, answer.place, h("button", { type: "button", class: "quiet small", on: { click: () => takeArea(null) } }, "Remove the area"));
      answer.refresh();
    }
    asked = area ? now : "";
  }
  return { element: h("section", { class: "area-panel", "aria-label": "Area" }, h("h2", null, "Trips of an area"), form, result), update, end: () => chart?.end() };
}

function edges(polygon) {
  const [lons, lats] = [0, 1].map((i) => polygon.map((place) => place[i]));
  return [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
}

function question() {
  const { since, until } = filters();
  return { ...areaOf(route().params), which: route().params.which ?? "origin", since, until };
}

function show(found, made) {
  const ignored = ["region", "datasource"].filter((name) => filters()[name]);
  const place = h("div", { class: "chart small-chart" });
  if (found.weeks.length > 1) {
    requestAnimationFrame(() => place.isConnected && made(drawChart(place, { days: found.weeks.map((row) => row.week), series: [{ values: found.weeks.map((row) => row.trips), colour: colour("--accent") }], height: 150 })));
  }
  return [
    h("dl", { class: "big" },
      h("div", null, h("dt", null, "Trips a week"), h("dd", { class: "area-average" }, format.decimal(found.weekly_avg === null ? null : Number(found.weekly_avg)))),
      h("div", null, h("dt", null, "Trips"), h("dd", { class: "area-trips" }, format.count(found.trips))),
      h("div", null, h("dt", null, "Weeks"), h("dd", null, format.count(found.weeks.length)))),
    found.weeks.length > 1 && place,
    ignored.length > 0 && h("p", { class: "hint" }, `Trips of the area, whatever their ${ignored.join(" and ")}.`),
    found.sql && snippet(`${found.sql};`),
  ];
}
