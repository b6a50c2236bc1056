import { describe, expect, test } from "bun:test";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import type { ReceivedSpan } from "../../src/otlp/span.ts";
import { textWidth } from "../../src/terminal/style.ts";
import { renderWaterfall } from "../../src/terminal/waterfall.ts";
import { span, traceId } from "../support/spans.ts";

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
  const [, , ruler = "", ...lines] = plain(spans);
  return lines.map((line) => line.slice(3, ruler.indexOf("0")).trimEnd());
}

/** From where the axis begins. */
function bars(spans: ReceivedSpan[], width: number): string[] {
  const [, , ruler = "", ...lines] = plain(spans, width);
  return lines.map((line) => line.slice(ruler.indexOf("0")));
}

describe("a retried task", () => {
  test("is drawn whole: head, ruler, tree, bars, pause, durations and the error below its span", () => {
    const lines = renderWaterfall(retried, { width: 104, color: false, title: "send-email succeeded" });
    expect(lines).toEqual([
      "send-email succeeded",
      "trace 4bf92f3577b34da6a3ce929d0e0e4736  1.0 s · 13 spans · 3 services · 2 errors",
      "",
      "                                                           0        10 ms   ╌ 1.0 s ╌",
      "api-gateway   POST /v1/tasks                               ▄▄▄▄▄▄▄▖             ┊              8.2 ms",
      "api-gateway   └─ tasks.TaskService/CreateTask               ▄▄▄▄▄▄              ┊              6.4 ms",
      "task-service     └─ tasks.TaskService/CreateTask            ▗▄▄▄▄               ┊              5.1 ms",
      "task-service        ├─ INSERT tasks                          ▄                  ┊              1.3 ms",
      "task-service        └─ send task-events                       ▗▄▄               ┊              2.7 ms",
      "worker                 ├─ process task-events · attempt 1          ▗▄▄▄▄▄▄▄▄▄▄▄ ┊             12.3 ms  ✗",
      "worker                 │  ├─ UPDATE tasks                           ▖           ┊              850 µs",
      "worker                 │  ├─ run send-email                          ▄▄▄▄▄▄▄▄▖  ┊              9.4 ms  ✗",
      "                       │  │  SmtpRefused: 421 too many connections              ┊",
      "worker                 │  └─ UPDATE tasks                                     ▄ ┊              900 µs",
      "worker                 └─ process task-events · attempt 2                       ┊ ▄▄▄▄▄▄▄▄▄▄   9.9 ms",
      "worker                    ├─ UPDATE tasks                                       ┊ ▗            790 µs",
      "worker                    ├─ run send-email                                     ┊  ▗▄▄▄▄▄▄▖    7.1 ms",
      "worker                    └─ UPDATE tasks                                       ┊          ▄   1.0 ms",
    ]);
  });

  test("in colour says the same", () => {
    const lines = renderWaterfall(retried, { width: 104, color: true });
    expect(lines.map(stripVTControlCharacters)).toEqual(plain(retried, 104));
  });

  test("is drawn the same in whatever order its spans came, also when some came twice", () => {
    expect(plain([...retried.toReversed(), ...retried.slice(3)])).toEqual(plain(retried));
  });

  test("at 60 cells keeps every row, condenses the tree and shortens names", () => {
    expect(plain(retried, 60)).toEqual([
      "trace 4bf92f35…  1.0 s · 13 spans · 3 services · 2 errors",
      "",
      "                                  0    ╌ 1.0 s ╌",
      "api-gate…  POST /v1/tasks         ▄▄▄      ┊       8.2 ms",
      "api-gate…  └ tasks.TaskService/…  ▗▄▄      ┊       6.4 ms",
      "task-ser…    └ tasks.TaskServic…  ▗▄▖      ┊       5.1 ms",
      "task-ser…      ├ INSERT tasks      ▖       ┊       1.3 ms",
      "task-ser…      └ send task-even…   ▗▖      ┊       2.7 ms",
      "worker           ├ process t… #1     ▗▄▄▄▄ ┊      12.3 ms  ✗",
      "worker           │ ├ UPDATE tas…     ▗     ┊       850 µs",
      "worker           │ ├ run send-e…      ▄▄▄▖ ┊       9.4 ms  ✗",
      "                 │ │ SmtpRefused: 421 too many connections",
      "worker           │ └ UPDATE tas…         ▗ ┊       900 µs",
      "worker           └ process t… #2           ┊ ▄▄▄   9.9 ms",
      "worker             ├ UPDATE tas…           ┊ ▖     790 µs",
      "worker             ├ run send-e…           ┊ ▗▄▖   7.1 ms",
      "worker             └ UPDATE tas…           ┊   ▗   1.0 ms",
    ]);
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
  test("marks a root whose parent is missing, and one that follows another trace by a link", () => {
    const spans = [
      span("r", "s", "root", { at: 0, ms: 20 }),
      span("o", "s", "orphan", { at: 5, ms: 10, parentSpanId: "gone" }),
      span("c", "s", "its child", { at: 6, ms: 1, parentSpanId: "o" }),
      span("n", "s", "next", {
        at: 30,
        ms: 10,
        traceId: "b".repeat(32),
        links: [{ traceId, spanId: "r", attributes: {} }],
      }),
    ];
    expect(names(spans)).toEqual(["root", "? orphan", "└─ its child", "↳ next"]);
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
    expect(bars(spans, 65)).toEqual([
      `${"▄".repeat(47)}  94.0 ms`,
      `▗${" ".repeat(46)}   1.0 ms`,
      ` ▗▖${" ".repeat(44)}   2.0 ms`,
      `${" ".repeat(46)}▗   1.0 ms`,
      `${" ".repeat(46)}▗     0 µs`,
    ]);
  });

  test("of a child that starts before its parent by a skewed clock begin further left", () => {
    const spans = [span("p", "s", "p", { at: 5, ms: 5 }), span("c", "s", "c", { at: 0, ms: 10, parentSpanId: "p" })];
    const [parent, child] = bars(spans, 60);
    expect(parent).toMatch(/^ {10,}▄+ {2,}5\.0 ms$/);
    expect(child).toMatch(/^▄+ {2,}10\.0 ms$/);
  });

  test("of a span that ends before it starts are a moment of no duration", () => {
    const spans = [span("a", "s", "a", { at: 0, ms: 10 }), span("b", "s", "b", { at: 5, ms: -3 })];
    expect(bars(spans, 60)[1]).toMatch(/^ +[▗▖] +0 µs$/);
  });

  test("keep their room when names are long: the names are cut", () => {
    const long = "a name that goes on and on ".repeat(20);
    const spans = [
      span("a", long, long, { at: 0, ms: 10, attributes: { attempt: 1 } }),
      span("b", "s", "b", { at: 0, ms: 10 }),
    ];
    const bar = "▄".repeat(22);
    expect(rows(spans, 80)).toEqual([
      `a name that…  a name that goes on and on a … #1  ${bar}  10.0 ms`,
      `s             b                                  ${bar}  10.0 ms`,
    ]);
  });
});

describe("a failed span", () => {
  test("is marked at the end of its row, and no other", () => {
    const spans = [
      span("a", "s", "a", { at: 0, ms: 10, status: { code: "ERROR", message: "" } }),
      span("b", "s", "b", { at: 1, ms: 5, parentSpanId: "a" }),
    ];
    expect(rows(spans).map((line) => line.endsWith("ms  ✗"))).toEqual([true, false]);
  });

  test("has its error on a line of its own, below the bars too, and cut where the line ends", () => {
    const message = "no answer ".repeat(20);
    const [row, error] = rows([span("a", "s", "a", { at: 0, ms: 10, status: { code: "ERROR", message } })], 60);
    expect(row).toMatch(/^s {2}a {2}▄+ {2}10\.0 ms {2}✗$/);
    expect(error).toBe(`   ${message.slice(0, 56)}…`);
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
