// Drawings of the tabs and buttons, on a field of 24 by 24.

import { svg } from "./dom.js";

const PATHS = {
  now: ["M3 12h4l3-8 4 16 3-8h4"],
  loads: ["M4 6h16M4 12h16M4 18h10"],
  health: ["M12 20s-8-4.6-8-10.4A4.4 4.4 0 0 1 12 7a4.4 4.4 0 0 1 8 2.6C20 15.4 12 20 12 20z"],
  trips: ["M4 20V10M10 20V4M16 20v-8M21 20H3"],
  map: ["M12 3l7.8 4.5v9L12 21l-7.8-4.5v-9z", "M12 12l7.6-4.4M12 12v9M12 12L4.4 7.6"],
  when: ["M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z", "M12 7v5l3.5 2"],
  staging: ["M12 4l9 16H3z", "M12 10v4M12 17v.5"],
  feeds: ["M5 5h14v15H5zM5 10h14M9 3v4M15 3v4"],
  theme: ["M12 3a9 9 0 0 1 0 18z", "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z"],
  filter: ["M4 6h16M7 12h10M10 18h4"],
};

export function icon(name) {
  const paths = (PATHS[name] ?? []).map((d) => svg("path", { d }));
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, paths);
}
