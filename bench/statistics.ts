/** What becomes of figures. Pure. */

/** Of sorted values: the least that at least a share `q` of them does not exceed (nearest rank); NaN of none. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const rank = Math.ceil(q * sorted.length);
  return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1] ?? Number.NaN;
}

/** The middle one, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

/** The least and the most of them. */
export function spread(values: readonly number[]): [least: number, most: number] {
  return [Math.min(...values), Math.max(...values)];
}

/** Of each round of both: what the machine does in a round meets both alike. Of none when one of them was not there. */
export function ratios(ours: readonly number[] = [], theirs: readonly number[] = []): number[] {
  return theirs.slice(0, ours.length).map((value, round) => (ours[round] ?? Number.NaN) / value);
}

export interface Point {
  x: number;
  y: number;
}

/** By how much y grows for each 1 of x: least squares. 0 when x does not vary. */
export function slope(points: readonly Point[]): number {
  const mean = (of: (point: Point) => number): number => points.reduce((sum, p) => sum + of(p), 0) / points.length;
  const [meanX, meanY] = [mean(({ x }) => x), mean(({ y }) => y)];
  const covariance = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  const variance = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
  return variance === 0 ? 0 : covariance / variance;
}

/** Three figures that mean something: `4123`, `41.2`, `0.412`. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** The median, with the least and the most behind it when there are several: `4123 (3990–4207)`. */
export function summary(values: readonly number[]): string {
  if (values.length < 2) return figure(median(values));
  const [least, most] = spread(values);
  return `${figure(median(values))} (${figure(least)}–${figure(most)})`;
}
