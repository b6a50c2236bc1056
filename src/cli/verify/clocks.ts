/**
 * How the clocks of the services go, against that of the probe. Pure. Each span of the probe began and ended between two
 * moments that the probe saw itself; a clock with which it did not is off, by at least what is missing.
 */

import type { ReceivedSpan } from "../../otlp/span.ts";
import type { Places } from "./hops.ts";

/** By the probe's own clock: milliseconds since the epoch, with a fraction. */
export interface SeenTimes {
  submittedAtMs: number;
  acceptedAtMs: number;
  /** When the last of what was to happen to the task was seen; infinite: it was not. */
  doneAtMs: number;
}

export interface ClockReport {
  service: string;
  /** How far its clock is ahead of the probe's: at least, and at most. */
  aheadMs: [least: number, most: number];
  /** What is proven of it: 0 when it may go right; negative: behind. */
  skewMs: number;
}

export function readClocks({ submittedAtMs, acceptedAtMs, doneAtMs }: SeenTimes, places: Places): ClockReport[] {
  const { gateway, service, received, ran, dead } = places;
  // A service may end its span after its answer is seen; a handler has returned before its task has ended.
  const moments: [span: ReceivedSpan | undefined, readMs: number | undefined, untilMs: number][] = [
    [gateway, gateway?.startMs, acceptedAtMs],
    [service, service?.startMs, acceptedAtMs],
    [service, service?.endMs, acceptedAtMs],
    [received, received?.startMs, doneAtMs],
    [ran, ran?.startMs, doneAtMs],
    [ran, ran?.endMs, doneAtMs],
    [dead, dead?.startMs, doneAtMs],
  ];
  const clocks = new Map<string, [number, number]>();
  for (const [span, readMs, untilMs] of moments) {
    if (!span || readMs === undefined) continue;
    const [least, most] = clocks.get(span.service) ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    clocks.set(span.service, [Math.max(least, readMs - untilMs), Math.min(most, readMs - submittedAtMs)]);
  }
  return [...clocks].map(([service, [least, most]]) => ({
    service,
    aheadMs: [least, most],
    skewMs: least > 0 ? least : Math.min(0, most),
  }));
}
