/** What `throughline dev` shows of each log line. */

import { expect, test } from "bun:test";
import { toDevLines } from "../../src/cli/dev-lines.ts";

const folder = "/home/ada/handlers";
const show = { paint: (_style: string, text: string) => text, folder };
const time = "2026-11-21T20:15:48.153Z";
const clock = new Date(time).toTimeString().slice(0, 8);
const traceId = "2618cc8419daee9715c39c11041e6025";
const all = { level: "info", severity_number: 9, time, service: "worker", module: "worker", trace_id: traceId };
const task = {
  ...all,
  task_id: "t",
  correlation_id: "c",
  span_id: "s",
  trace_flags: 3,
  task_type: "greet",
  attempt: 1,
};
const stack = `Error: bad day\n    at run (${folder}/greet.ts:3:9)\n    at runHandler (/elsewhere/run.ts:1:1)`;
const error = { type: "Error", message: "bad\u001b[31m\nday", stack };

const lines: [what: string, line: object, shown: string[]][] = [
  ["a success", { ...task, elapsed_ms: 19.0134, msg: "task succeeded" }, [`✓ greet  19.0 ms  trace ${traceId}`]],
  [
    "a failure that is tried again, with the places in the handlers' own code",
    { ...task, attempt: 2, level: "warn", error, retry_in_ms: 686, msg: "attempt failed, another follows" },
    [`✗ greet attempt 2  failed, again in 686 ms  trace ${traceId}`, "Error: bad[31m day", "  at run (greet.ts:3:9)"],
  ],
  [
    "a last failure",
    {
      ...task,
      level: "warn",
      error: { ...error, stack: undefined },
      reason: "attempts_exhausted",
      msg: "attempt failed, it was the last",
    },
    [`✗ greet  failed, no attempt is left  trace ${traceId}`, "Error: bad[31m day"],
  ],
  [
    "a fatal failure",
    { ...task, level: "warn", reason: "fatal", msg: "attempt failed, it was the last" },
    [`✗ greet  failed, no attempt can help (fatal)  trace ${traceId}`],
  ],
  ["the death after it", { ...task, level: "error", reason: "fatal", msg: "task is dead" }, []],
  [
    "what a handler tells",
    { ...task, module: "handler", n: 1, to: "Ada", msg: "greeting" },
    ["· greet  greeting  n=1 to=Ada"],
  ],
  [
    "handlers that were loaded",
    { ...all, msg: "handlers loaded again", changed: ["a.ts", "b.ts"], added: ["b"], removed: ["c"] },
    ["↻ handlers loaded again: a.ts, b.ts +b -c"],
  ],
  [
    "handlers that do not load",
    {
      ...all,
      level: "error",
      msg: "handlers do not load, the ones before stay in force",
      problems: ["a.ts: no", "b.ts: no"],
    },
    ["✗ handlers do not load, the ones before stay in force", "a.ts: no", "b.ts: no"],
  ],
  [
    "a warning of ours",
    { ...all, level: "warn", msg: "the broker is away", for_ms: 10 },
    ["! the broker is away  for_ms=10"],
  ],
  [
    "that it is ready",
    { ...all, msg: "ready", gateway_url: "http://127.0.0.1:8080" },
    ["ready: http://127.0.0.1:8080", `handlers in ${folder}, loaded again whenever a file changes; Ctrl-C ends it`],
  ],
  [
    "that it is ready where other commands would not look",
    { ...all, msg: "ready", gateway_url: "http://127.0.0.1:4711" },
    [
      "ready: http://127.0.0.1:4711",
      `handlers in ${folder}, loaded again whenever a file changes; Ctrl-C ends it`,
      "in another terminal: export THROUGHLINE_URL=http://127.0.0.1:4711",
    ],
  ],
  ["housekeeping", { ...all, msg: "task service listens" }, []],
];

test.each(lines)("%s", (_, line, shown) => {
  const [first, ...more] = shown;
  const expected = first === undefined ? [] : [`${clock} ${first}`, ...more.map((each) => `         ${each}`)];
  expect(toDevLines(JSON.stringify(line), show)).toEqual(expected);
});

test("a line that is none of ours stays as it is", () => {
  expect(toDevLines("Segmentation fault\n", show)).toEqual(["Segmentation fault"]);
});
