// Charts over time, by uPlot: stacked series, or one of bars.

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { colour } from "./theme.js";
import { short } from "./format.js";
import { stack } from "./stack.js";

const BARS = 160;

/** Seconds of UTC: days have no zone here. */
export function seconds(day) {
  return Date.parse(`${day}T00:00:00Z`) / 1000;
}

function axes(font) {
  const common = { stroke: colour("--muted"), font, ticks: { stroke: colour("--line"), width: 1, size: 4 } };
  return [
    { ...common, grid: { show: false }, space: 60, size: 44 },
    { ...common, size: 46, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, values: (_, values) => values.map((value) => short(value)) },
  ];
}

/**
 * Draws into `place`. `days` are the beginnings of the buckets, `series` is `[{ values, colour }]` from below, `line` a series
 * beside them, `gaps` are pairs of days without anything, `moved(index)` hears where the pointer is (null: nowhere).
 */
export function drawChart(place, { days, series, line, gaps, moved, height = 320 }) {
  const xs = days.map(seconds);
  const step = xs.length > 1 ? Math.min(...xs.slice(1).map((x, i) => x - xs[i])) : 7 * 86400;
  const sums = stack(series.map((each) => each.values));
  const bars = xs.length <= BARS;
  const paths = bars ? uPlot.paths.bars({ size: [0.86, 72], gap: 0 }) : uPlot.paths.linear();
  // The largest sum is drawn first; the others cover their parts of it.
  const drawn = series.map((each, i) => ({ values: sums[i], spec: { fill: each.colour, stroke: each.colour, width: bars ? 0 : 0.5, paths, points: { show: false } } })).reverse();
  if (line) {
    drawn.push({ values: line, spec: { stroke: colour("--ink"), width: 1.5, dash: [5, 4], points: { show: line.length < 3 } } });
  }
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const options = {
    width: Math.max(200, place.clientWidth),
    height,
    padding: [12, 8, 0, 0],
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"),
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { range: (_, min, max) => [min - step * 0.6, max + step * 0.6] }, y: { range: (_, __, max) => [0, (max || 1) * 1.06] } },
    axes: axes(font),
    series: [{}, ...drawn.map((each) => each.spec)],
    hooks: { drawAxes: [(plot) => shade(plot, gaps ?? [])], setCursor: [(plot) => moved?.(plot.cursor.idx ?? null)] },
  };
  const plot = new uPlot(options, [xs, ...drawn.map((each) => each.values)], place);
  const watcher = new ResizeObserver(() => place.clientWidth && plot.setSize({ width: place.clientWidth, height }));
  watcher.observe(place);
  return {
    point: (index) => plot.setCursor({ left: plot.valToPos(xs[index], "x"), top: 0 }),
    end: () => {
      watcher.disconnect();
      plot.destroy();
    },
  };
}

// Days without anything, as stripes.
function shade(plot, gaps) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const [since, until] of gaps) {
    const from = plot.valToPos(seconds(since), "x", true);
    const to = plot.valToPos(seconds(until) + 86400, "x", true);
    if (to - from < 1 || to < bbox.left || from > bbox.left + bbox.width) continue;
    ctx.fillStyle = colour("--gap");
    ctx.fillRect(from, bbox.top, to - from, bbox.height);
    stripes(ctx, Math.max(from, bbox.left), Math.min(to, bbox.left + bbox.width), bbox);
  }
  ctx.restore();
}

function stripes(ctx, from, to, bbox) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(from, bbox.top, to - from, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour("--gap-line");
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  for (let x = from - bbox.height; x < to; x += 8 * devicePixelRatio) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
  }
  ctx.stroke();
  ctx.restore();
}
