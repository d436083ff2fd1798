// Draws the map: a net of degrees, cells by trips, flows, what is being drawn.

import { colour, scale } from "../theme.js";
import { project } from "../mercator.js";

const STEPS = 12;
const NETS = [90, 45, 30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];

/** Makes cells ready to be drawn: corners in the world, the step of the scale. */
export function prepare(cells) {
  const most = Math.max(1, ...cells.map((cell) => cell.trips));
  const least = Math.max(1, Math.min(most, ...cells.map((cell) => cell.trips)));
  const span = Math.log(most / least) || 1;
  return cells.map((cell) => ({
    ...cell,
    world: unwrap(cell.corners).map(project),
    step: Math.round((Math.log(Math.max(cell.trips, 1) / least) / span) * (STEPS - 1)),
  }));
}

// A cell over the meridian of 180 degrees has corners on both sides of the map.
function unwrap(corners) {
  const first = corners[0][0];
  return corners.map(([lon, lat]) => [lon - first > 180 ? lon - 360 : lon - first < -180 ? lon + 360 : lon, lat]);
}

export function draw(context, camera, { cells, flows, area, draft, chosen }) {
  const ratio = devicePixelRatio;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = colour("--map");
  context.fillRect(0, 0, camera.width, camera.height);
  net(context, camera);
  drawCells(context, camera, cells);
  if (flows) drawFlows(context, camera, flows);
  if (chosen) outline(context, camera, chosen.world, colour("--ink"), 2);
  if (area) shape(context, area.map((place) => camera.toScreen(place)), true);
  if (draft?.length) shape(context, draft, draft.closed);
  names(context, camera);
  ruler(context, camera);
}

/** The lines of the net: degrees and pixels. */
function lines(camera) {
  const [west, south, east, north] = camera.bounds();
  const step = NETS.findLast((each) => (east - west) / each < camera.width / 90) ?? 90;
  const every = (from, to, pixel) => {
    const found = [];
    for (let degree = Math.ceil(from / step) * step; degree <= to; degree += step) found.push([degree, Math.round(pixel(degree)) + 0.5]);
    return found;
  };
  return { digits: Math.max(0, Math.ceil(-Math.log10(step))), lons: every(west, east, (lon) => camera.toScreen([lon, 0])[0]), lats: every(south, north, (lat) => camera.toScreen([0, lat])[1]) };
}

function net(context, camera) {
  const { lons, lats } = lines(camera);
  context.strokeStyle = colour("--map-net");
  context.lineWidth = 1;
  context.beginPath();
  for (const [, x] of lons) {
    context.moveTo(x, 0);
    context.lineTo(x, camera.height);
  }
  for (const [, y] of lats) {
    context.moveTo(0, y);
    context.lineTo(camera.width, y);
  }
  context.stroke();
}

// Above the cells, on the colour of the map, so that they are read everywhere.
function names(context, camera) {
  const { digits, lons, lats } = lines(camera);
  context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeStyle = colour("--map");
  context.fillStyle = colour("--muted");
  const write = (text, x, y) => {
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  };
  for (const [lon, x] of lons) if (x > 30) write(degrees(lon, digits, "E", "W"), x + 4, 13);
  for (const [lat, y] of lats) if (y > 24 && y < camera.height - 40) write(degrees(lat, digits, "N", "S"), 5, y - 4);
}

function degrees(value, digits, positive, negative) {
  return `${Math.abs(value).toFixed(digits)}°${value > 0 ? positive : value < 0 ? negative : ""}`;
}

function path(context, camera, world) {
  world.forEach((point, i) => context[i ? "lineTo" : "moveTo"](...camera.worldToScreen(point)));
  context.closePath();
}

// One path for each step of the scale: thousands of cells are drawn in a few strokes.
function drawCells(context, camera, cells) {
  context.lineWidth = 0.75;
  context.strokeStyle = colour("--map");
  for (let step = 0; step < STEPS; step += 1) {
    const [r, g, b] = scale(step / (STEPS - 1));
    context.beginPath();
    for (const cell of cells) if (cell.step === step) path(context, camera, cell.world);
    context.fillStyle = `rgb(${r} ${g} ${b} / 0.92)`;
    context.fill();
    context.stroke();
  }
}

function outline(context, camera, world, stroke, width) {
  context.beginPath();
  path(context, camera, world);
  context.strokeStyle = stroke;
  context.lineWidth = width;
  context.stroke();
}

function shape(context, points, closed) {
  context.beginPath();
  points.forEach((point, i) => context[i ? "lineTo" : "moveTo"](...point));
  if (closed) context.closePath();
  context.save();
  context.globalAlpha = 0.1;
  context.fillStyle = colour("--mark");
  if (closed) context.fill();
  context.restore();
  context.strokeStyle = colour("--mark");
  context.lineWidth = 2;
  context.stroke();
  context.fillStyle = colour("--mark");
  for (const [x, y] of points) context.fillRect(x - 3, y - 3, 6, 6);
}

// Arcs from the origin; the dot is at the destination.
function drawFlows(context, camera, flows) {
  const most = Math.max(1, ...flows.map((flow) => flow.trips));
  context.strokeStyle = context.fillStyle = colour("--mark");
  for (const { from, to, trips } of flows) {
    const [x0, y0] = camera.toScreen(from.center);
    const [x1, y1] = camera.toScreen(to.center);
    const share = Math.sqrt(trips / most);
    context.globalAlpha = 0.25 + 0.6 * share;
    context.lineWidth = 0.75 + 3 * share;
    context.beginPath();
    context.moveTo(x0, y0);
    context.quadraticCurveTo((x0 + x1) / 2 + (y1 - y0) * 0.18, (y0 + y1) / 2 - (x1 - x0) * 0.18, x1, y1);
    context.stroke();
    context.beginPath();
    context.arc(x1, y1, 1.5 + 2 * share, 0, 7);
    context.fill();
  }
  context.globalAlpha = 1;
}

function ruler(context, camera) {
  const metres = camera.metres();
  const size = 10 ** Math.floor(Math.log10(metres * 110));
  const length = [5, 2, 1].map((each) => each * size).find((each) => each <= metres * 110) ?? size;
  const [x, y, width] = [14, camera.height - 14, length / metres];
  context.strokeStyle = context.fillStyle = colour("--ink");
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x, y - 5);
  context.lineTo(x, y);
  context.lineTo(x + width, y);
  context.lineTo(x + width, y - 5);
  context.stroke();
  context.fillText(length >= 1000 ? `${length / 1000} km` : `${length} m`, x + 5, y - 6);
}
