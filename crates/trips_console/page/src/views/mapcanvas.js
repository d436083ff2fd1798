// The canvas of the map: moving, zooming and drawing by pointer and by keyboard.

import { h } from "../dom.js";
import { Camera } from "../mercator.js";
import { onTheme } from "../theme.js";
import { draw, prepare } from "./mapdraw.js";

const CLOSE = 10;
const STEP = 80;

/** `moved()` after each move, `drawn({ box } or { polygon })` when an area is whole, `hovered(cell, pixel)`, `modeEnded()`. */
export function mapCanvas({ moved, drawn, hovered, modeEnded }) {
  const canvas = h("canvas", { class: "map-canvas", tabindex: "0", role: "application", "aria-roledescription": "map", "aria-label": "Map of trips. Arrow keys move it, plus and minus zoom. The fields beside it select an area without a pointer." });
  const context = canvas.getContext("2d");
  const camera = new Camera();
  const scene = { cells: [], flows: null, area: null, draft: null, chosen: null };
  const state = { mode: "pan", pointers: new Map(), from: null, far: false };
  let frame = 0;
  const redraw = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      draw(context, camera, scene);
    });
  };
  const resize = () => {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (!width) return;
    Object.assign(camera, { width, height });
    Object.assign(canvas, { width: width * devicePixelRatio, height: height * devicePixelRatio });
    redraw();
  };
  const watcher = new ResizeObserver(resize);
  watcher.observe(canvas);
  const endTheme = onTheme(redraw);
  const tools = { canvas, camera, scene, state, redraw, moved, hovered, finish, setMode };

  function finish(area) {
    scene.draft = null;
    setMode("pan");
    redraw();
    if (area) drawn(area);
    else modeEnded();
  }
  function setMode(mode) {
    state.mode = mode;
    scene.draft = null;
    canvas.dataset.mode = mode;
    redraw();
  }
  setMode("pan");
  byPointer(tools);
  byKeys(tools);
  return {
    canvas, camera, resize, redraw, setMode,
    zoom: (step) => { camera.zoomAt([camera.width / 2, camera.height / 2], step); redraw(); moved(); },
    fit: (bounds) => { camera.fit(bounds); redraw(); moved(); },
    setCells: (cells) => { scene.cells = prepare(cells); scene.chosen = null; redraw(); },
    setFlows: (flows) => { scene.flows = flows; redraw(); },
    setArea: (area) => { scene.area = area; redraw(); },
    choose: (name) => { scene.chosen = scene.cells.find((cell) => cell.cell === name) ?? null; redraw(); },
    end: () => { watcher.disconnect(); endTheme(); cancelAnimationFrame(frame); },
  };
}

function pixelOf(canvas, event) {
  const { left, top } = canvas.getBoundingClientRect();
  return [event.clientX - left, event.clientY - top];
}

function byPointer(tools) {
  const { canvas, camera, state, redraw, moved } = tools;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    const pixel = pixelOf(canvas, event);
    state.pointers.set(event.pointerId, pixel);
    Object.assign(state, { from: pixel, far: false, boxing: state.mode === "box" || (state.mode === "pan" && event.shiftKey) });
  });
  canvas.addEventListener("pointermove", (event) => {
    const pixel = pixelOf(canvas, event);
    const before = state.pointers.get(event.pointerId);
    if (!before) return hover(tools, pixel);
    state.far ||= Math.hypot(pixel[0] - state.from[0], pixel[1] - state.from[1]) > 4;
    if (state.pointers.size === 2) pinch(tools, event.pointerId, pixel);
    else if (state.boxing) tools.scene.draft = Object.assign(corners(state.from, pixel), { closed: true });
    else if (state.far) camera.move([pixel[0] - before[0], pixel[1] - before[1]]);
    state.pointers.set(event.pointerId, pixel);
    redraw();
  });
  const up = (event) => {
    if (!state.pointers.delete(event.pointerId)) return;
    const pixel = pixelOf(canvas, event);
    if (state.boxing) endBox(tools, pixel);
    else if (!state.far && state.mode === "polygon") addCorner(tools, pixel);
    else if (state.far) moved();
    state.boxing = false;
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => tools.hovered(null));
  canvas.addEventListener("dblclick", (event) => (state.mode === "polygon" ? endPolygon(tools) : zoomBy(event, 1)));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomBy(event, Math.max(-1, Math.min(1, -event.deltaY / 240)));
  }, { passive: false });
  function zoomBy(event, step) {
    camera.zoomAt(pixelOf(canvas, event), step);
    redraw();
    moved();
  }
}

function corners([x0, y0], [x1, y1]) {
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
}

function pinch({ camera, state }, id, pixel) {
  const [other] = [...state.pointers].filter(([each]) => each !== id).map(([, place]) => place);
  const before = state.pointers.get(id);
  const distance = ([x, y]) => Math.hypot(x - other[0], y - other[1]) || 1;
  const middle = [(pixel[0] + other[0]) / 2, (pixel[1] + other[1]) / 2];
  camera.zoomAt(middle, Math.log2(distance(pixel) / distance(before)));
  camera.move([(pixel[0] - before[0]) / 2, (pixel[1] - before[1]) / 2]);
}

function endBox(tools, pixel) {
  const { camera, state, finish } = tools;
  if (!state.far) return finish(null);
  const [a, b] = [camera.toPlace(state.from), camera.toPlace(pixel)];
  finish({ box: [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])] });
}

function addCorner(tools, pixel) {
  const draft = tools.scene.draft ?? Object.assign([], { closed: false });
  const first = draft[0];
  if (draft.length >= 3 && Math.hypot(pixel[0] - first[0], pixel[1] - first[1]) < CLOSE) return endPolygon(tools);
  draft.push(pixel);
  tools.scene.draft = draft;
  tools.redraw();
}

function endPolygon(tools) {
  const { camera, scene, finish } = tools;
  // A double click has put the last corner twice.
  const draft = (scene.draft ?? []).filter((point, i, all) => i === 0 || Math.hypot(point[0] - all[i - 1][0], point[1] - all[i - 1][1]) > 3);
  if (draft.length >= 3) finish({ polygon: draft.map((pixel) => camera.toPlace(pixel)) });
  else finish(null);
}

function hover({ camera, scene, hovered }, pixel) {
  const [x, y] = camera.toWorld(pixel);
  const inside = (world) => {
    let odd = false;
    for (let i = 0, j = world.length - 1; i < world.length; j = i, i += 1) {
      const [[xi, yi], [xj, yj]] = [world[i], world[j]];
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
    }
    return odd;
  };
  hovered(scene.cells.find((cell) => inside(cell.world)) ?? null, pixel);
}

function byKeys(tools) {
  const { canvas, camera, state, redraw, moved, finish } = tools;
  const middle = () => [camera.width / 2, camera.height / 2];
  const keys = {
    ArrowLeft: () => camera.move([STEP, 0]),
    ArrowRight: () => camera.move([-STEP, 0]),
    ArrowUp: () => camera.move([0, STEP]),
    ArrowDown: () => camera.move([0, -STEP]),
    "+": () => camera.zoomAt(middle(), 0.5),
    "=": () => camera.zoomAt(middle(), 0.5),
    "-": () => camera.zoomAt(middle(), -0.5),
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && state.mode !== "pan") return finish(null);
    if (event.key === "Enter" && state.mode === "polygon") return endPolygon(tools);
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
    redraw();
    moved();
  });
}
