/** Edits of the handlers' folder, on a real folder with real threads: what is loaded, when, and what is told of it. */

import { describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { readConfig } from "../../src/config.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { watchHandlers } from "../../src/worker/handlers/edits.ts";
import { type EditedHandlers, editedHandlers, versioned } from "../support/edited-handlers.ts";
import { eventually } from "../support/eventually.ts";
import { startTestPool, type TestPool } from "../support/test-pool.ts";

const limitMs = 60_000;
const patience = { timeoutMs: 30_000 };

interface Watched extends AsyncDisposable, Pick<TestPool, "pool" | "run"> {
  /** Lines so far, without what every line has. */
  lines: Record<string, unknown>[];
  /** The types, each time that they were registered. */
  registered: string[][];
}

async function startWatched(folder: EditedHandlers): Promise<Watched> {
  const { config } = readConfig({ handlers: folder.path }, {});
  const running = await startTestPool({ handlers: folder.path }, true);
  const { pool } = running;
  const lines: Watched["lines"] = [];
  const registered: string[][] = [];
  const { log } = startTelemetry("test", config, (line) => lines.push(JSON.parse(line)));
  const register = async (): Promise<void> => {
    registered.push(ownTypes(running));
  };
  const edits = watchHandlers({ config, pool, register, log });
  await edits.ready;
  return {
    ...running,
    lines,
    registered,
    [Symbol.asyncDispose]: async () => {
      await edits.close();
      await running[Symbol.asyncDispose]();
    },
  };
}

/** Without the built-in ones. */
function ownTypes({ pool }: Pick<TestPool, "pool">): string[] {
  const builtIn = ["echo", "sleep", "flaky", "fail", "crash", "spin", "http"];
  return pool.types().flatMap(({ type }) => (builtIn.includes(type) ? [] : type));
}

async function becomes({ run }: Watched, type: string, version: string): Promise<void> {
  await eventually(async () => {
    const outcome = await run({ type, payload: {} }).outcome;
    return outcome.kind === "succeeded" && outcome.result === JSON.stringify(version);
  }, patience);
}

describe("an edit", () => {
  test(
    "is loaded by itself: of a handler, of what it imports, of a file that is new or gone",
    async () => {
      const imports = 'import { version } from "./lib/version.ts";\nexport default { run: () => version };\n';
      await using folder = await editedHandlers({
        "tell.ts": versioned("1"),
        "import.ts": imports,
        "lib/version.ts": 'export const version = "a";\n',
      });
      await using watched = await startWatched(folder);
      await folder.write("tell.ts", versioned("2"));
      await becomes(watched, "tell", "2");
      await folder.write("lib/version.ts", 'export const version = "b";\n');
      await becomes(watched, "import", "b");
      await folder.write("added.ts", versioned("new"));
      await becomes(watched, "added", "new");
      await folder.remove("tell.ts");
      await eventually(() => watched.pool.find("tell") === undefined, patience);
      await eventually(() => watched.registered.length >= 4);
      expect(watched.registered.at(-1)).toEqual(["added", "import"]);
      const told = watched.lines.map(({ msg, added, removed }) => ({ msg, added, removed }));
      expect(told).toContainEqual({ msg: "handlers loaded again", added: ["added"], removed: [] });
      expect(told).toContainEqual({ msg: "handlers loaded again", added: [], removed: ["tell"] });
    },
    limitMs,
  );

  test(
    "that does not load is told with its place, and the next one is loaded",
    async () => {
      await using folder = await editedHandlers({ "tell.ts": versioned("1") });
      await using watched = await startWatched(folder);
      await folder.write("tell.ts", "export default {\n  run( {\n};\n");
      const line = await eventually(() => watched.lines.find(({ level }) => level === "error"), patience);
      expect(line).toMatchObject({
        msg: "handlers do not load, the ones before stay in force",
        changed: ["tell.ts"],
        problems: [expect.stringMatching(/^handler file "tell.ts": .* \(tell\.ts:\d:\d+\)$/)],
      });
      await becomes(watched, "tell", "1");
      await folder.write("tell.ts", versioned("2"));
      await becomes(watched, "tell", "2");
    },
    limitMs,
  );

  test(
    "in a storm of them counts once it is the last: few loads, and no thread is left behind",
    async () => {
      await using folder = await editedHandlers({ "tell.ts": versioned("0") });
      await using watched = await startWatched(folder);
      for (let edit = 1; edit <= 200; edit++) await folder.write("tell.ts", versioned(String(edit)));
      await becomes(watched, "tell", "200");
      await eventually(() => {
        expect(watched.pool.figures()).toEqual({ threads: 1, busy: 0, stuck: 0, condemned: 0 });
        return true;
      }, patience);
      expect(watched.registered.length).toBeLessThan(20);
    },
    limitMs,
  );

  test(
    "of a folder that is gone is told, and does not end anything",
    async () => {
      await using folder = await editedHandlers({ "tell.ts": versioned("1") });
      await using watched = await startWatched(folder);
      await rm(folder.path, { recursive: true });
      await eventually(() => watched.lines.some(({ level }) => level === "error"), patience);
      await becomes(watched, "tell", "1");
    },
    limitMs,
  );
});
