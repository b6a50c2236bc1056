/** What handlers and their imports print is lines of the log, each of the task in which it was printed. */

import { expect, test } from "bun:test";
import { editedHandlers } from "../support/edited-handlers.ts";
import { eventually } from "../support/eventually.ts";
import { type LogLine, startTestSystem } from "../support/system.ts";

/** Prints in the ways of code that was written for another place. */
const printing = `
import { Console } from "node:console";
import { writer } from "./library/writer.ts";

console.log("loading", { file: "print.ts" });

export default {
  async run({ payload }) {
    console.log("card %s declined %d times", "4242", 3);
    console.info("paid", 7, { order: 7, password: "hunter2" });
    console.error("charge failed", new TypeError("declined", { cause: new Error("limit") }));
    console.table([{ a: 1 }]);
    console.assert(false, "asserted");
    await new Promise((resolve) => setTimeout(resolve, 1));
    console.debug(payload);
    writer.write("progress\\n");
    process.stderr.write(new TextEncoder().encode("complaint\\n"));
    new Console(process.stdout).log("own console");
    const ended = new Promise((resolve) => process.stdout.write("told\\n", resolve));
    setTimeout(() => console.warn("late"), 100);
    return ended;
  },
};
`;
const library = `process.stdout.write("a library\\n"); export const writer = process.stdout;`;

function told({ level, msg, error, task_type, attempt, order, password }: LogLine): unknown {
  return { level, msg, error, task_type, attempt, order, password };
}

test("what is printed is lines of the task in which it was printed, also when that has ended", async () => {
  await using folder = await editedHandlers({ "print.ts": printing, "library/writer.ts": library });
  await using running = await startTestSystem({ handlers: folder.path, threads: "1", logLevel: "info,handler=trace" });
  const { id, trace_id: traceId } = await running.accept({ type: "print", payload: { some: "payload" } });
  expect(await running.task(id, "20s")).toMatchObject({ status: "succeeded" });
  const printed = (): LogLine[] => running.lines.filter(({ module }) => module === "handler");
  await eventually(() => printed().some(({ msg }) => msg === "late"));

  const atLoad = { task_type: undefined, attempt: undefined };
  const ofTask = { task_type: "print", attempt: 1 };
  const lines = printed().map(told);
  expect(lines).toMatchObject([
    { level: "info", msg: "a library", ...atLoad },
    { level: "info", msg: "loading", ...atLoad },
    { level: "info", msg: "card 4242 declined 3 times", ...ofTask },
    { level: "info", msg: "paid 7", order: 7, password: "REDACTED", ...ofTask },
    {
      level: "error",
      msg: "charge failed",
      error: { type: "TypeError", message: "declined", stack: expect.any(String), causes: ["Error: limit"] },
      ...ofTask,
    },
    { level: "info", msg: expect.stringMatching(/a(.|\n)*1/), ...ofTask },
    { level: "warn", msg: expect.stringContaining("asserted"), ...ofTask },
    { level: "debug", msg: "", ...ofTask },
    { level: "info", msg: "progress", ...ofTask },
    { level: "warn", msg: "complaint", ...ofTask },
    { level: "info", msg: "own console", ...ofTask },
    { level: "info", msg: "told", ...ofTask },
    { level: "warn", msg: "late", ...ofTask },
  ]);
  const traces = printed().map(({ msg, task_id, trace_id }) => [msg, task_id === id, trace_id === traceId]);
  expect(traces.slice(2).every(([, isTask, isTrace]) => isTask && isTrace)).toBe(true);
}, 60_000);
