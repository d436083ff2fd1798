// Numbers, sizes, durations and times as people read them.

const WHOLE = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const ONE = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const SHORT = new Intl.NumberFormat("en-GB", { notation: "compact", maximumSignificantDigits: 3 });
const NONE = "–";

/** 1,234,567 */
export function count(value) {
  return value === null || value === undefined ? NONE : WHOLE.format(value);
}

/** 1,234.5 */
export function decimal(value) {
  return value === null || value === undefined ? NONE : ONE.format(value);
}

/** 1.23M, for axes and small places. */
export function short(value) {
  return value === null || value === undefined ? NONE : SHORT.format(value);
}

/** 634.5 MB */
export function bytes(value) {
  if (value === null || value === undefined) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let unit = 0;
  let rest = Number(value);
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= 1000;
    unit += 1;
  }
  return `${unit === 0 || rest >= 99.95 ? WHOLE.format(rest) : ONE.format(rest)} ${units[unit]}`;
}

/** 40 ms, 7.8 s, 7 s, 3 min 12 s, 2 h 5 min, 3 d 4 h */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(Number(seconds))) return NONE;
  const s = Math.max(0, Number(seconds));
  if (s < 0.9995) return `${WHOLE.format(s * 1000)} ms`;
  if (Number.isInteger(s) && s < 60) return `${s} s`;
  if (s < 59.95) return `${ONE.format(s)} s`;
  if (s < 3600) return two(s, 60, "min", 1, "s");
  if (s < 86400) return two(s, 3600, "h", 60, "min");
  return two(s, 86400, "d", 3600, "h");
}

function two(seconds, large, largeName, small, smallName) {
  const smalls = Math.round(seconds / small);
  const each = large / small;
  const rest = smalls % each;
  return `${Math.floor(smalls / each)} ${largeName}${rest ? ` ${rest} ${smallName}` : ""}`;
}

/** "3 min ago", "just now", "in 2 h" */
export function ago(time, now = Date.now()) {
  if (!time) return NONE;
  const seconds = (now - new Date(time).getTime()) / 1000;
  if (Number.isNaN(seconds)) return NONE;
  if (Math.abs(seconds) < 5) return "just now";
  return seconds > 0 ? `${whole(seconds)} ago` : `in ${whole(-seconds)}`;
}

// One unit is enough for an age.
function whole(seconds) {
  const [size, name] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([size]) => seconds >= size) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${name}`;
}

/** The first line of a message: the rest is its detail. */
export function firstLine(text) {
  return String(text ?? "").split("\n", 1)[0];
}

/** 2026-11-26 14:03:22, in the time of the browser */
export function time(value) {
  if (!value) return NONE;
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return String(value);
  const pad = (number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${clock(date)}`;
}

/** 14:03:22 */
export function clock(value) {
  const date = new Date(value);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** The name of a file, and the directory before it. */
export function path(source) {
  const text = String(source ?? "");
  const at = text.lastIndexOf("/");
  return at < 0 || at === text.length - 1 ? ["", text] : [text.slice(0, at + 1), text.slice(at + 1)];
}

/** "1 trip", "2 trips" */
export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** 2026-05-01 plus days. */
export function addDays(day, days) {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}
