// What the console has not counted yet.

import { h } from "../dom.js";

export function missingNote({ missing }) {
  if (!missing?.length) return null;
  const [since] = missing[0];
  const until = missing.at(-1)[1];
  return h("p", { class: "counting", role: "status" }, `Counting ${since} to ${until}: these trips come in a moment.`);
}
