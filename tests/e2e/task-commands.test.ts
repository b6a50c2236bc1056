/** `throughline task …` on the compiled executable: both forms of output, exit codes, and what is said to whom. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { runThroughline } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { compiledExecutable } from "../support/executable.ts";
import { servedExecutable } from "../support/served.ts";
import { startShell } from "../support/shell.ts";
import type { HttpTask } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { startInTerminal } from "../support/terminal.ts";

const limitMs = 60_000;
const { run, api, url } = servedExecutable();

const uuid = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/;

/** What `renderFacts` printed. */
function factsOf(stdout: string): Record<string, string> {
  const [facts = ""] = stdout.split("\n\n");
  return Object.fromEntries(
    facts
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/, 2)),
  );
}

describe("task submit", () => {
  test(
    "gives id and state, or the id alone",
    async () => {
      const plain = await run(["task", "submit", "echo", '{"n":1}']);
      expect([plain.exitCode, plain.errors]).toEqual([0, []]);
      const [id = "", status] = plain.stdout.trimEnd().split(" ");
      expect([id, status]).toEqual([expect.stringMatching(uuid), "queued"]);

      const quiet = await run(["task", "submit", "echo", "--quiet"]);
      expect(quiet).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^\S{36}\n$/), errors: [] });
    },
    limitMs,
  );

  test(
    "hands in all that its flags say",
    async () => {
      const { stdout, exitCode } = await run([
        ..."task submit echo [1,{}] --delay 1h --timeout 3s --max-attempts 7 -m tenant=blue --metadata a=b=c".split(
          " ",
        ),
        "--json",
      ]);
      const task: HttpTask = JSON.parse(stdout);
      const { type, payload, status, max_attempts, metadata } = task;
      expect([exitCode, { type, payload, status, max_attempts, metadata }]).toEqual([
        0,
        {
          type: "echo",
          payload: [1, {}],
          status: "scheduled",
          max_attempts: 7,
          metadata: { tenant: "blue", a: "b=c" },
        },
      ]);
      expect(Date.parse(task.run_at) - Date.parse(task.created_at)).toBe(3_600_000);
      const at = await run(["task", "submit", "echo", "--run-at", "2040-01-31T08:00:00+01:00", "--json"]);
      expect(JSON.parse(at.stdout).run_at).toBe("2040-01-31T07:00:00.000Z");
    },
    limitMs,
  );

  test(
    "reads its payload from a file and from stdin",
    async () => {
      await using folder = await tempFolder();
      const file = join(folder.path, "payload.json");
      await Bun.write(file, '\uFEFF{\n  "from": "file"\n}\n');
      const fromFile = await run(["task", "submit", "echo", `@${file}`, "--json"]);
      expect(JSON.parse(fromFile.stdout).payload).toEqual({ from: "file" });
      const fromStdin = await run(["task", "submit", "echo", "-", "--json"], { stdin: '"from stdin"' });
      expect(JSON.parse(fromStdin.stdout).payload).toBe("from stdin");
    },
    limitMs,
  );

  test(
    "with --wait shows the end, 0 of a success, 1 of a death",
    async () => {
      const good = await run(["task", "submit", "echo", '{"hello":"wörld"}', "--wait"]);
      expect([good.exitCode, good.errors]).toEqual([0, [expect.stringMatching(/^\S{36} queued$/)]]);
      expect(factsOf(good.stdout)).toMatchObject({
        type: "echo",
        status: "succeeded",
        attempts: "1 of 5",
        result: '{"hello":"wörld"}',
      });

      const bad = await run(["task", "submit", "fail", '{"message":"no"}', "--wait", "--max-attempts", "2"]);
      expect(bad.exitCode).toBe(1);
      expect(factsOf(bad.stdout)).toMatchObject({ status: "dead", error: "Error: no", attempts: "2 of 2" });
      expect(bad.stdout).toMatch(/\nATTEMPT +OUTCOME +TOOK +ERROR +WORKER\n +1 +failed .+\n +2 +failed .+\n$/);

      const json = await run(["task", "submit", "fail", "--wait", "--max-attempts", "1", "--json"]);
      expect([json.exitCode, json.errors, JSON.parse(json.stdout).status]).toEqual([1, [], "dead"]);
    },
    limitMs,
  );

  test(
    "waits no longer than it should, and says so",
    async () => {
      const { exitCode, stdout, errors } = await run([
        "task",
        "submit",
        "sleep",
        '{"ms":600000}',
        "--wait",
        "--wait-limit",
        "50ms",
        "--quiet",
      ]);
      const id = stdout.trimEnd();
      expect([exitCode, id]).toEqual([1, expect.stringMatching(uuid)]);
      expect(errors).toEqual([
        expect.stringMatching(new RegExp(`^throughline: the task ${id} is still \\w+: the time to wait is over$`)),
      ]);
      expect((await run(["task", "cancel", id])).exitCode).toBe(0);
    },
    limitMs,
  );

  test(
    "gives the same task for the same key, and refuses another body",
    async () => {
      const key = `--key=${crypto.randomUUID()}`;
      const first = await run(["task", "submit", "echo", "1", key, "-q"]);
      const again = await run(["task", "submit", "echo", "1", key]);
      expect(again.stdout).toStartWith(first.stdout.trimEnd());
      expect(again.stdout).toEndWith(" (the task of this key)\n");
      const other = await run(["task", "submit", "echo", "2", key]);
      expect([other.exitCode, other.stdout]).toEqual([1, ""]);
      expect(other.errors[0]).toContain("key");
    },
    limitMs,
  );

  test(
    "goes on in the trace of the shell",
    async () => {
      const trace = crypto.randomUUID().replaceAll("-", "");
      const env = { TRACEPARENT: `00-${trace}-00f067aa0ba902b7-01` };
      const { stdout } = await run(["task", "submit", "echo", "--json"], { env });
      expect(JSON.parse(stdout).trace_id).toBe(trace);
    },
    limitMs,
  );

  test(
    "refuses everything that is wrong at once, with exit code 2 and nothing on stdout",
    async () => {
      const wrong = "task submit echo {bad --delay 3 --max-attempts 0 -m x --run-at yesterday --wiat".split(" ");
      const { exitCode, stdout, errors } = await run(wrong);
      expect([exitCode, stdout]).toEqual([2, ""]);
      expect(errors.map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual([
        "throughline: option '--delay",
        "throughline: option '--max-attempts",
        "throughline: option '-m,",
        "throughline: option '--run-at",
        "throughline: unknown option",
        "throughline: `throughline help",
      ]);
      expect((await run(["task", "submit", "a b"])).errors).toEqual([
        "throughline: /type: expected 1 to 128 letters, digits or . _ : / -",
      ]);
      const missing = await run(["task", "submit", "echo", "@/nowhere.json"]);
      expect([missing.exitCode, missing.errors]).toEqual([
        2,
        [expect.stringContaining('throughline: payload "@/nowhere.json" could not be read: ENOENT')],
      ]);
    },
    limitMs,
  );
});

describe("task get, timeline, cancel", () => {
  test(
    "show a task and its life in both forms",
    async () => {
      const { id } = await api().submit({ type: "flaky", payload: { failures: 1 } });
      const got = await run(["task", "get", id, "--wait"]);
      expect([got.exitCode, got.errors, factsOf(got.stdout)]).toEqual([
        0,
        [],
        expect.objectContaining({ task: id, status: "succeeded", attempts: "2 of 5" }),
      ]);
      const json = await run(["task", "get", id, "--json"]);
      expect(JSON.parse(json.stdout)).toEqual(await api().task(id));

      const timeline = await run(["task", "timeline", id]);
      const lines = timeline.stdout.trimEnd().split("\n");
      expect(lines[0]).toMatch(/^AT +STATUS +AFTER +ATTEMPT +BY +ERROR +TRACE$/);
      expect(lines.slice(1).map((line) => line.split(/ +/)[2])).toEqual([
        "queued",
        "running",
        "retrying",
        "running",
        "succeeded",
      ]);
      const entries = JSON.parse((await run(["task", "timeline", id, "--json"])).stdout);
      expect(entries.items).toHaveLength(5);
    },
    limitMs,
  );

  test(
    "cancel each that can be, tell of those that cannot, and end with 1",
    async () => {
      const waiting = await api().submit({ type: "echo", delay: "1h" });
      const ended = await api().submit({ type: "echo" });
      await api().ended(ended.id);
      const { exitCode, stdout, errors } = await run(["task", "cancel", ended.id, "nobody", waiting.id]);
      expect({ exitCode, stdout, errors }).toEqual({
        exitCode: 1,
        stdout: `${waiting.id} canceled\n`,
        errors: [expect.stringContaining(ended.id), 'throughline: there is no task "nobody"'],
      });
      expect(await api().task(waiting.id)).toMatchObject({ status: "canceled" });
    },
    limitMs,
  );

  test(
    "write all they have, as far as anybody reads it",
    async () => {
      // Its payload and its result are many times what a pipe holds.
      const { id } = await api().submit({ type: "echo", payload: "x".repeat(250_000) });
      const task = await api().ended(id);
      const command = `${await compiledExecutable()} task get ${id} --json`;
      const env = { THROUGHLINE_URL: url() };
      await using whole = startShell(`${command} | { dd bs=1 count=1 2>/dev/null; cat; }`, { env });
      expect(await whole.exited).toBe(0);
      expect(JSON.parse(whole.output())).toEqual(task);
      await using enough = startShell(`{ ${command}; echo "ended with $?" >&2; } | head -c 1`, { env });
      await enough.exited;
      expect(enough.output()).toBe("{ended with 0\n");
      await using full = startShell(`${command} > /dev/full`, { env });
      expect(await full.exited).toBe(1);
    },
    limitMs,
  );

  test(
    "know a system that is not there",
    async () => {
      const gone = await runThroughline(["task", "get", "x"], { THROUGHLINE_URL: "http://127.0.0.1:1" });
      expect(gone).toEqual({
        exitCode: 1,
        stdout: "",
        errors: [
          "throughline: nothing answers at http://127.0.0.1:1: is it running? name another address with --url or THROUGHLINE_URL",
        ],
      });
    },
    limitMs,
  );
});

describe("in a terminal", () => {
  test(
    "a task is shown in colour and within its width; NO_COLOR takes the colour out",
    async () => {
      const message = "the bank has declined the card, and says so at length 日本語";
      const { id } = await api().submit({ type: "fail", payload: { message }, max_attempts: 1 });
      await api().ended(id);
      const command = [await compiledExecutable(), "task", "get", id, `--url=${url()}`];
      await using colored = await startInTerminal(command, { cols: 60 });
      expect(await colored.exited).toBe(0);
      await eventually(() => colored.screen().some((line) => line.startsWith("ATTEMPT")));
      expect(colored.written()).toContain("\x1b[31mdead");
      // The error goes on in its own column.
      expect(colored.screen()).toContain("error        Error: the bank has declined the card, and says");
      expect(colored.screen()).toContain("             so at length 日本語");

      await using plain = await startInTerminal(command, { cols: 60, env: { NO_COLOR: "1" } });
      expect(await plain.exited).toBe(0);
      await eventually(() => plain.screen().some((line) => line.startsWith("ATTEMPT")));
      expect(plain.written()).not.toContain("\x1b[");
    },
    limitMs,
  );
});
