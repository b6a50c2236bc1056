/** A waterfall's rows and its time, before they are drawn. */

import { describe, expect, test } from "bun:test";
import { createScale } from "../../src/console/page/waterfall/scale.ts";
import {
  findRows,
  huesOf,
  isError,
  keysAbove,
  linkedFrom,
  parentsOf,
  placeOf,
  toTree,
  unfolded,
} from "../../src/console/page/waterfall/tree.ts";
import type { LogView, SpanView } from "../../src/console/task-trace-view.ts";

function spanOf(id: string, depth: number, more: Partial<SpanView> = {}): SpanView {
  return {
    kind: "span",
    depth,
    trace_id: "t",
    span_id: id,
    parent_span_id: null,
    service: "shop",
    name: `step ${id}`,
    span_kind: "INTERNAL",
    offset_ms: 0,
    duration_ms: 10,
    status: { code: "UNSET", message: "" },
    attributes: {},
    links: [],
    events: [],
    ...more,
  };
}

function logOf(depth: number, message: string, severity = "INFO"): LogView {
  const place = { trace_id: "t", span_id: "b", service: "shop", offset_ms: 3 };
  return { kind: "log", depth, severity, message, attributes: {}, ...place };
}

/** a (b (a log, c), d), e */
const rows = [spanOf("a", 0), spanOf("b", 1), logOf(2, "said"), spanOf("c", 2), spanOf("d", 1), spanOf("e", 0)];
const tree = toTree(rows);

describe("the rows of a waterfall", () => {
  test("know who is above them, and where what is below them ends", () => {
    expect(tree.map(({ parent, end }) => [parent, end])).toEqual([
      [-1, 5],
      [0, 4],
      [1, 3],
      [1, 4],
      [0, 5],
      [-1, 6],
    ]);
  });

  test("are all there unfolded, and without what is below a folded one", () => {
    expect(unfolded(tree, new Set())).toEqual([0, 1, 2, 3, 4, 5]);
    expect(unfolded(tree, new Set(["t/b"]))).toEqual([0, 1, 4, 5]);
    expect(unfolded(tree, new Set(["t/a", "t/b"]))).toEqual([0, 5]);
    expect(keysAbove(tree, 3)).toEqual(["t/b", "t/a"]);
    expect(parentsOf(tree)).toEqual(["t/b"]);
  });

  test("are named by an address, which leads to the first where it names none", () => {
    expect(["d", "t/d", "nobody", null].map((name) => placeOf(tree, name))).toEqual([4, 4, 0, 0]);
  });

  test("have keys of their own, even where two are the same", () => {
    const keys = toTree([logOf(0, "once"), logOf(0, "twice"), spanOf("a", 0), spanOf("a", 0)]).map(({ key }) => key);
    expect(new Set(keys).size).toBe(4);
  });

  test("are found by all words of a text, in names, attributes and messages, whatever their case", () => {
    const searched = toTree([
      spanOf("a", 0, { attributes: { "http.route": "/v1/Tasks" } }),
      spanOf("b", 0, { events: [{ name: "exception", offset_ms: 0, attributes: { "exception.message": "no room" } }] }),
      logOf(0, "Reading rows"),
    ]);
    expect(
      ["tasks STEP", "no room", "rows reading info", "nobody", " "].map((text) => findRows(searched, text)),
    ).toEqual([[0], [1], [2], [], []]);
  });

  test("tell errors, links from the other side, and a colour for each service", () => {
    const failed = spanOf("a", 0, { status: { code: "ERROR", message: "no" } });
    expect([failed, spanOf("b", 0), logOf(0, "x", "ERROR"), logOf(0, "x", "WARN")].map(isError)).toEqual([
      true,
      false,
      true,
      false,
    ]);
    const linking = spanOf("z", 0, { links: [{ trace_id: "t", span_id: "a", attributes: {} }], service: "other" });
    const linked = toTree([spanOf("a", 0), linking, spanOf("w", 0, { kind: "wait", service: "queue" })]);
    expect(linkedFrom(linked)).toEqual(new Map([["t/a", [linking]]]));
    expect(huesOf(linked)).toEqual(
      new Map([
        ["shop", 1],
        ["other", 2],
      ]),
    );
  });
});

describe("the time of a waterfall", () => {
  const paused = toTree([
    spanOf("a", 0, { offset_ms: 0, duration_ms: 10 }),
    spanOf("w", 0, { kind: "wait", offset_ms: 10, duration_ms: 990 }),
    spanOf("b", 0, { offset_ms: 1000, duration_ms: 10 }),
  ]);

  test("cuts out a pause, and draws across it what waited", () => {
    const scale = createScale(paused, 1010, { zoom: undefined, ticks: 6 });
    expect(scale.gaps).toHaveLength(1);
    const [gap] = scale.gaps;
    expect(gap?.ms).toBe(990);
    const wait = scale.place(10, 990);
    expect([wait.left, wait.left + wait.width]).toEqual([gap?.left ?? 0, (gap?.left ?? 0) + (gap?.width ?? 0)]);
    const work = [scale.place(0, 10), scale.place(1000, 10)];
    expect(work.every(({ width }) => width > 0.4)).toBe(true);
  });

  test("is even again where it is zoomed into, and leads back from the width to the moment", () => {
    const scale = createScale(paused, 1010, { zoom: { fromMs: 5, toMs: 505 }, ticks: 6 });
    expect(scale.gaps).toEqual([]);
    expect(scale.place(130, 125)).toEqual({ left: 0.25, width: 0.25 });
    expect(scale.timeAt(0.5)).toBe(255);
    expect([scale.isInside(0, 4), scale.isInside(0, 6), scale.isInside(506, 1)]).toEqual([false, true, false]);
  });

  test.each([2, 6, 12])("has no more ticks than there is room for: %p", (ticks) => {
    const { ticks: shown } = createScale(paused, 1010, { zoom: undefined, ticks });
    expect(shown[0]).toEqual({ left: 0, text: "0" });
    const apart = shown.slice(1).map(({ left }, index) => left - (shown[index]?.left ?? 0));
    expect(Math.min(...apart)).toBeGreaterThanOrEqual(1 / (1.4 * ticks) - 1e-9);
  });

  test.each([
    ["nothing", []],
    ["a span of no duration", [spanOf("a", 0, { duration_ms: 0 })]],
  ])("is there for %s", (_, some) => {
    const scale = createScale(toTree(some), 0, { zoom: undefined, ticks: 6 });
    expect(scale.place(0, 0).left).toBe(0);
    expect(Number.isFinite(scale.timeAt(0.5))).toBe(true);
  });
});
