/** `throughline dlq …` on the compiled executable. */

import { describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { compiledExecutable } from "../support/executable.ts";
import { servedExecutable } from "../support/served.ts";
import { startInTerminal } from "../support/terminal.ts";

const limitMs = 60_000;
const { run, api, url } = servedExecutable();

/** As many dead tasks, and nothing else that happens to them. */
async function die(count: number, message = "card declined"): Promise<{ type: string; ids: string[] }> {
  const type = "fail";
  const submitted = Array.from({ length: count }, () =>
    api().submit({ type, payload: { message }, max_attempts: 1, metadata: { test: "dlq" } }),
  );
  const ids = (await Promise.all(submitted)).map(({ id }) => id);
  for (const id of ids) expect(await api().ended(id)).toMatchObject({ status: "dead" });
  return { type, ids };
}

describe("dlq list and show", () => {
  test(
    "tell what died, newest first, in each form",
    async () => {
      const { ids } = await die(3);
      const listed = await run(["dlq", "list", "--type", "fail", "--limit", "3"]);
      expect(listed.exitCode).toBe(0);
      const [head = "", ...rows] = listed.stdout.trimEnd().split("\n");
      expect(head.split(/ +/)).toEqual(["ID", "TYPE", "DIED", "ERROR", "TRIES", "CAUSE", "REDRIVES"]);
      expect(rows.map((row) => row.split(" ")[0]).toSorted()).toEqual(ids.toSorted());
      expect(rows[0]).toMatch(/ fail +\d{4}-\d\d-\d\d \S+Z +Error: card declined +1 +attempts_exhausted$/);

      const quiet = await run(["dlq", "list", "--limit", "3", "-q"]);
      expect(quiet.stdout.trimEnd().split("\n").toSorted()).toEqual(ids.toSorted());
      const json = await run(["dlq", "list", "--limit", "3", "--json"]);
      const { items } = JSON.parse(json.stdout);
      expect(items.map(({ task }: { task: { id: string } }) => task.id).toSorted()).toEqual(ids.toSorted());

      const [id = ""] = ids;
      const shown = await run(["dlq", "show", id]);
      expect([shown.exitCode, shown.errors]).toEqual([0, []]);
      expect(shown.stdout).toMatch(/^status +dead\ndied of +attempts_exhausted\nerror +Error: card declined$/m);
      const letter = JSON.parse((await run(["dlq", "show", id, "--json"])).stdout);
      expect([letter.task.id, letter.reason]).toEqual([id, "attempts_exhausted"]);
    },
    limitMs,
  );

  test(
    "say that nothing fits, and what is not dead",
    async () => {
      const none = await run(["dlq", "list", "--type", "nobody"]);
      expect(none).toEqual({ exitCode: 0, stdout: "", errors: ["no dead letter fits"] });
      const noneAsJson = await run(["dlq", "list", "--type", "nobody", "--json"]);
      expect([JSON.parse(noneAsJson.stdout), noneAsJson.errors]).toEqual([{ items: [], next_cursor: null }, []]);
      const { exitCode, errors } = await run(["dlq", "show", "nobody"]);
      expect([exitCode, errors]).toEqual([1, ['throughline: there is no dead letter "nobody"']]);
      expect(await run(["dlq", "unreadable"])).toEqual({
        exitCode: 0,
        stdout: "",
        errors: ["every message could be read"],
      });
    },
    limitMs,
  );

  test(
    "read page after page",
    async () => {
      await die(105, "many");
      const { stdout, errors } = await run(["dlq", "list", "--limit", "103", "-q"]);
      const ids = stdout.trimEnd().split("\n");
      expect([ids.length, new Set(ids).size, errors]).toEqual([103, 103, []]);
      const json = await run(["dlq", "list", "--limit", "103", "--json"]);
      expect(JSON.parse(json.stdout).next_cursor).toEqual(expect.any(String));
      const more = await run(["dlq", "list", "--limit", "1"]);
      expect(more.errors).toEqual(["there are more: --limit shows them"]);
    },
    limitMs,
  );
});

describe("dlq redrive", () => {
  test(
    "brings back those that are named, and says at the end whether all came back",
    async () => {
      const { ids } = await die(2);
      const done = await run(["dlq", "redrive", ...ids, "--wait", "--reason", "the bank is back"]);
      expect([done.exitCode, done.errors]).toEqual([0, []]);
      expect(done.stdout).toMatch(/^status +completed\nmatched +2\nmoved +2\nreason +the bank is back$/m);
      for (const id of ids) {
        await eventually(async () => (await api().task(id)).attempts.length === 2);
        expect(await api().ended(id)).toMatchObject({ status: "dead" });
      }
    },
    limitMs,
  );

  test(
    "ends with 1 when the guard has held one, which --force takes",
    async () => {
      const {
        ids: [id = ""],
      } = await die(1);
      for (const times of [1, 2, 3]) {
        expect((await run(["dlq", "redrive", id, "--wait", "-q"])).exitCode).toBe(0);
        await eventually(async () => (await api().task(id)).attempts.length === times + 1);
        await api().ended(id);
      }
      const held = await run(["dlq", "redrive", id, "--wait"]);
      expect(held.exitCode).toBe(1);
      expect(held.stdout).toMatch(/^left +1: .*--force/m);
      expect((await run(["dlq", "redrive", id, "--wait", "--force"])).exitCode).toBe(0);
    },
    limitMs,
  );

  test(
    "counts on a dry run and changes nothing",
    async () => {
      const { ids } = await die(1);
      const dry = await run(["dlq", "redrive", ...ids, "--dry-run"]);
      expect(dry).toEqual({ exitCode: 0, stdout: "1 dead letter fits. Nothing was changed.\n", errors: [] });
      const json = JSON.parse((await run(["dlq", "redrive", ...ids, "--dry-run", "--json"])).stdout);
      expect([json.id, json.matched, json.moved]).toEqual([null, 1, 0]);
      expect(await api().task(ids[0] ?? "")).toMatchObject({ status: "dead" });
    },
    limitMs,
  );

  test(
    "is paused, goes on, and is ended",
    async () => {
      const { ids } = await die(20);
      const ordered = await run(["dlq", "redrive", ...ids, "--rate", "0.1", "--quiet"]);
      const id = ordered.stdout.trimEnd();
      expect((await run(["dlq", "redrives", id, "pause"])).stdout).toMatch(/^status +paused$/m);
      expect((await run(["dlq", "redrives", id, "resume"])).stdout).toMatch(/^status +running$/m);
      const canceled = await run(["dlq", "redrives", id, "cancel", "--wait", "--json"]);
      expect([canceled.exitCode, JSON.parse(canceled.stdout).status]).toEqual([1, "canceled"]);
      const again = await run(["dlq", "redrives", id, "pause"]);
      expect([again.exitCode, again.stdout, again.errors.length]).toEqual([1, "", 1]);
    },
    limitMs,
  );

  test(
    "wants to know which",
    async () => {
      const which = "expected ids, or a filter (--type, --error, --group, --cause, --since), or --all";
      const wrong: [args: string[], error: string][] = [
        [[], `throughline: which dead letters? ${which}`],
        [["--all", "--type=a"], `throughline: ${which}, not several of these`],
        [["0199a0b2-7c4e-7d3a-9f61-2b8f0c5d4e17", "--all"], `throughline: ${which}, not several of these`],
      ];
      for (const [args, error] of wrong) {
        expect(await run(["dlq", "redrive", ...args])).toEqual({ exitCode: 2, stdout: "", errors: [error] });
      }
    },
    limitMs,
  );

  test(
    "shows how far it is in a terminal; Ctrl-C leaves it to go on",
    async () => {
      const { ids } = await die(10);
      const args = ["dlq", "redrive", ...ids, "--rate", "0.2", "--wait", `--url=${url()}`];
      await using terminal = await startInTerminal([await compiledExecutable(), ...args]);
      await eventually(() => /^━*─+ {2}\d+ of 10/.test(terminal.screen()[0] ?? ""));
      expect(terminal.written()).toContain("\x1b[?25l");
      terminal.type("\x03");
      expect(await terminal.exited).toBe(1);
      await eventually(() => terminal.screen().some((line) => line.startsWith("throughline: it goes on")));
      // The cursor is back.
      expect(terminal.written()).toContain("\x1b[?25h");
      const id = await eventually(() => /^redrive +(\S+)$/m.exec(terminal.screen().join("\n"))?.[1]);
      expect((await run(["dlq", "redrives", id, "cancel"])).stdout).toMatch(/^status +canceled$/m);
    },
    limitMs,
  );
});

test(
  "dlq discard puts away what is dead, and tells of what is not",
  async () => {
    const {
      ids: [id = ""],
    } = await die(1);
    const { exitCode, stdout, errors } = await run(["dlq", "discard", id, "nobody", "--reason", "canceled by hand"]);
    expect([exitCode, stdout, errors]).toEqual([1, `${id} discarded\n`, ['throughline: there is no task "nobody"']]);
    expect(await api().task(id)).toMatchObject({ status: "discarded" });
    const missing = await run(["dlq", "discard", id]);
    expect([missing.exitCode, missing.errors[0]]).toEqual([
      2,
      "throughline: required option '--reason <text>' not specified",
    ]);
  },
  limitMs,
);
