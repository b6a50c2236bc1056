/** Handlers that change while tasks run: what runs ends with the old code, what comes next has the new one. */

import { describe, expect, test } from "bun:test";
import type { Outcome } from "../../src/words/retry.ts";
import { editedHandlers, versioned } from "../support/edited-handlers.ts";
import { eventually } from "../support/eventually.ts";
import { startGate } from "../support/gate.ts";
import { rejectionOf } from "../support/rejection.ts";
import { startTestPool, type TestPool } from "../support/test-pool.ts";

const limitMs = 60_000;
const patience = { timeoutMs: 30_000 };

function told(version: string): Outcome {
  return { kind: "succeeded", result: JSON.stringify(version) };
}

/** As many threads as the settings say, all idle, and none left behind. */
async function settled({ pool }: TestPool, threads: number): Promise<void> {
  await eventually(() => {
    expect(pool.figures()).toEqual({ threads, busy: 0, stuck: 0, condemned: 0 });
    expect(pool.intake.free()).toBe(threads * 16);
    return true;
  }, patience);
}

async function ask({ run }: TestPool, payload: unknown = {}): Promise<Outcome> {
  return run({ type: "tell", payload }).outcome;
}

describe("handlers that are loaded again", () => {
  test(
    "take what comes, while what runs ends with the code it began with; no thread is left behind",
    async () => {
      await using folder = await editedHandlers({ "tell.ts": versioned("old") });
      await using gate = startGate();
      await using running = await startTestPool({ handlers: folder.path, threads: "2" }, true);
      const before = ask(running, gate.task().payload);
      await gate.held(1);
      await folder.write("tell.ts", versioned("new"));
      await running.pool.reload();
      expect(await ask(running)).toEqual(told("new"));
      expect(running.pool.figures().condemned).toBe(1);
      gate.open();
      expect(await before).toEqual(told("old"));
      await settled(running, 2);
      // Nothing was wrong with the threads that have ended.
      expect([running.ended, running.condemned]).toEqual([[], []]);
    },
    limitMs,
  );

  test(
    "may be others than before, and have other settings",
    async () => {
      await using folder = await editedHandlers({ "tell.ts": versioned("old"), "gone.ts": versioned("gone") });
      await using running = await startTestPool({ handlers: folder.path }, true);
      await folder.remove("gone.ts");
      await folder.write("added.ts", versioned("added").replace("async run", 'timeout: "7s", async run'));
      await running.pool.reload();
      expect(running.pool.find("gone")).toBeUndefined();
      expect(running.pool.find("added")).toMatchObject({ timeoutMs: 7000 });
      expect(await running.run({ type: "added", payload: {} }).outcome).toEqual(told("added"));
    },
    limitMs,
  );

  const broken: [what: string, file: string, text: string, message: string | RegExp][] = [
    [
      "has a mistake in it",
      "tell.ts",
      "export default {\n  run( {\n};\n",
      /^handler file "tell.ts": .* \(tell\.ts:\d:\d+\)$/,
    ],
    ["throws", "tell.ts", "\nthrow new Error('no key');", 'handler file "tell.ts": no key (tell.ts:2:11)'],
    [
      "imports what throws",
      "tell.ts",
      'import "./lib/key.ts";\nexport default { run: () => 1 };',
      'handler file "tell.ts": no key here (lib/key.ts:3:11)',
    ],
    [
      "imports what is not there",
      "tell.ts",
      'import "./none.ts";',
      /^handler file "tell.ts": Cannot find module '.\/none.ts'/,
    ],
    [
      "is of a type that is taken",
      "other.ts",
      'export default { type: "tell", run: () => 1 };',
      /its type "tell" is taken/,
    ],
    ["ends its thread", "tell.ts", "process.reallyExit(1);", /^handler file "tell.ts": it ended its thread while it/],
    ["calls process.exit", "tell.ts", "process.exit(1);", /^handler file "tell.ts": process.exit\(1\) was called/],
    [
      "waits for ever",
      "tell.ts",
      "await new Promise(() => setInterval(() => {}, 1000));",
      /^handler file "tell.ts": it has not loaded within 8 s/,
    ],
    ["never yields", "tell.ts", "for (;;);", /^handler file "tell.ts": it has not loaded within 8 s/],
  ];

  test.each(broken)(
    "stay in force when a file %s, and it is said where",
    async (_, file, text, message) => {
      const lib = "\n\nthrow new Error('no key here');\n";
      await using folder = await editedHandlers({ "tell.ts": versioned("old"), "lib/key.ts": lib });
      await using running = await startTestPool({ handlers: folder.path }, true);
      await folder.write(file, text);
      const error = await rejectionOf(running.pool.reload());
      if (!(error instanceof Error)) throw new Error("no error");
      if (typeof message === "string") expect(error.message).toBe(message);
      else expect(error.message).toMatch(message);
      expect(await ask(running)).toEqual(told("old"));
      await settled(running, 1);

      await folder.write("tell.ts", versioned("mended"));
      if (file !== "tell.ts") await folder.remove(file);
      await running.pool.reload();
      expect(await ask(running)).toEqual(told("mended"));
    },
    limitMs,
  );

  test(
    "leave so many threads behind and no more: then the oldest task goes back to begin anew",
    async () => {
      await using folder = await editedHandlers({ "tell.ts": versioned("0") });
      await using gate = startGate();
      await using running = await startTestPool({ handlers: folder.path }, true);
      const outcomes: Promise<Outcome>[] = [];
      for (let edit = 1; edit <= 10; edit++) {
        outcomes.push(ask(running, gate.task().payload));
        await gate.held(edit);
        await folder.write("tell.ts", versioned(String(edit)));
        await running.pool.reload();
      }
      expect(running.pool.figures().condemned).toBe(8);
      const back = await Promise.all(outcomes.slice(0, 2));
      expect(back.map(({ kind }) => kind)).toEqual(["interrupted", "interrupted"]);
      gate.open();
      expect(await Promise.all(outcomes.slice(2))).toEqual(["2", "3", "4", "5", "6", "7", "8", "9"].map(told));
      await settled(running, 1);
    },
    limitMs,
  );
});
