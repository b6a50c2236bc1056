import { describe, expect, test } from "bun:test";
import { createMetricChanges } from "../../src/console/metric-slots.ts";

const begunMs = 1_000_000;

function start() {
  let nowMs = begunMs;
  const changes = createMetricChanges(begunMs, () => nowMs);
  return {
    told: (sinceMs: number, atMs: number, ...counts: number[]) =>
      changes.since("series", { sinceMs: begunMs + sinceMs, atMs: begunMs + atMs, counts }, "cumulative"),
    changes,
    setNow: (ms: number) => {
      nowMs = ms;
    },
  };
}

describe("a series that counts from its start", () => {
  test("is new as a whole when it began under the console's eyes", () => {
    expect(start().told(10, 5010, 3)).toEqual({ durationMs: 5000, counts: [3] });
  });

  test("tells nothing at first when it is older than the console", () => {
    const { told } = start();
    expect(told(-60_000, 5000, 900)).toBeUndefined();
    expect(told(-60_000, 10_000, 903)).toEqual({ durationMs: 5000, counts: [3] });
  });

  test("tells the difference of each of its buckets", () => {
    const { told } = start();
    told(0, 5000, 1, 2, 3);
    expect(told(0, 65_000, 1, 5, 4)).toEqual({ durationMs: 60_000, counts: [0, 3, 1] });
  });

  test("that has become less was started anew, and counts as a whole", () => {
    const { told } = start();
    told(0, 5000, 100);
    expect(told(6000, 10_000, 4)).toEqual({ durationMs: 4000, counts: [4] });
  });

  test("tells nothing twice, nor what was overtaken on its way", () => {
    const { told } = start();
    told(0, 10_000, 5);
    expect([told(0, 10_000, 5), told(0, 5000, 2)]).toEqual([undefined, undefined]);
    expect(told(0, 15_000, 6)).toEqual({ durationMs: 5000, counts: [1] });
  });
});

test("a series that counts from point to point is taken as it is", () => {
  const { changes } = start();
  const point = { sinceMs: begunMs, atMs: begunMs + 5000, counts: [2] };
  expect(changes.since("series", point, "delta")).toEqual({ durationMs: 5000, counts: [2] });
  expect(changes.since("series", point, "delta")).toEqual({ durationMs: 5000, counts: [2] });
});

test("no more than 20,000 series are remembered; those that are gone make room", () => {
  const { changes, setNow } = start();
  const tell = (series: string, atMs: number) =>
    changes.since(series, { sinceMs: begunMs, atMs, counts: [1] }, "cumulative");
  for (let number = 0; number < 20_000; number++) tell(`series ${number}`, begunMs + 1);
  expect(tell("one more", begunMs + 1)).toBeUndefined();
  setNow(begunMs + 600_001);
  expect(tell("one more", begunMs + 600_001)).toEqual({ durationMs: 600_001, counts: [1] });
});
