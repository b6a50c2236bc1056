/** Percentiles of a histogram with buckets. Pure. */

/**
 * The value below which this share (0 to 1) of what was counted lies: within its bucket as if all there were spread
 * evenly, as Prometheus has it (`histogram_quantile`); above the last bound, that bound. Null of an empty histogram.
 */
export function percentileOf(share: number, bounds: readonly number[], counts: readonly number[]): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (!(total > 0)) return null;
  const rank = share * total;
  let below = 0;
  for (const [index, bound] of bounds.entries()) {
    const count = counts[index] ?? 0;
    if (count > 0 && below + count >= rank) {
      const lower = bounds[index - 1] ?? 0;
      return lower + (bound - lower) * Math.min(1, (rank - below) / count);
    }
    below += count;
  }
  return bounds.at(-1) ?? null;
}
