/** `throughline task list` and `throughline dlq groups` on the compiled executable, with `--watch` in a real terminal. */

import { describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { compiledExecutable } from "../support/executable.ts";
import { spawnThroughline } from "../support/process.ts";
import { servedExecutable } from "../support/served.ts";
import { startInTerminal } from "../support/terminal.ts";

const limitMs = 60_000;
const { run, api, url } = servedExecutable();

describe("task list", () => {
  test(
    "shows the newest first, filtered, in each form",
    async () => {
      const dead = await api().submit({ type: "fail", payload: { message: "no" }, max_attempts: 1 });
      const echo = await api().submit({ type: "echo" }, { "x-correlation-id": "order-7" });
      await Promise.all([api().ended(dead.id), api().ended(echo.id)]);
      const listed = await run(["task", "list"]);
      const [head = "", first = "", second = ""] = listed.stdout.split("\n");
      expect([listed.exitCode, listed.errors]).toEqual([0, []]);
      expect(head.split(/ +/)).toEqual(["ID", "STATUS", "TYPE", "TRIES", "CREATED", "TOOK", "ERROR"]);
      expect(first).toMatch(new RegExp(`^${echo.id}  succeeded  echo +1/5  \\d{4}-\\d\\d-\\d\\d \\S+Z +[\\d.]+ m?s$`));
      expect(second).toMatch(new RegExp(`^${dead.id}  dead +fail +1/1 .* Error: no$`));

      expect((await run(["task", "list", "--status", "dead", "-q"])).stdout).toBe(`${dead.id}\n`);
      expect((await run(["task", "list", "--correlation-id", "order-7", "-q"])).stdout).toBe(`${echo.id}\n`);
      expect((await run(["task", "list", "--type", "sleep", "--since", "1h"])).errors).toEqual(["no task fits"]);
      const json = await run(["task", "list", "--limit", "1", "--json"]);
      expect(JSON.parse(json.stdout)).toEqual({ items: [await api().task(echo.id)], next_cursor: expect.any(String) });
      const wrong = await run(["task", "list", "--status", "done", "--limit", "0"]);
      expect([wrong.exitCode, wrong.errors.length]).toEqual([2, 3]);
    },
    limitMs,
  );

  test(
    "watches on a terminal: drawn again in its place, never wider or higher than it, and gone at Ctrl-C",
    async () => {
      const args = ["task", "list", "--watch", "--type=sleep", `--url=${url()}`];
      await using terminal = await startInTerminal([await compiledExecutable(), ...args], { cols: 70, rows: 8 });
      await eventually(() => terminal.screen()[0] === "no task fits");
      const { id } = await api().submit({ type: "sleep", payload: { ms: 600_000 } });
      await eventually(() => terminal.screen()[1]?.startsWith(`${id}  running`));
      expect((await run(["task", "cancel", id])).exitCode).toBe(0);
      await eventually(() => terminal.screen()[1]?.startsWith(`${id}  canceled`));
      for (let more = 0; more < 9; more++) await api().submit({ type: "sleep", delay: "1h" });
      await eventually(() => terminal.screen().filter((line) => line.includes("  scheduled  ")).length === 5);
      // Titles, tasks, one line about itself: each once.
      expect(terminal.screen().filter((line) => line.startsWith("ID"))).toHaveLength(1);
      expect(terminal.screen().length).toBeLessThanOrEqual(8);
      // A narrow terminal has rows of two lines, and still no line that is too long for it.
      terminal.resize(40, 8);
      await eventually(() => terminal.screen().at(-1)?.endsWith("…"));
      expect(terminal.screen().every((line) => line.length <= 40)).toBe(true);
      terminal.type("\x03");
      expect(await terminal.exited).toBe(0);
      await eventually(() => terminal.written().endsWith("\x1b[?25h\r\x1b[K"));
    },
    limitMs,
  );

  test(
    "watches in a pipe: a line for each change, until it is interrupted",
    async () => {
      const args = ["task", "list", "--watch", "--type=flaky"];
      await using watching = await spawnThroughline(args, { env: { THROUGHLINE_URL: url() } });
      const { id } = await api().submit({ type: "flaky", payload: { failures: 0 } });
      await eventually(() => watching.lines.some((line) => line.includes(`  ${id}  succeeded  flaky  1/5`)));
      watching.kill("SIGINT");
      expect(await watching.exited).toBe(0);
      const own = watching.lines.filter((line) => line.includes(id));
      expect([own.length, watching.errors()]).toEqual([new Set(own).size, ""]);
    },
    limitMs,
  );
});

test(
  "dlq groups counts what died of the same, and a redrive takes one of them",
  async () => {
    const messages = ["card 1 declined", "card 2 declined", "the printer is on fire"];
    const tasks = messages.map((message) =>
      api().submit({ type: "fail", payload: { message }, max_attempts: 1 }, { "x-correlation-id": "groups" }),
    );
    for (const { id } of await Promise.all(tasks)) await api().ended(id);
    const groups = JSON.parse((await run(["dlq", "groups", "--json"])).stdout).items;
    const declined = groups.find(({ error }: { error: { message: string } }) => /declined/.test(error.message));
    expect(declined).toMatchObject({ type: "fail", count: 2 });
    const shown = await run(["dlq", "groups"]);
    expect(shown.stdout).toMatch(/^GROUP +COUNT +TYPE +ERROR +LAST +FIRST +NEWEST$/m);
    expect(shown.stdout).toMatch(new RegExp(`^${declined.group} +2  fail +Error: card .* declined `, "m"));
    const dry = await run(["dlq", "redrive", "--group", declined.group, "--type", "fail", "--dry-run"]);
    expect(dry.stdout).toBe("2 dead letters fit. Nothing was changed.\n");
    expect((await run(["dlq", "list", "--group", declined.group, "-q"])).stdout.split("\n")).toHaveLength(3);
  },
  limitMs,
);
