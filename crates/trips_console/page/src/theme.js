// Light and dark: the system's, or the one that was chosen here.

const KEY = "trips-console-theme";
const CHOICES = ["auto", "light", "dark"];
const listeners = new Set();
const probe = document.createElement("span");
probe.className = "probe";
const cache = new Map();

function stored() {
  try {
    return CHOICES.find((choice) => choice === localStorage.getItem(KEY)) ?? "auto";
  } catch {
    return "auto"; // storage is refused
  }
}

let theme = stored();
apply();

function apply() {
  document.documentElement.dataset.theme = theme;
  cache.clear();
  for (const listener of listeners) listener();
}

export function currentTheme() {
  return theme;
}

export function nextTheme() {
  theme = CHOICES[(CHOICES.indexOf(theme) + 1) % CHOICES.length];
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It lasts until the page is closed.
  }
  apply();
}

/** What draws on a canvas draws again in other colours; returns what ends that. */
export function onTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);

/** A colour of the style sheet, for a canvas: `colour("--accent")`. */
export function colour(name) {
  if (!cache.has(name)) {
    if (!probe.isConnected) document.body.append(probe);
    probe.style.color = `var(${name})`;
    cache.set(name, getComputedStyle(probe).color);
  }
  return cache.get(name);
}

/** The colours of series, then the one of the rest. */
export function seriesColour(index, isRest) {
  return colour(isRest ? "--rest" : `--series-${(index % 8) + 1}`);
}

/** A step between the palest and the strongest of the scale, 0 to 1, as [r, g, b]. */
export function scale(share) {
  const [from, middle, to] = ["--scale-1", "--scale-2", "--scale-3"].map((name) => parts(colour(name)));
  const [a, b, t] = share < 0.5 ? [from, middle, share * 2] : [middle, to, share * 2 - 1];
  return a.map((value, i) => Math.round(value + (b[i] - value) * t));
}

function parts(text) {
  return text.match(/[\d.]+/g).slice(0, 3).map(Number);
}
