// Where trips begin or end: H3 cells, as fine as the zoom allows.

import { debounce, h, put } from "../dom.js";
import { Fault, get, latest } from "../api.js";
import { change, filters, route } from "../route.js";
import { choose, empty, faultBox, table } from "../widgets.js";
import { areaOf, areaPanel, cornersOf, takeArea } from "./area.js";
import { mapCanvas } from "./mapcanvas.js";
import { askAgain, missingNote } from "./missing.js";
import { project, unproject } from "../mercator.js";
import * as format from "../format.js";

const FLOWS = 60;
const NEAR = 0.45;
// Cells of about 15 pixels.
const FINER = 1.2;
const COARSER = 0.4;

export const map = {
  title: "Map",
  note: "Where trips begin or end, as H3 cells.",
  filters: ["period", "region", "datasource"],
  monthly: true,
  mount(root, page) {
    const parts = {
      page,
      controls: h("div", { class: "controls" }),
      tip: h("div", { class: "map-tip", hidden: true }),
      status: h("div", { class: "map-status" }),
      busiest: h("details", { class: "as-table", hidden: true }),
      state: { mode: "pan", asked: "", fitted: "", bounds: null },
    };
    parts.map = mapCanvas({ moved: () => parts.moved(), drawn: (area) => { setMode(parts, "pan"); takeArea(area); }, hovered: (cell, pixel) => tip(parts, cell, pixel), modeEnded: () => setMode(parts, "pan") });
    parts.area = areaPanel(() => parts.map.camera.bounds());
    const zoom = h("div", { class: "map-zoom" }, [["Zoom in", "+", 1], ["Zoom out", "−", -1]].map(([label, text, step]) => h("button", { type: "button", "aria-label": label, title: label, on: { click: () => parts.map.zoom(step) } }, text)), h("button", { type: "button", "aria-label": "Show all trips", title: "Show all trips", on: { click: () => parts.state.bounds && parts.map.fit(parts.state.bounds) } }, "⤢"));
    const frame = h("div", { class: "map-frame" }, parts.map.canvas, zoom, parts.tip);
    root.append(parts.controls, h("div", { class: "map-columns" }, h("div", { class: "map-left" }, frame, parts.status, parts.busiest), parts.area.element));
    parts.map.resize();
    parts.ask = latest((signal) => askCells(parts, signal));
    parts.again = askAgain(parts.ask);
    const later = debounce(200, () => { remember(parts); parts.ask(); });
    parts.moved = later;
    const update = (why) => updateMap(parts, why);
    update();
    return { update, end: () => { parts.again.end(); parts.ended = true; parts.map.end(); parts.area.end(); } };
  },
};

function updateMap(parts, why) {
  const { at, which = "origin", flows } = route().params;
  put(parts.controls, controlsOf(parts));
  parts.map.setArea(cornersOf(areaOf(route().params)));
  parts.area.update();
  const place = at?.split(",").map(Number);
  if (place?.length === 3 && place.every(Number.isFinite) && at !== parts.state.at) {
    const { camera } = parts.map;
    camera.center = project([place[0], place[1]]);
    camera.zoom = place[2];
    parts.state.fitted = fitKey();
    parts.state.at = at;
    parts.map.redraw();
  }
  const asked = JSON.stringify([filters(), which, flows, at]);
  if (asked !== parts.state.asked || why === "status") parts.ask();
  parts.state.asked = asked;
}

// Another region or datasource is at another place; another period is not.
function fitKey() {
  const { region = "", datasource = "" } = filters();
  return JSON.stringify([region, datasource]);
}

function controlsOf(parts) {
  const { which = "origin", flows } = route().params;
  const mode = parts.state.mode;
  const draw = (name, text) => h("button", { type: "button", "aria-pressed": String(mode === name), "data-key": `draw-${name}`, on: { click: () => setMode(parts, mode === name ? "pan" : name) } }, text);
  return [
    choose("End of the trips", [["origin", "Origins"], ["destination", "Destinations"]], which, (value) => change({ which: value })),
    h("div", { class: "choose", role: "group", "aria-label": "Draw" }, draw("box", "Draw a box"), draw("polygon", "Draw a polygon")),
    h("label", { class: "check" }, h("input", { type: "checkbox", "data-key": "flows", checked: flows === "1", on: { change: (event) => change({ flows: event.target.checked ? "1" : "" }) } }), "Flows"),
    mode === "box" && h("span", { class: "hint" }, "Drag over the map. Escape ends it."),
    mode === "polygon" && h("span", { class: "hint" }, "Click the corners; double click or Enter closes it."),
  ];
}

function setMode(parts, mode) {
  parts.state.mode = mode;
  parts.map.setMode(mode);
  put(parts.controls, controlsOf(parts));
}

function remember(parts) {
  if (parts.ended) return;
  const { center, zoom } = parts.map.camera;
  const [lon, lat] = unproject(center);
  const digits = Math.max(2, Math.ceil(zoom / 3));
  parts.state.at = `${lon.toFixed(digits)},${lat.toFixed(digits)},${zoom.toFixed(2)}`;
  parts.state.asked = JSON.stringify([filters(), route().params.which ?? "origin", route().params.flows, parts.state.at]);
  change({ at: parts.state.at }, true);
}

async function askCells(parts, signal) {
  const { map, state } = parts;
  parts.again.stop();
  map.canvas.setAttribute("aria-busy", "true");
  // After a move to the trips, the next call shows them.
  let isShown = true;
  let found;
  try {
    if (state.fitted !== fitKey() && (await fitFirst(parts, signal))) {
      isShown = false;
      return;
    }
    const [west, south, east, north] = map.camera.bounds();
    const window = { ...filters(), which: route().params.which ?? "origin", west, south, east, north, zoom: (map.camera.zoom + FINER).toFixed(2) };
    found = await get("cells", window, signal);
    map.setCells(found.cells);
    state.bounds = found.bounds;
    put(parts.status, statusOf(found));
    showBusiest(parts, found);
    map.setFlows(route().params.flows === "1" ? await flowsOf(window, map.camera.zoom, signal) : null);
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    put(parts.status, faultBox(fault, () => parts.ask()));
  } finally {
    if (!signal.aborted && isShown) map.canvas.removeAttribute("aria-busy");
    // Not before the flows are there: the next call would end them.
    if (!signal.aborted && found) parts.again.after(found);
  }
}

// Between fewer, larger cells: arcs of neighbours would cover one another.
async function flowsOf(window, zoom, signal) {
  const { flows } = await get("flows", { ...window, zoom: (zoom - COARSER).toFixed(2), limit: 2 * FLOWS }, signal);
  return flows.filter(({ from, to }) => from.cell !== to.cell).slice(0, FLOWS);
}

/** Goes to where the trips are; true if that asks again by itself. */
async function fitFirst(parts, signal) {
  const whole = { ...filters(), which: route().params.which ?? "origin", resolution: 6 };
  const found = await get("cells", whole, signal);
  // Nothing is counted yet: the place is not known.
  if (!found.cells.length && found.missing?.length) {
    put(parts.status, missingNote(found));
    parts.again.after(found);
    return true;
  }
  parts.state.fitted = fitKey();
  if (!found.cells.length) return false;
  parts.map.fit(busyPart(found));
  return true;
}

// Regions are far from one another: the first look is at the busiest one, not at the sea between.
function busyPart({ cells }) {
  const middle = (cell) => [0, 1].map((i) => cell.corners.reduce((sum, corner) => sum + corner[i], 0) / cell.corners.length);
  const [lon, lat] = middle(cells[0]);
  const near = cells.filter((cell) => {
    const [x, y] = middle(cell);
    return Math.abs(x - lon) < NEAR * 2 && Math.abs(y - lat) < NEAR;
  });
  const heavy = near.filter((cell) => cell.trips > cells[0].trips / 50).flatMap((cell) => cell.corners);
  const [lons, lats] = [0, 1].map((i) => heavy.map((corner) => corner[i]));
  return [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
}

function statusOf(found) {
  if (!found.cells.length && !found.missing?.length) {
    return found.bounds ? empty("No trips in this window", "Zoom out, or show all trips with the button on the map.") : empty("No trips here", "Choose another period or region, or load a file:", "SELECT * FROM trips.ingest('/data/trips.csv');");
  }
  const most = found.cells[0]?.trips ?? 0;
  const least = found.cells.at(-1)?.trips ?? 0;
  return [
    h("p", { class: "facts-line" }, h("strong", null, format.plural(found.total, "trip")), ` in this window, ${found.since} to ${found.until}. ${format.plural(found.cells.length, "cell")} of resolution ${found.resolution}${found.cut ? ", the busiest ones" : ""}.`),
    h("p", { class: "scale-line" }, h("span", null, format.count(least)), h("span", { class: "scale-bar", "aria-hidden": "true" }), h("span", null, `${format.count(most)} trips a cell`)),
    missingNote(found),
  ];
}

function showBusiest(parts, found) {
  const columns = [
    { name: "Cell", value: (cell) => h("code", null, cell.cell) },
    { name: "Trips", number: true, value: (cell) => format.count(cell.trips) },
    { name: "", value: (cell) => h("button", { type: "button", class: "small", "data-key": cell.cell, "aria-label": `Take cell ${cell.cell} as the area`, on: { click: () => { parts.map.choose(cell.cell); takeArea({ polygon: cell.corners }); } } }, "Take as area") },
  ];
  const open = parts.busiest.open;
  put(parts.busiest, h("summary", null, "The busiest cells as a table"), table("Busiest cells", columns, found.cells.slice(0, 20)));
  parts.busiest.open = open;
  parts.busiest.hidden = !found.cells.length;
}

function tip({ tip: element, map: { camera } }, cell, pixel) {
  element.hidden = !cell;
  if (!cell) return;
  put(element, h("strong", null, format.plural(cell.trips, "trip")), h("code", null, cell.cell));
  element.style.left = `${Math.min(pixel[0] + 14, camera.width - 190)}px`;
  element.style.top = `${Math.max(8, pixel[1] - 44)}px`;
}
