// What the console has not counted yet, or not since the last change.

import { h } from "../dom.js";

// Milliseconds until counts are asked for again; the last one repeats.
const AGAIN = [300, 700, 1500];

function span(parts) {
  return `${parts[0][0]} to ${parts.at(-1)[1]}`;
}

export function missingNote({ missing, older }) {
  const notes = [];
  if (missing?.length) notes.push(`Counting ${span(missing)}: these trips come in a moment.`);
  if (older?.length) notes.push(`Trips of ${span(older)} have changed: their counts are renewed in a moment.`);
  return notes.length ? h("p", { class: "counting", role: "status" }, notes.join(" ")) : null;
}

/** Asks again while counts are missing or older: first soon, then more rarely; not when the view has ended. */
export function askAgain(ask) {
  let timer;
  let times = 0;
  let ended = false;
  return {
    after({ missing, older }) {
      clearTimeout(timer);
      if (ended) return;
      if (!missing?.length && !older?.length) {
        times = 0;
        return;
      }
      timer = setTimeout(ask, AGAIN[Math.min(times, AGAIN.length - 1)]);
      times += 1;
    },
    stop: () => clearTimeout(timer),
    end() {
      ended = true;
      clearTimeout(timer);
    },
  };
}
