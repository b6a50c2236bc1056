import { describe, expect, test } from "bun:test";
import { toSpanRows } from "../../src/console/span-tree.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { span, traceId } from "../support/spans.ts";

const refused = { code: "ERROR", message: "421 too many connections" } as const;

function drawn(spans: ReceivedSpan[]): string[] {
  return toSpanRows(spans).map(({ span: { name }, guides, mark, attempt }) => {
    return `${guides}${mark ? `${mark}: ` : ""}${name}${attempt ? ` (${attempt})` : ""}`;
  });
}

describe("the tree", () => {
  test("draws children in the order they started, the last one closed", () => {
    const spans = [
      span("r", "s", "root", { at: 0, ms: 90 }),
      span("2", "s", "second", { at: 20, ms: 10, parentSpanId: "r" }),
      span("1", "s", "first", { at: 10, ms: 5, parentSpanId: "r" }),
      span("1a", "s", "inner", { at: 11, ms: 1, parentSpanId: "1" }),
    ];
    expect(drawn(spans)).toEqual(["root", "├─ first", "│  └─ inner", "└─ second"]);
  });

  test("a span whose parent is missing is a root with a question mark", () => {
    const spans = [
      span("o", "s", "orphan", { at: 5, ms: 10, parentSpanId: "gone" }),
      span("c", "s", "its child", { at: 6, ms: 1, parentSpanId: "o" }),
      span("r", "s", "root", { at: 0, ms: 20 }),
    ];
    expect(drawn(spans)).toEqual(["root", "orphan: orphan", "└─ its child"]);
  });

  test("a trace that goes on from another by a link is stitched to it, in the order they started", () => {
    const link = { traceId, spanId: "r", attributes: {} };
    const elsewhere = { ...link, spanId: "not here" };
    const spans = [
      span("n", "s", "next trace", { at: 30, ms: 10, traceId: "b".repeat(32), links: [elsewhere, link] }),
      span("m", "s", "linked to what is not shown", { at: 50, ms: 1, traceId: "c".repeat(32), links: [elsewhere] }),
      span("r", "s", "root", { at: 0, ms: 20 }),
    ];
    expect(drawn(spans)).toEqual(["root", "linked: next trace", "linked to what is not shown"]);
  });

  test("the same span id in two traces is two spans", () => {
    const spans = [
      span("r", "s", "one", { at: 0, ms: 20 }),
      span("r", "s", "other", { at: 1, ms: 20, traceId: "b".repeat(32) }),
      span("c", "s", "child of the other", { at: 2, ms: 2, traceId: "b".repeat(32), parentSpanId: "r" }),
    ];
    expect(drawn(spans)).toEqual(["one", "other", "└─ child of the other"]);
  });

  test("parents in a circle are entered where it started first", () => {
    const spans = [
      span("a", "s", "hen", { at: 2, ms: 5, parentSpanId: "b" }),
      span("b", "s", "egg", { at: 1, ms: 5, parentSpanId: "a" }),
      span("c", "s", "itself", { at: 3, ms: 5, parentSpanId: "c" }),
    ];
    expect(drawn(spans)).toEqual(["orphan: egg", "└─ hen", "orphan: itself"]);
  });

  test("an attempt is said where it begins and not again below", () => {
    const spans = [
      span("p", "s", "process", { at: 0, ms: 9, attributes: { attempt: 3 } }),
      span("u", "s", "update", { at: 1, ms: 1, parentSpanId: "p" }),
      span("x", "s", "run", { at: 3, ms: 5, parentSpanId: "p", attributes: { attempt: 3 } }),
      span("y", "s", "next", { at: 4, ms: 1, parentSpanId: "u", attributes: { attempt: "4" } }),
    ];
    expect(drawn(spans)).toEqual(["process (3)", "├─ update", "│  └─ next (4)", "└─ run"]);
  });
});

describe("what went wrong", () => {
  const failed = { code: "ERROR", message: "" } as const;
  const cases: [what: string, details: Partial<ReceivedSpan>, expected: string | undefined][] = [
    [
      "type and message",
      { status: refused, attributes: { "error.type": "SmtpRefused" } },
      "SmtpRefused: 421 too many connections",
    ],
    [
      "a message that begins with the type only once",
      { status: { code: "ERROR", message: "E: x" }, attributes: { "error.type": "E" } },
      "E: x",
    ],
    ["a message alone", { status: refused }, "421 too many connections"],
    ["a type alone", { status: failed, attributes: { "error.type": "Timeout" } }, "Timeout"],
    [
      "an exception where the status says nothing",
      {
        status: failed,
        events: [{ name: "exception", atMs: 0, attributes: { "exception.type": "E", "exception.message": "m" } }],
      },
      "E: m",
    ],
    ["nothing where nothing is known", { status: failed }, undefined],
    ["nothing where nothing failed", { status: { code: "OK", message: "ignored" } }, undefined],
  ];
  test.each(cases)("shows %s", (_, details, expected) => {
    const [row] = toSpanRows([span("a", "s", "a", { at: 0, ms: 10, ...details })]);
    expect(row?.error).toBe(expected);
  });

  test("is told by the innermost of the spans that tell the same", () => {
    const spans = [
      span("a", "s", "a", { at: 0, ms: 10, status: refused }),
      span("b", "s", "b", { at: 1, ms: 5, parentSpanId: "a", status: refused }),
    ];
    expect(toSpanRows(spans).map((row) => row.error)).toEqual([undefined, refused.message]);
  });
});
