import { describe, expect, test } from "bun:test";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import type { ReceivedSpan } from "../../src/console/received-span.ts";
import { textWidth } from "../../src/console/terminal.ts";
import { renderWaterfall } from "../../src/console/waterfall.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const startedMs = 1_700_000_000_000;

interface Placed extends Partial<ReceivedSpan> {
  /** Milliseconds after the trace began. */
  at: number;
  ms: number;
}

function span(spanId: string, service: string, name: string, { at, ms, ...more }: Placed): ReceivedSpan {
  return {
    traceId,
    spanId,
    parentSpanId: undefined,
    traceState: "",
    flags: 1,
    name,
    kind: "INTERNAL",
    service,
    resource: {},
    startMs: startedMs + at,
    endMs: startedMs + at + ms,
    status: { code: "UNSET", message: "" },
    attributes: {},
    links: [],
    events: [],
    ...more,
  };
}

const refused = { code: "ERROR", message: "421 too many connections" } as const;

/** A task that failed once, waited a second and succeeded. */
const retried: ReceivedSpan[] = [
  span("a1", "api-gateway", "POST /v1/tasks", { at: 0, ms: 8.2 }),
  span("a2", "api-gateway", "tasks.TaskService/CreateTask", { at: 1, ms: 6.4, parentSpanId: "a1" }),
  span("t1", "task-service", "tasks.TaskService/CreateTask", { at: 1.5, ms: 5.1, parentSpanId: "a2" }),
  span("t2", "task-service", "INSERT tasks", { at: 2, ms: 1.31, parentSpanId: "t1" }),
  span("t3", "task-service", "send task-events", { at: 3.5, ms: 2.7, parentSpanId: "t1" }),
  span("w1", "worker", "process task-events", {
    at: 9,
    ms: 12.3,
    parentSpanId: "t3",
    status: refused,
    attributes: { attempt: 1, "error.type": "SmtpRefused" },
  }),
  span("w2", "worker", "UPDATE tasks", { at: 9.5, ms: 0.85, parentSpanId: "w1" }),
  span("w3", "worker", "run send-email", {
    at: 10.5,
    ms: 9.4,
    parentSpanId: "w1",
    status: refused,
    attributes: { attempt: 1, "error.type": "SmtpRefused" },
  }),
  span("w4", "worker", "UPDATE tasks", { at: 20.2, ms: 0.9, parentSpanId: "w1" }),
  span("w5", "worker", "process task-events", { at: 1024, ms: 9.9, parentSpanId: "t3", attributes: { attempt: 2 } }),
  span("w6", "worker", "UPDATE tasks", { at: 1024.4, ms: 0.79, parentSpanId: "w5" }),
  span("w7", "worker", "run send-email", { at: 1025.4, ms: 7.1, parentSpanId: "w5", attributes: { attempt: 2 } }),
  span("w8", "worker", "UPDATE tasks", { at: 1032.7, ms: 1, parentSpanId: "w5" }),
];

function plain(spans: ReceivedSpan[], width = 100): string[] {
  return renderWaterfall(spans, { width, color: false });
}

/** The rows without title, head and ruler. */
function rows(spans: ReceivedSpan[], width = 100): string[] {
  return plain(spans, width).slice(3);
}

/** The name column: the service in these tests is one letter. */
function names(spans: ReceivedSpan[]): string[] {
  return rows(spans).map((line) => line.slice(3).replace(/ {2,}.*$/u, ""));
}

/** What stands between name and duration: the bar, with its axis. */
function bars(lines: string[]): string[] {
  return lines.map((line) => line.replace(/^.*? {2}(?=[ ▗▄▖┊]*[▗▄▖])/u, ""));
}

describe("a retried task", () => {
  test("is drawn whole: head, ruler, tree, bars, pause, durations and the error below its span", () => {
    const lines = renderWaterfall(retried, { width: 104, color: false, title: "send-email succeeded" });
    expect(lines).toEqual(["PLACEHOLDER"]);
  });

  test("in colour says the same", () => {
    const lines = renderWaterfall(retried, { width: 104, color: true });
    expect(lines.map(stripVTControlCharacters)).toEqual(plain(retried, 104));
  });

  test("is drawn the same in whatever order its spans came, also when some came twice", () => {
    expect(plain([...retried.toReversed(), ...retried.slice(3)])).toEqual(plain(retried));
  });

  test("at 60 cells keeps every row, condenses the tree and shortens names", () => {
    expect(plain(retried, 60)).toEqual(["PLACEHOLDER60"]);
  });
});

describe("the head", () => {
  test("counts one as one, and says that nothing failed", () => {
    expect(plain([span("a", "worker", "start worker", { at: 0, ms: 0.85 })])[0]).toBe(
      `trace ${traceId}  850 µs · 1 span · 1 service · no errors`,
    );
  });

  test("of linked traces names the first and counts the others", () => {
    const second = span("b", "worker", "later", { at: 5, ms: 1, traceId: "b".repeat(32) });
    const third = span("c", "worker", "last", { at: 9, ms: 1, traceId: "c".repeat(32) });
    const [head] = plain([third, second, ...retried.slice(0, 1)]);
    expect(head).toBe(`trace ${traceId} + 2 linked  10.0 ms · 3 spans · 2 services · no errors`);
  });

  test("on a short line cuts the id, then leaves the services out", () => {
    expect(plain(retried, 70)[0]).toBe("trace 4bf92f35…  1.0 s · 13 spans · 3 services · 2 errors");
    const linked = span("b", "worker", "later", { at: 5, ms: 1, traceId: "b".repeat(32) });
    expect(plain([...retried, linked], 60)[0]).toBe("trace 4bf92f35… + 1 linked  1.0 s · 14 spans · 2 errors");
  });

  test("of no spans says so", () => {
    expect(renderWaterfall([], { width: 80, color: true, title: "t" }).map(stripVTControlCharacters)).toEqual([
      "t",
      "no spans",
    ]);
  });
});

describe("the tree", () => {
  test("draws children in the order they started, the last one closed", () => {
    const spans = [
      span("r", "s", "root", { at: 0, ms: 90 }),
      span("2", "s", "second", { at: 20, ms: 10, parentSpanId: "r" }),
      span("1", "s", "first", { at: 10, ms: 5, parentSpanId: "r" }),
      span("1a", "s", "inner", { at: 11, ms: 1, parentSpanId: "1" }),
    ];
    expect(names(spans)).toEqual(["root", "├─ first", "│  └─ inner", "└─ second"]);
  });

  test("a span whose parent is missing is a root with a question mark", () => {
    const spans = [
      span("o", "s", "orphan", { at: 5, ms: 10, parentSpanId: "gone" }),
      span("c", "s", "its child", { at: 6, ms: 1, parentSpanId: "o" }),
      span("r", "s", "root", { at: 0, ms: 20 }),
    ];
    expect(names(spans)).toEqual(["root", "? orphan", "└─ its child"]);
  });

  test("a trace that goes on from another by a link is stitched to it, in the order they started", () => {
    const link = { traceId, spanId: "r", attributes: {} };
    const elsewhere = { ...link, spanId: "not here" };
    const spans = [
      span("n", "s", "next trace", { at: 30, ms: 10, traceId: "b".repeat(32), links: [elsewhere, link] }),
      span("m", "s", "linked to what is not shown", { at: 50, ms: 1, traceId: "c".repeat(32), links: [elsewhere] }),
      span("r", "s", "root", { at: 0, ms: 20 }),
    ];
    expect(names(spans)).toEqual(["root", "↳ next trace", "linked to what is not shown"]);
  });

  test("the same span id in two traces is two spans", () => {
    const spans = [
      span("r", "s", "one", { at: 0, ms: 20 }),
      span("r", "s", "other", { at: 1, ms: 20, traceId: "b".repeat(32) }),
      span("c", "s", "child of the other", { at: 2, ms: 2, traceId: "b".repeat(32), parentSpanId: "r" }),
    ];
    expect(names(spans)).toEqual(["one", "other", "└─ child of the other"]);
  });

  test("parents in a circle are entered where it started first", () => {
    const spans = [
      span("a", "s", "hen", { at: 2, ms: 5, parentSpanId: "b" }),
      span("b", "s", "egg", { at: 1, ms: 5, parentSpanId: "a" }),
      span("c", "s", "itself", { at: 3, ms: 5, parentSpanId: "c" }),
    ];
    expect(names(spans)).toEqual(["? egg", "└─ hen", "? itself"]);
  });

  test("a chain of ten thousand spans is drawn, its names still to be read", () => {
    const chain = Array.from({ length: 10_000 }, (_, index) =>
      span(String(index), "s", "step", {
        at: index / 1000,
        ms: 20,
        parentSpanId: index ? String(index - 1) : undefined,
      }),
    );
    const lines = rows(chain);
    expect(lines).toHaveLength(10_000);
    expect(lines.at(-1)).toMatch(/└ step /);
  });

  test("an attempt is said where it begins and not again below", () => {
    const spans = [
      span("p", "s", "process", { at: 0, ms: 9, attributes: { attempt: 3 } }),
      span("u", "s", "update", { at: 1, ms: 1, parentSpanId: "p" }),
      span("x", "s", "run", { at: 3, ms: 5, parentSpanId: "p", attributes: { attempt: 3 } }),
      span("y", "s", "next", { at: 4, ms: 1, parentSpanId: "u", attributes: { attempt: "4" } }),
    ];
    expect(names(spans)).toEqual(["process · attempt 3", "├─ update", "│  └─ next · attempt 4", "└─ run"]);
  });
});

describe("bars", () => {
  test("begin and end on half cells, the shortest is half a cell", () => {
    const spans = [
      span("r", "s", "r", { at: 0, ms: 94 }),
      span("1", "s", "1", { at: 1, ms: 1, parentSpanId: "r" }),
      span("2", "s", "2", { at: 3, ms: 2, parentSpanId: "r" }),
      span("3", "s", "3", { at: 93, ms: 1, parentSpanId: "r" }),
      span("4", "s", "4", { at: 94, ms: 0, parentSpanId: "r" }),
    ];
    // 47 cells for 94 ms.
    expect(bars(rows(spans, 68))).toEqual([
      `${"▄".repeat(47)}  94.0 ms`,
      `▗${" ".repeat(46)}   1.0 ms`,
      ` ▗▖${" ".repeat(44)}   2.0 ms`,
      `${" ".repeat(46)}▗   1.0 ms`,
      `${" ".repeat(46)}▗     0 µs`,
    ]);
  });

  test("of a child that starts before its parent by a skewed clock begin further left", () => {
    const spans = [span("p", "s", "p", { at: 5, ms: 5 }), span("c", "s", "c", { at: 0, ms: 10, parentSpanId: "p" })];
    const [parent, child] = bars(rows(spans, 60));
    expect(parent).toMatch(/^ {10,}▄+ {2,}5\.0 ms$/);
    expect(child).toMatch(/^▄+ {2,}10\.0 ms$/);
  });

  test("of a span that ends before it starts are a moment of no duration", () => {
    const spans = [span("a", "s", "a", { at: 0, ms: 10 }), span("b", "s", "b", { at: 5, ms: -3 })];
    expect(bars(rows(spans, 60))[1]).toMatch(/^ +[▗▖] +0 µs$/);
  });

  test("keep their room when names are long: the names are cut", () => {
    const long = "a name that goes on and on ".repeat(20);
    const spans = [
      span("a", long, long, { at: 0, ms: 10, attributes: { attempt: 1 } }),
      span("b", "s", "b", { at: 0, ms: 10 }),
    ];
    expect(rows(spans, 80)).toEqual(["a name that…  a name that goes on and on… #1  PLACEHOLDER"]);
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
    ["several lines as one", { status: { code: "ERROR", message: "a\nb\r\n  c" } }, "a b c"],
  ];
  test.each(cases)("shows %s", (_, details, expected) => {
    const [, ...below] = rows([span("a", "s", "a", { at: 0, ms: 10, ...details })]);
    expect(below.map((line) => line.trim())).toEqual(expected === undefined ? [] : [expected]);
  });

  test("marks every failed span, and none else", () => {
    const spans = [
      span("a", "s", "a", { at: 0, ms: 10, status: failed }),
      span("b", "s", "b", { at: 1, ms: 5, parentSpanId: "a" }),
    ];
    expect(rows(spans).map((line) => line.endsWith("ms  ✗"))).toEqual([true, false]);
  });

  test("is told by the innermost of the spans that tell the same", () => {
    const spans = [
      span("a", "s", "a", { at: 0, ms: 10, status: refused }),
      span("b", "s", "b", { at: 1, ms: 5, parentSpanId: "a", status: refused }),
    ];
    expect(rows(spans).findIndex((line) => line.includes("421"))).toBe(2);
  });
});

describe("what comes from outside", () => {
  test("cannot send the terminal anything but text", () => {
    const evil = "\x1b[2J\x9b31m\u202Eevil\u0007\n\t\u2028name";
    const spans = [
      span("a", evil, evil, {
        at: 0,
        ms: 1,
        traceId: evil,
        status: { code: "ERROR", message: evil },
        attributes: { attempt: evil, "error.type": evil },
      }),
    ];
    const lines = renderWaterfall(spans, { width: 120, color: false, title: evil });
    expect(lines.join("")).not.toMatch(/\p{C}|\u2028/u);
    expect(lines[0]).toBe("[2J31mevil name");
  });

  test("keeps its columns when characters are wide, combined or invisible", () => {
    const spans = [
      span("a", "発送", "日本語のタスク", { at: 0, ms: 10 }),
      span("b", "s", "🚀 launch", { at: 0, ms: 10 }),
      span("c", "s", "cafe\u0301\u200B", { at: 0, ms: 10 }),
    ];
    const widths = rows(spans).map((line) => textWidth(line.slice(0, line.indexOf("▄"))));
    expect(new Set(widths).size).toBe(1);
  });

  const text = fc.oneof(fc.string({ unit: "binary", maxLength: 40 }), fc.constantFrom("worker", "task-service"));
  const anySpan = fc.record({
    id: fc.integer({ min: 0, max: 12 }),
    parent: fc.option(fc.integer({ min: 0, max: 14 })),
    trace: fc.integer({ min: 0, max: 1 }),
    service: text,
    name: text,
    at: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.double({ min: 0, max: 1e9, noNaN: true })),
    ms: fc.oneof(fc.integer({ min: -10, max: 100 }), fc.double({ min: 0, max: 1e8, noNaN: true })),
    message: fc.option(text),
    attempt: fc.option(fc.oneof(fc.integer(), text)),
  });

  test("whatever it is, every span has its row, and no line is wider than asked or holds an escape", () => {
    fc.assert(
      fc.property(
        fc.array(anySpan, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 0, max: 170 }),
        (drawn, width) => {
          const spans = drawn.map(({ id, parent, trace, service, name, at, ms, message, attempt }) =>
            span(String(id), service, name, {
              at,
              ms,
              traceId: String(trace).repeat(32),
              parentSpanId: parent === null ? undefined : String(parent),
              status: message === null ? { code: "UNSET", message: "" } : { code: "ERROR", message },
              attributes: attempt === null ? {} : { attempt },
            }),
          );
          const lines = plain(spans, width);
          expect(Math.max(...lines.map(textWidth))).toBeLessThanOrEqual(Math.max(60, width));
          expect(lines.join("")).not.toMatch(/\p{C}/u);
          const distinct = new Set(drawn.map(({ id, trace }) => `${trace}/${id}`)).size;
          expect(lines.filter((line) => /[▗▄▖].*(?:[µm]?s|[mh])(?: {2}✗)?$/u.test(line))).toHaveLength(distinct);
          const colored = renderWaterfall(spans, { width, color: true });
          expect(colored.map(stripVTControlCharacters)).toEqual(lines);
        },
      ),
    );
  });
});
