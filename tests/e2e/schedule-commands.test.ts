/** `throughline schedule …` on the compiled executable. */

import { describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { codeBlocks, readDoc } from "../support/markdown.ts";
import { servedExecutable } from "../support/served.ts";

const limitMs = 60_000;
const { run } = servedExecutable();

describe("schedule create, show, update and list", () => {
  test(
    "tell a schedule in each form",
    async () => {
      const flags = ["--id", "nightly", "--cron", "0 3 * * *", "--time-zone", "Europe/Berlin", "-m", "team=blue"];
      const made = await run(["schedule", "create", "echo", '{"n":1}', ...flags]);
      expect([made.exitCode, made.errors]).toEqual([0, []]);
      expect(made.stdout).toMatch(
        /^schedule +nightly\nstate +active\ndue +0 3 \* \* \* Europe\/Berlin\noverlap +skip$/m,
      );
      expect(made.stdout).toMatch(/^payload +\{"n":1\}$/m);
      const json = JSON.parse((await run(["schedule", "show", "nightly", "--json"])).stdout);
      expect(json).toMatchObject({ id: "nightly", task: { payload: { n: 1 }, metadata: { team: "blue" } } });

      const changed = await run(["schedule", "update", "nightly", "--every", "90m", "--overlap", "buffer_one"]);
      expect(changed.stdout).toMatch(/^due +every 90m\noverlap +buffer_one$/m);
      const quiet = await run(["schedule", "create", "echo", "--every", "1h", "--id", "hourly", "--paused", "-q"]);
      expect(quiet).toEqual({ exitCode: 0, stdout: "hourly\n", errors: [] });
      const { stdout } = await run(["schedule", "list"]);
      const [head = "", ...rows] = stdout.trimEnd().split("\n");
      expect(head.split(/ +/)).toEqual(["ID", "STATE", "DUE", "NEXT", "LAST", "TYPE", "FIRED", "SKIPPED", "MISSED"]);
      expect(rows.map((row) => row.split(/ {2,}/).slice(0, 3))).toEqual([
        ["hourly", "paused", "every 1h"],
        ["nightly", "active", "every 90m"],
      ]);
      expect((await run(["schedule", "list", "-q"])).stdout).toBe("hourly\nnightly\n");
      const gone = await run(["schedule", "delete", "hourly", "nightly"]);
      expect(gone).toEqual({ exitCode: 0, stdout: "hourly deleted\nnightly deleted\n", errors: [] });
      expect(await run(["schedule", "list"])).toEqual({ exitCode: 0, stdout: "", errors: ["there is no schedule"] });
    },
    limitMs,
  );

  const refused: [args: string[], exitCode: number, error: string][] = [
    [["create", "echo"], 2, "expected either cron or every"],
    [["create", "echo", "--cron", "@daily", "--every", "1h"], 2, "cannot be used with"],
    [["create", "echo", "--cron", "0 0 31 2 *"], 2, "/cron: it fits no time to come"],
    [["create", "echo", "--every", "soon"], 2, "Expected a duration"],
    [["create", "echo", "--every", "1h", "--overlap", "cancel"], 2, "Allowed choices are skip, buffer_one, allow"],
    [["create", "nobody", "--every", "1h"], 2, 'no worker runs tasks of type "nobody"'],
    [["show", "nope"], 1, 'there is no schedule "nope"'],
    [["update", "nope"], 2, "what is to change?"],
    [["trigger", "nope"], 1, 'there is no schedule "nope"'],
    [["delete", "nope"], 1, 'there is no schedule "nope"'],
  ];

  test.each(refused)("schedule %j ends with %p: %s", async (args, exitCode, error) => {
    const done = await run(["schedule", ...args]);
    expect([done.exitCode, done.stdout]).toEqual([exitCode, ""]);
    expect(done.errors.join("\n")).toContain(error);
  });
});

describe("schedule pause, resume and trigger", () => {
  test(
    "say what a schedule does now, and run it",
    async () => {
      await run(["schedule", "create", "echo", '"now"', "--id", "s", "--every", "1h"]);
      expect((await run(["schedule", "pause", "s"])).stdout).toBe("s paused\n");
      const ran = await run(["schedule", "trigger", "s", "--wait", "--json"]);
      const task = JSON.parse(ran.stdout);
      expect([ran.exitCode, task.status, task.result]).toEqual([0, "succeeded", "now"]);
      expect(task.metadata).toMatchObject({ schedule_id: "s" });
      expect((await run(["schedule", "resume", "s"])).stdout).toMatch(/^s goes on, next at \d{4}-\S+Z\n$/);
      const shown = await run(["schedule", "show", "s"]);
      expect(shown.stdout).toMatch(new RegExp(`^last task +${task.id} succeeded\\nfired +1$`, "m"));
      const twice = await run(["schedule", "pause", "s", "nope"]);
      expect([twice.exitCode, twice.stdout, twice.errors]).toEqual([
        1,
        "s paused\n",
        ['throughline: there is no schedule "nope"'],
      ]);
      await run(["schedule", "delete", "s"]);
    },
    limitMs,
  );
});

test(
  "the commands of docs/schedules.md do what it says",
  async () => {
    const block = codeBlocks(await readDoc("docs/schedules.md"), "sh").find((text) => text.startsWith("throughline "));
    const commands = (block ?? "").trim().split("\n");
    expect(commands.length).toBeGreaterThan(5);
    for (const command of commands) {
      const words = (command.match(/'[^']*'|\S+/g) ?? []).slice(1).map((word) => word.replace(/^'|'$/g, ""));
      const { exitCode, errors } = await run(words);
      expect({ command, exitCode, errors }).toEqual({ command, exitCode: 0, errors: [] });
    }
    await eventually(async () => (await run(["schedule", "list", "-q"])).stdout === "sync\n");
    await run(["schedule", "delete", "sync"]);
  },
  limitMs,
);
