/**
 * Trace context through the whole chain: what a caller sends to the gateway, and what a server gets that the task's
 * handler calls, once sent at once and once by the sweeper from what the store had kept. Long because its table is.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { projectFolder } from "../support/executable.ts";
import { sendRequest } from "../support/raw-request.ts";
import { type RecordingServer, startRecordingServer } from "../support/recording-server.ts";
import { type HttpTask, startTestSystem, type TestSystem } from "../support/system.ts";

const startingMs = 60_000;
const shortId = "a3ce929d0e0e4736";
const traceId = `4bf92f3577b34da6${shortId}`;
const spanId = "00f067aa0ba902b7";
const valid = `00-${traceId}-${spanId}-01`;

type Lines = readonly (readonly [name: string, value: string])[];

interface Expected {
  /** The trace that the called server is told of; another than the caller's when not given. */
  traceId?: string;
  flags: string;
  tracestate?: string;
  baggage?: string;
  /** Headers of B3, with `SPAN` and `TRACE` for the ids of the call. */
  b3?: Record<string, string>;
}

const kept = { traceId, flags: "01" };
/** A trace of our own is sampled in development, and its id is random. */
const anew = { flags: "03" };

/** `count` members that are valid, from `k01=01`. */
function members(count: number): string {
  const numbers = Array.from({ length: count }, (_, n) => String(n + 1).padStart(2, "0"));
  return numbers.map((number) => `k${number}=${number}`).join(",");
}

const state = (text: string): Lines => [
  ["traceparent", valid],
  ["tracestate", text],
];
const baggageOf = (text: string): Lines => [
  ["traceparent", valid],
  ["baggage", text],
];
const parent = (text: string): Lines => [
  ["traceparent", text],
  ["tracestate", "vendor=1"],
];
const b3 = (text: string): Lines => [["b3", text]];
const long = (key: string, length: number): string => `${key}=${"v".repeat(length - key.length - 1)}`;

const cases: readonly (readonly [what: string, sent: Lines, expected: Expected])[] = [
  ["nothing", [], anew],
  ["a valid traceparent", [["traceparent", valid]], kept],
  ["its name in capitals", [["TraceParent", valid]], kept],
  ["spaces and tabs around it", [["traceparent", ` \t ${valid} \t`]], kept],
  ["unsampled", [["traceparent", `00-${traceId}-${spanId}-00`]], { traceId, flags: "00" }],
  ["random and unsampled", [["traceparent", `00-${traceId}-${spanId}-02`]], { traceId, flags: "02" }],
  ["random and sampled", [["traceparent", `00-${traceId}-${spanId}-03`]], { traceId, flags: "03" }],
  ["flags that nobody knows", [["traceparent", `00-${traceId}-${spanId}-ff`]], { traceId, flags: "03" }],
  ["a later version", [["traceparent", `cc-${traceId}-${spanId}-01`]], kept],
  ["a later version with more", [["traceparent", `cc-${traceId}-${spanId}-01-what-ever`]], kept],
  ["a later version's other flags", [["traceparent", `cc-${traceId}-${spanId}-03`]], kept],

  ["a later version with more, but no dash", parent(`cc-${traceId}-${spanId}-01.what-ever`), anew],
  ["a later version that is too short", parent(`cc-${traceId}-${spanId}-1`), anew],
  ["version ff", parent(`ff-${traceId}-${spanId}-01`), anew],
  ["a version that is no number", parent(`0x-${traceId}-${spanId}-01`), anew],
  ["version 00 with more", parent(`${valid}-01`), anew],
  ["version 00 with a dash at its end", parent(`${valid}-`), anew],
  ["capitals in the trace id", parent(valid.toUpperCase()), anew],
  ["a trace id of zeros", parent(`00-${"0".repeat(32)}-${spanId}-01`), anew],
  ["a span id of zeros", parent(`00-${traceId}-${"0".repeat(16)}-01`), anew],
  ["a trace id that is too short", parent(`00-${shortId}-${spanId}-01`), anew],
  ["a trace id that is too long", parent(`00-${traceId}00-${spanId}-01`), anew],
  ["a span id with other letters", parent(`00-${traceId}-00f067aa0ba902bg-01`), anew],
  ["flags of one digit", parent(`00-${traceId}-${spanId}-1`), anew],
  ["flags of three digits", parent(`00-${traceId}-${spanId}-001`), anew],
  ["flags with a dot", parent(`00-${traceId}-${spanId}-.0`), anew],
  ["no dashes", parent(valid.replaceAll("-", "")), anew],
  ["garbage", parent("garbage"), anew],
  ["garbage of 10,000 characters", parent("g".repeat(10_000)), anew],
  ["an empty traceparent", parent(""), anew],
  ["two traceparents", [["traceparent", valid], ...parent(valid)], anew],
  [
    "two traceparents of a later version",
    [...parent(`cc${valid.slice(2)}-a`), ["traceparent", `cc${valid.slice(2)}`]],
    anew,
  ],
  ["a tracestate alone", [["tracestate", "vendor=1"]], anew],

  [
    "a tracestate",
    state("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
    { ...kept, tracestate: "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE" },
  ],
  [
    "a tracestate of any allowed sign",
    state("0a_-*/@b@c= !\"#$%&'()*+-./:;<>?~"),
    { ...kept, tracestate: "0a_-*/@b@c= !\"#$%&'()*+-./:;<>?~" },
  ],
  [
    "a tracestate in several headers",
    [...state("a=1 \t, b=2"), ["tracestate", ""], ["TraceState", "c=3,,d=4"]],
    { ...kept, tracestate: "a=1,b=2,c=3,d=4" },
  ],
  ["an empty tracestate", state(""), kept],
  ["a tracestate of commas", state(" , ,,"), kept],
  ["32 members", state(members(32)), { ...kept, tracestate: members(32) }],
  ["33 members", state(members(33)), kept],
  ["a key twice", state("a=1,b=2,a=3"), { ...kept, tracestate: "a=1,b=2" }],
  ["a key twice in two headers", [...state("a=1"), ["tracestate", "a=1,b=2"]], { ...kept, tracestate: "a=1,b=2" }],
  ["33 members, one of them twice", state(`${members(32)},${members(1)}`), { ...kept, tracestate: members(32) }],
  ["a key twice, the second without a value", state("a=1,b=2,a="), kept],
  ["a key in capitals", state("a=1,B=2"), kept],
  ["a key with a space", state("a=1,b =2"), kept],
  [
    "a key of 256 signs",
    state(`a=1,${long("z".repeat(256), 258)}`),
    { ...kept, tracestate: `a=1,${"z".repeat(256)}=v` },
  ],
  ["a key of 257 signs", state(`a=1,${"z".repeat(257)}=v`), kept],
  ["a value of 256 signs", state(`a=${"v".repeat(256)}`), { ...kept, tracestate: `a=${"v".repeat(256)}` }],
  ["a value of 257 signs", state(`a=${"v".repeat(257)}`), kept],
  ["a value with an equals sign", state("a=1=2,b=2"), kept],
  ["a value of nothing", state("a=,b=2"), kept],
  ["a member without a value", state("a=1,b"), kept],
  [
    "512 characters",
    state([long("a", 128), long("b", 128), long("c", 128), long("d", 125)].join(",")),
    { ...kept, tracestate: [long("a", 128), long("b", 128), long("c", 128), long("d", 125)].join(",") },
  ],
  [
    "513 characters",
    state([long("a", 128), long("b", 128), long("c", 128), long("d", 126)].join(",")),
    { ...kept, tracestate: [long("a", 128), long("b", 128), long("c", 128)].join(",") },
  ],
  [
    "a long member among more than 512",
    state([long("a", 200), long("b", 128), long("c", 128), long("d", 100)].join(",")),
    { ...kept, tracestate: [long("b", 128), long("c", 128), long("d", 100)].join(",") },
  ],
  ["our own member", state("a=1,throughline=forced,b=2"), { ...kept, tracestate: "a=1,b=2" }],
  ["our own member alone", state("throughline=forced"), kept],
  [
    "a tracestate of a later version",
    [
      ["traceparent", `cc${valid.slice(2)}-x`],
      ["tracestate", "a=1"],
    ],
    { ...kept, tracestate: "a=1" },
  ],

  ["baggage", baggageOf("tenant=blue"), { ...kept, baggage: "tenant=blue" }],
  ["baggage alone", [["baggage", "tenant=blue"]], { ...anew, baggage: "tenant=blue" }],
  [
    "baggage beside a bad traceparent",
    [
      ["traceparent", "garbage"],
      ["baggage", "tenant=blue"],
    ],
    { ...anew, baggage: "tenant=blue" },
  ],
  [
    "baggage in several headers",
    [
      ["baggage", "a=1"],
      ["baggage", ""],
      ["Baggage", "b=2 , c=3"],
    ],
    { ...anew, baggage: "a=1,b=2,c=3" },
  ],
  [
    "baggage that is encoded",
    baggageOf("a=blue%20green,b=%C3%BC%F0%9F%98%80%2C%3B%5C%22,c=100%25"),
    { ...kept, baggage: "a=blue%20green,b=%C3%BC%F0%9F%98%80%2C%3B%5C%22,c=100%25" },
  ],
  [
    "baggage that needs no encoding",
    baggageOf("a=/path?x=1&y=(2)!,#b^|`=~"),
    { ...kept, baggage: "a=/path?x=1&y=(2)!,#b^|`=~" },
  ],
  [
    "baggage that is badly encoded",
    baggageOf("a=%ff%41,b=%zz,c=100%"),
    { ...kept, baggage: "a=%EF%BF%BDA,b=%25zz,c=100%25" },
  ],
  ["baggage with spaces", baggageOf(" a = 1 ,\tb = two words "), { ...kept, baggage: "a=1,b=two%20words" }],
  [
    "baggage with properties",
    baggageOf("a=1;ttl=30;secret, b=2 ; x = y ;;z"),
    { ...kept, baggage: "a=1;ttl=30;secret,b=2;x = y ;;z" },
  ],
  ["baggage without a value", baggageOf("a=,b=2"), { ...kept, baggage: "a=,b=2" }],
  ["baggage of which some cannot be read", baggageOf("a,=1,b c=2,d=ä,e=5,;f=6"), { ...kept, baggage: "e=5" }],
  ["baggage of which nothing can be read", baggageOf("=,;,a"), kept],
  ["a baggage key twice", baggageOf("a=1,b=2,a=3"), { ...kept, baggage: "a=3,b=2" }],
  [
    "baggage with a dangerous key",
    baggageOf("__proto__=1,constructor=2"),
    { ...kept, baggage: "__proto__=1,constructor=2" },
  ],
  ["64 members of baggage", baggageOf(members(64)), { ...kept, baggage: members(64) }],
  ["65 members of baggage", baggageOf(members(65)), { ...kept, baggage: members(64) }],
  ["8 KiB of baggage", baggageOf(long("a", 8192)), { ...kept, baggage: long("a", 8192) }],
  [
    "more than 8 KiB of baggage",
    baggageOf(`${long("a", 5000)},${long("b", 3191)},c=3`),
    { ...kept, baggage: `${long("a", 5000)},${long("b", 3191)}` },
  ],
  ["one member over 8 KiB", baggageOf(long("a", 8193)), kept],
  [
    "8 KiB of what grows when it is encoded",
    baggageOf(`a=1,${long("b", 4096).replaceAll("v", " ")}.,c=${'"'.repeat(4000)}`),
    { ...kept, baggage: "a=1,b=." },
  ],

  ["b3", b3(`${traceId}-${spanId}-1`), { ...kept, b3: { b3: "TRACE-SPAN-1" } }],
  ["b3 with a parent", b3(`${traceId}-${spanId}-1-05e3ac9a4f6e3b90`), { ...kept, b3: { b3: "TRACE-SPAN-1" } }],
  [
    "b3 with an id of 64 bits",
    b3(`${shortId}-${spanId}-1`),
    { traceId: shortId.padStart(32, "0"), flags: "01", b3: { b3: "TRACE-SPAN-1" } },
  ],
  ["b3 with capitals", b3(`${traceId.toUpperCase()}-${spanId}-1`), { ...kept, b3: { b3: "TRACE-SPAN-1" } }],
  ["b3 that is not sampled", b3(`${traceId}-${spanId}-0`), { traceId, flags: "00", b3: { b3: "TRACE-SPAN-0" } }],
  [
    "b3 that leaves the decision open",
    b3(`${traceId}-${spanId}`),
    { traceId, flags: "00", b3: { b3: "TRACE-SPAN-0" } },
  ],
  ["b3 in debug", b3(`${traceId}-${spanId}-d`), { ...kept, b3: { b3: "TRACE-SPAN-d" } }],
  ["b3 that denies", b3("0"), { flags: "02", b3: { b3: "TRACE-SPAN-0" } }],
  ["b3 that only wants to be sampled", b3("1"), anew],
  ["b3 with more around it", b3(`x${traceId}-${spanId}-1`), anew],
  ["b3 with an id of zeros", b3(`${"0".repeat(32)}-${spanId}-1`), anew],
  ["two headers b3", [...b3(`${traceId}-${spanId}-1`), ...b3(`${traceId}-${spanId}-1`)], anew],
  [
    "b3 with a tracestate",
    [...b3(`${traceId}-${spanId}-1`), ["tracestate", "a=1"]],
    { ...kept, b3: { b3: "TRACE-SPAN-1" } },
  ],
  [
    "b3 in several headers",
    [
      ["X-B3-TraceId", traceId],
      ["X-B3-SpanId", spanId],
      ["X-B3-Sampled", "1"],
    ],
    { ...kept, b3: { "x-b3-traceid": "TRACE", "x-b3-spanid": "SPAN", "x-b3-sampled": "1" } },
  ],
  [
    "b3 in several headers, true of old",
    [
      ["x-b3-traceid", shortId],
      ["x-b3-spanid", spanId],
      ["x-b3-sampled", "true"],
    ],
    {
      traceId: shortId.padStart(32, "0"),
      flags: "01",
      b3: { "x-b3-traceid": "TRACE", "x-b3-spanid": "SPAN", "x-b3-sampled": "1" },
    },
  ],
  [
    "b3 in several headers, debug",
    [
      ["x-b3-traceid", traceId],
      ["x-b3-spanid", spanId],
      ["x-b3-flags", "1"],
    ],
    { ...kept, b3: { "x-b3-traceid": "TRACE", "x-b3-spanid": "SPAN", "x-b3-flags": "1" } },
  ],
  [
    "b3 in several headers that deny",
    [["x-b3-sampled", "0"]],
    { flags: "02", b3: { "x-b3-traceid": "TRACE", "x-b3-spanid": "SPAN", "x-b3-sampled": "0" } },
  ],
  [
    "b3 in several headers without a span",
    [
      ["x-b3-traceid", traceId],
      ["x-b3-sampled", "1"],
    ],
    anew,
  ],
  [
    "both",
    [
      ["traceparent", valid],
      ["b3", `${"9".repeat(32)}-${spanId}-0`],
    ],
    { ...kept, b3: { b3: "TRACE-SPAN-1" } },
  ],
  [
    "b3 beside a bad traceparent",
    [
      ["traceparent", "garbage"],
      ["b3", `${traceId}-${spanId}-0`],
    ],
    { ...anew, b3: { b3: "TRACE-SPAN-1" } },
  ],
];

let running: TestSystem;
let server: RecordingServer;
const stack = new AsyncDisposableStack();
beforeAll(async () => {
  server = stack.use(await startRecordingServer());
  const handlers = join(projectFolder, "tests/fixtures/trace-handlers");
  running = stack.use(await startTestSystem({ handlers }));
}, startingMs);
afterAll(() => stack.disposeAsync(), startingMs);

interface Submitted {
  task: HttpTask;
  headers: Headers;
}

async function submit(system: TestSystem, body: unknown, lines: Lines = []): Promise<Submitted> {
  const head: Lines = [["host", new URL(system.url).host], ...lines];
  const answer = await sendRequest(system.url, "POST /v1/tasks HTTP/1.1", head, JSON.stringify(body));
  if (answer.status !== 202) throw new Error(`not accepted: ${answer.status} ${answer.body}`);
  return { task: JSON.parse(answer.body), headers: answer.headers };
}

/** Where a call ends up, whose task was sent with these header lines. */
async function through(system: TestSystem, path: string, lines: Lines, body: Record<string, unknown> = {}) {
  const call = { type: "http", payload: { url: `${server.url}${path}`, method: "GET" }, ...body };
  const submitted = await submit(system, call, lines);
  return { ...submitted, called: await server.headersAt(path) };
}

interface Told {
  version: string;
  traceId: string;
  spanId: string;
  flags: string;
}

function parts(traceparent = ""): Told {
  const [version = "", id = "", span = "", flags = ""] = traceparent.split("-");
  return { version, traceId: id, spanId: span, flags };
}

const propagated = /^(traceparent|tracestate|baggage|b3|x-b3-.*)$/;

describe.each([
  ["at once", "now", {}],
  ["by the sweeper", "later", { delay: "1ms" }],
])("a task that is sent %s carries on", (_how, folder, body) => {
  let results: Awaited<ReturnType<typeof through>>[];
  beforeAll(async () => {
    results = await Promise.all(cases.map(([, sent], n) => through(running, `/${folder}/${n}`, sent, body)));
  }, startingMs);

  test.each(cases.map(([what, , expected], n) => [what, n, expected] as const))("%s", (_what, n, expected) => {
    const { task, headers, called = {} } = results[n] ?? {};
    const told = parts(called.traceparent);
    const carried = Object.fromEntries(Object.entries(called).filter(([name]) => propagated.test(name)));
    const ids = { TRACE: told.traceId, SPAN: told.spanId };
    const b3Headers = Object.entries(expected.b3 ?? {}).map(([name, value]) => [
      name,
      value.replace(/TRACE|SPAN/g, (word) => ids[word === "TRACE" ? "TRACE" : "SPAN"]),
    ]);
    expect(carried).toEqual({
      traceparent: `00-${told.traceId}-${told.spanId}-${expected.flags}`,
      ...(expected.tracestate !== undefined && { tracestate: expected.tracestate }),
      ...(expected.baggage !== undefined && { baggage: expected.baggage }),
      ...Object.fromEntries(b3Headers),
    });
    if (expected.traceId) expect(told.traceId).toBe(expected.traceId);
    else expect([traceId, shortId.padStart(32, "0")]).not.toContain(told.traceId);
    expect(told.traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
    expect(told.spanId).toMatch(/^(?!0{16})[0-9a-f]{16}$/);
    expect(told.spanId).not.toBe(spanId);
    // The task and the answer tell the same trace.
    expect(task?.trace_id).toBe(told.traceId);
    const answered = parts(headers?.get("traceresponse") ?? "");
    expect(answered).toMatchObject({ version: "00", traceId: told.traceId, flags: expected.flags });
  });
});

describe("a handler's call", () => {
  test("carries the innermost span that was open where it was made, and the baggage", async () => {
    const call = { type: "call-nested", payload: { url: `${server.url}/nested` } };
    const { task } = await submit(running, call, baggageOf("tenant=blue%20green"));
    const called = await server.headersAt("/nested");
    const { result } = await running.task(task.id, "20s");
    expect(result).toEqual({
      status: 200,
      baggage: "blue green",
      inner: expect.stringMatching(/^[0-9a-f]{16}$/),
      injected: { traceparent: expect.stringContaining(`00-${traceId}-`), baggage: "tenant=blue%20green" },
    });
    // A handler's own use of the API writes the span that it is in; `ctx.fetch` a span of its own below that.
    const { inner, injected } = result as { inner: string; injected: Record<string, string> };
    expect(parts(injected.traceparent)).toEqual({ version: "00", traceId, spanId: inner, flags: "01" });
    expect(parts(called.traceparent)).toMatchObject({ traceId, flags: "01" });
    expect(parts(called.traceparent).spanId).not.toBe(inner);
  });

  test("keeps the headers that the handler has set itself", async () => {
    const own = { traceparent: `00-${"5".repeat(32)}-${spanId}-00`, baggage: "mine=1", "x-correlation-id": "mine" };
    const payload = { url: `${server.url}/own`, method: "GET", headers: own };
    const { called } = await through(running, "/own", [...state("a=1"), ["baggage", "b=2"]], { payload });
    expect(called).toMatchObject(own);
    // It would not go with the handler's trace.
    expect(called.tracestate).toBeUndefined();
  });

  test("carries the correlation id, and no request id: a task may run long after its request", async () => {
    const lines: Lines = [
      ["x-correlation-id", "Order_7.b-2"],
      ["x-request-id", "request/1"],
    ];
    const { called, headers } = await through(running, "/ids", lines);
    expect([called["x-correlation-id"], called["x-request-id"]]).toEqual(["Order_7.b-2", undefined]);
    expect([headers.get("x-correlation-id"), headers.get("x-request-id")]).toEqual(["Order_7.b-2", "request/1"]);
    const made = await through(running, "/made-ids", []);
    expect(made.called["x-correlation-id"]).toBe(made.headers.get("x-correlation-id") ?? "none");
  });
});

test(
  "a task that is redriven carries baggage and B3 into its new trace, and no tracestate of the old one",
  async () => {
    let calls = 0;
    await using shop = await startRecordingServer(({ url }) => {
      if (!url.endsWith("/first")) return undefined;
      calls += 1;
      return new Response("no", { status: calls === 1 ? 400 : 200 });
    });
    const lines: Lines = [...state("a=1"), ["baggage", "tenant=blue"], ["b3", `${traceId}-${spanId}-d`]];
    const { task } = await submit(running, { type: "http", payload: { url: `${shop.url}/first` } }, lines);
    await eventually(async () => (await running.task(task.id)).status === "dead");
    const order = await fetch(`${running.url}/v1/dead-letters/redrive`, {
      method: "POST",
      body: JSON.stringify({ ids: [task.id] }),
    });
    expect(order.status).toBe(202);
    await eventually(() => shop.requestsAt("/first").length === 2);
    const [before, after] = shop.requestsAt("/first");
    expect(before).toMatchObject({ tracestate: "a=1", baggage: "tenant=blue" });
    const { traceId: newTrace, spanId: newSpan, flags } = parts(after?.traceparent);
    expect([newTrace === traceId, flags]).toEqual([false, "03"]);
    expect(after).toMatchObject({ baggage: "tenant=blue", b3: `${newTrace}-${newSpan}-d` });
    expect(after?.tracestate).toBeUndefined();
  },
  startingMs,
);
