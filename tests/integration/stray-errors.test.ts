/**
 * Errors that no code catches: which task they belong to, and that no other task on the thread is affected. In processes
 * of their own: in a test's process the test runner takes such errors.
 */

import { expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { startGate } from "../support/gate.ts";
import { httpApi } from "../support/http-api.ts";
import { freePorts, type LogLine, type StartOptions, startThroughline } from "../support/process.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 120_000;

interface Thrown {
  type: string;
  message: string;
}

function error(message: string, type = "Error"): Thrown {
  return { type, message };
}

function ended(call: string): Thrown {
  return error(`${call} was called: a handler cannot end its process`, "ProcessEndError");
}

/** By name: code that starts something, and the error that it ends with. */
const started: Record<string, [code: string, error: Thrown]> = {
  timer: [`setTimeout(() => { throw new RangeError("late"); }, 5);`, error("late", "RangeError")],
  rejection: [`setTimeout(() => Promise.reject(new TypeError("no")), 5);`, error("no", "TypeError")],
  interval: [`const id = setInterval(() => { clearInterval(id); throw new Error("tick"); }, 5);`, error("tick")],
  immediate: [`setTimeout(() => setImmediate(() => { throw new Error("soon"); }), 5);`, error("soon")],
  tick: [`setTimeout(() => process.nextTick(() => { throw new Error("next"); }), 5);`, error("next")],
  microtask: [`setTimeout(() => queueMicrotask(() => { throw new Error("micro"); }), 5);`, error("micro")],
  emitter: [`setTimeout(() => new EventEmitter().emit("error", new Error("sent")), 5);`, error("sent")],
  stream: [
    `setTimeout(() => new Readable({ read() { this.destroy(new Error("torn")); } }).resume(), 5);`,
    error("torn"),
  ],
  nested: [
    `const inner = async () => { await pause(1); throw new Error("deep"); };
     void (async () => { await pause(5); await inner(); })();`,
    error("deep"),
  ],
  several: [`setTimeout(() => Promise.all([Promise.reject(new Error("one")), pause(1)]), 5);`, error("one")],
  exit: [`setTimeout(() => process.exit(3), 5);`, ended("process.exit(3)")],
  abort: [`setTimeout(() => process.abort(), 5);`, ended("process.abort()")],
  kill: [`setTimeout(() => process.kill(process.pid, "SIGTERM"), 5);`, ended("process.kill() of the own process")],
  proxy: [
    `setTimeout(() => { throw new Proxy(new Error("odd"), { getPrototypeOf() { throw new Error("trap"); } }); }, 5);`,
    error("[an object that cannot be read]"),
  ],
  unhooked: [
    `process.removeAllListeners(); process.removeAllListeners("uncaughtException");
     for (const each of process.listeners("unhandledRejection")) process.off("unhandledRejection", each);
     setTimeout(() => { throw new Error("unhooked"); }, 5);`,
    error("unhooked"),
  ],
};

/** What Deno ends the thread of all the same: it asks such a value for its class, and forgets about listeners. */
const notOnDeno = ["proxy", "unhooked"];

function handler(code: string): string {
  return `import { EventEmitter } from "node:events";
import { Readable } from "node:stream";
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export default { maxAttempts: 1, run: async ({ payload }, ctx) => {
${code}
} };
`;
}

const waits = "if (payload) return (await fetch(payload.url)).status;";

function handlerFiles(names: readonly string[]): Record<string, string> {
  const left = names.map((name) => [`left-${name}.ts`, handler(`${started[name]?.[0]}\nreturn "done";`)]);
  const obey = `await new Promise((_, end) => ctx.signal.addEventListener("abort", end)); // of the code`;
  const runs = names.map((name) => [`runs-${name}.ts`, handler(`${started[name]?.[0]}\n${obey}`)]);
  return {
    ...Object.fromEntries([...left, ...runs]),
    "wait.ts": handler(waits),
    "leak.ts": handler(`${waits}\nsetTimeout(() => Promise.reject(new Error("leaked")), 5);`),
    "flood.ts": handler(`setTimeout(() => { for (let i = 0; i < 1000; i++) Promise.reject(new Error("again")); }, 5);`),
  };
}

const runtimes: NonNullable<StartOptions["command"]>[] = ["compiled", "source", "deno"];

test.each(runtimes)(
  "an error that no code catches fails its own task while that runs, and no other ever: %s",
  async (command) => {
    const names = Object.keys(started).filter((name) => command !== "deno" || !notOnDeno.includes(name));
    await using folder = await tempFolder();
    await mkdir(join(folder.path, "handlers"));
    for (const [file, text] of Object.entries(handlerFiles(names))) {
      await writeFile(join(folder.path, "handlers", file), text);
    }
    await using gate = startGate();
    const args = ["--threads=1", "--thread-concurrency=64", ...freePorts];
    await using running = await startThroughline(args, { command, cwd: folder.path });
    const api = httpApi(running.addresses.gateway_url);
    const { payload } = gate.task();
    const beside = await Promise.all(["wait", "leak"].map((type) => api.submit({ type, payload })));
    await gate.held(2);
    const endOf = async (type: string) => api.ended((await api.submit({ type })).id);
    const stray = ({ msg }: LogLine): boolean => msg.endsWith("no code caught it");

    const done = await Promise.all(names.map((name) => endOf(`left-${name}`)));
    expect(done.map(({ status, result }) => [status, result])).toEqual(names.map(() => ["succeeded", "done"]));
    await eventually(() => running.logs().filter(stray).length === names.length);
    const told = running.logs().filter(stray);
    expect(Object.fromEntries(told.map(({ task_type, error }) => [task_type, error]))).toMatchObject(
      Object.fromEntries(names.map((name) => [`left-${name}`, started[name]?.[1]])),
    );
    expect(told.map(({ task_id }) => task_id).sort()).toEqual(done.map(({ id }) => id).sort());

    // That a first one ended in the same way makes no difference to the second.
    for (const _ of [1, 2]) {
      const runs = await Promise.all(names.map((name) => endOf(`runs-${name}`)));
      expect(runs.map(({ attempts, error }) => [attempts[0]?.outcome, error])).toMatchObject(
        names.map((name) => ["crashed", started[name]?.[1]]),
      );
      expect(JSON.stringify(runs)).not.toContain("of the code");
    }
    expect(running.logs().filter(stray).length).toBe(names.length);

    // Nor is it counted against another task of the same type.
    for (const count of [1, 2]) {
      expect((await endOf("leak")).status).toBe("succeeded");
      await eventually(() => running.logs().filter(stray).length === names.length + count);
    }
    expect((await endOf("flood")).status).toBe("succeeded");
    gate.open();
    const last = await Promise.all(beside.map(({ id }) => api.ended(id)));
    expect(last.map(({ status, attempt }) => [status, attempt])).toEqual([
      ["succeeded", 1],
      ["succeeded", 1],
    ]);
    expect(running.logs().filter(({ msg }) => msg.startsWith("handler thread"))).toEqual([]);
    await running.stop();
    const floods = running.logs().filter(({ handler_file }) => handler_file === "flood.ts");
    // Twenty in ten seconds; these may begin at the end of ten.
    expect(floods.length).toBeWithin(0, 41);
  },
  limitMs,
);
