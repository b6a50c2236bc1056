/** Tasks of a type that the worker has no handler for, as in a deploy that has not come to all of them. */

import { expect, test } from "bun:test";
import { lookAtHandlers } from "../../src/cli/doctor/process.ts";
import { readConfig } from "../../src/config.ts";
import { editedHandlers, versioned } from "../support/edited-handlers.ts";
import { eventually } from "../support/eventually.ts";
import { startTestSystem, type TestFlags, type TestSystem } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 120_000;
const patience = { timeoutMs: 30_000 };

/** A system whose worker has the handlers of this folder, from its start to its stop. */
async function during<T>(flags: TestFlags, use: (running: TestSystem) => Promise<T>): Promise<T> {
  await using running = await startTestSystem(flags);
  return await use(running);
}

async function claimsWithoutHandler({ adminUrl }: TestSystem): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  return Number(/^task_claims_total\{.*result="no_handler".*\} (\d+)/m.exec(text)?.[1] ?? 0);
}

test(
  "wait without an attempt until a worker has their handler, and meanwhile log, metrics and health say so",
  async () => {
    await using folder = await tempFolder();
    await using handlers = await editedHandlers({ "tell.ts": versioned("new"), "send.ts": versioned("sent") });
    const dataDir = folder.path;
    await during({ dataDir, handlers: handlers.path }, async () => {});

    const ids = await during({ dataDir }, async (running) => {
      const bodies = [
        { type: "tell", payload: {}, max_attempts: 1 },
        { type: "tell", payload: {}, delay: "100ms" },
        { type: "send", payload: {} },
      ];
      const accepted = await Promise.all(bodies.map((body) => running.accept(body)));
      for (const { id, type } of accepted) {
        await eventually(async () => {
          const message = `the worker that received the task has no handler for the type "${type}"`;
          expect(await running.task(id)).toMatchObject({
            status: "queued",
            attempt: 0,
            attempts: [],
            error: { type: "no_handler", message },
          });
          return true;
        }, patience);
      }
      // Each comes back more than once, and a neighbour is not held up.
      await eventually(async () => (await claimsWithoutHandler(running)) > 2 * accepted.length, patience);
      const { id } = await running.accept({ type: "echo", payload: 7 });
      expect(await running.task(id, "30s")).toMatchObject({ status: "succeeded" });
      const health = await (await fetch(`${running.adminUrl}/health`)).json();
      const check = { status: "degraded", missing: "send, tell" };
      expect(health).toMatchObject({ status: "degraded", checks: { handlers: check } });
      const told = running.lines.filter(({ msg }) => msg.startsWith("no handler for this type here"));
      expect(told.map(({ level, task_type: type }) => [level, type]).sort()).toEqual([
        ["warn", "send"],
        ["warn", "tell"],
      ]);
      const { config } = readConfig({ dataDir, handlers: "" }, {});
      const detail = 'tasks wait for handlers that are not among them: "send", "tell"';
      expect((await lookAtHandlers(config))[1]).toMatchObject({ check: "task types", status: "warn", detail });
      const all = readConfig({ dataDir, handlers: handlers.path }, {}).config;
      expect(await lookAtHandlers(all)).toHaveLength(1);
      return accepted.map((task) => task.id);
    });

    await during({ dataDir, handlers: handlers.path }, async (running) => {
      const ended = await Promise.all(ids.map((id) => running.task(id, "30s")));
      expect(ended.map(({ status, result, attempt, error }) => ({ status, result, attempt, error }))).toEqual([
        { status: "succeeded", result: "new", attempt: 1, error: null },
        { status: "succeeded", result: "new", attempt: 1, error: null },
        { status: "succeeded", result: "sent", attempt: 1, error: null },
      ]);
    });
  },
  limitMs,
);

test(
  "are dead with that reason when none has come for as long as the settings say",
  async () => {
    await using folder = await tempFolder();
    await using handlers = await editedHandlers({ "tell.ts": versioned("new") });
    const dataDir = folder.path;
    await during({ dataDir, handlers: handlers.path }, async () => {});
    await during({ dataDir, handlerWait: "2s" }, async (running) => {
      const { id } = await running.accept({ type: "tell", payload: {} });
      expect(await running.task(id, "30s")).toMatchObject({
        status: "dead",
        attempt: 0,
        error: { type: "no_handler" },
      });
      const letter = await (await fetch(`${running.url}/v1/dead-letters/${id}`)).json();
      expect(letter).toMatchObject({ reason: "no_handler" });
    });
  },
  limitMs,
);
