// Sums for stacked charts.

/** Sums of the series up to each: `[[1, 2], [3, 4]]` is drawn as `[[1, 2], [4, 6]]`. Nothing stays nothing. */
export function stack(series) {
  const sums = [];
  for (const values of series) {
    const below = sums.at(-1);
    sums.push(values.map((value, i) => (value === null && (below?.[i] ?? null) === null ? null : (value ?? 0) + (below?.[i] ?? 0))));
  }
  return sums;
}
