/** The commands that make, list and revoke API keys, of the compiled executable. */

import { describe, expect, test } from "bun:test";
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseKeyFile } from "../../src/access/api-key-file.ts";
import { hashApiKey, isApiKey } from "../../src/access/api-keys.ts";
import { runThroughline } from "../support/command.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 120_000;

describe("throughline key", () => {
  test(
    "makes a key that is shown once, lists it, and takes it out again",
    async () => {
      await using folder = await tempFolder();
      const file = join(folder.path, "keys.json");
      const made = await runThroughline(["key", "create", "--id=shop", "--scope=submit,read", `--file=${file}`]);
      const key = made.stdout.trimEnd();
      expect([made.exitCode, isApiKey(key)]).toEqual([0, true]);
      expect(made.errors.join()).not.toContain(key);
      const text = await Bun.file(file).text();
      expect(text).not.toContain(key);
      expect(parseKeyFile(text, file)).toMatchObject([
        { id: "shop", sha256: hashApiKey(key).toString("hex"), scopes: ["submit", "read"] },
      ]);
      expect((await stat(file)).mode & 0o777).toBe(0o600);

      const options = ["--scope=operate", "--expires-in=90d", "--rate=5/s", "--distrust-trace-context"];
      const env = { THROUGHLINE_API_KEYS_FILE: file };
      const other = await runThroughline(["key", "create", "--id=ops", ...options], env);
      expect(other.exitCode).toBe(0);
      const listed = await runThroughline(["key", "list", "--json"], env);
      expect(JSON.parse(listed.stdout)).toEqual([
        { id: "shop", scopes: ["submit", "read"], created_at: expect.any(String) },
        {
          id: "ops",
          scopes: ["operate"],
          created_at: expect.any(String),
          expires_at: expect.any(String),
          rate: "5/s",
          trust_trace_context: false,
        },
      ]);
      const table = await runThroughline(["key", "list"], env);
      expect(table.stdout).toMatch(
        /^ID +SCOPES +EXPIRES +RATE\nshop +submit,read +never +-\nops +operate +20\S+Z +5\/s\n$/,
      );

      expect((await runThroughline(["key", "revoke", "shop"], env)).exitCode).toBe(0);
      expect(parseKeyFile(await Bun.file(file).text(), file).map(({ id }) => id)).toEqual(["ops"]);
      expect(await readdir(folder.path)).toEqual(["keys.json"]);
    },
    limitMs,
  );

  const refusals: [what: string, args: string[], exitCode: number, said: string][] = [
    [
      "a scope that is none",
      ["create", "--id=a", "--scope=admin"],
      2,
      '--scope: "admin": expected submit or read or operate',
    ],
    ["no scope", ["create", "--id=a"], 2, "--scope <list>"],
    ["a name that is none", ["create", "--id=a b", "--scope=read"], 2, "expected 1 to 64 letters"],
    ["a name that is taken", ["create", "--id=shop", "--scope=read", "--file=FILE"], 2, "there is a key of that name"],
    ["a rate that is none", ["create", "--id=a", "--scope=read", "--rate=9"], 2, "expected a rate such as 100/s"],
    ["a time that is none", ["create", "--id=a", "--scope=read", "--expires-in=soon"], 2, '--expires-in: "soon"'],
    ["no file", ["list"], 2, "which file? Give --file PATH"],
    ["a file that is not there", ["list", "--file=/nowhere/keys.json"], 1, 'there is no file "/nowhere/keys.json"'],
    ["a key that is not there", ["revoke", "b", "--file=FILE"], 1, 'there is no key "b"'],
  ];
  test.each(refusals)(
    "says what is wrong with %s, and changes nothing",
    async (_, args, exitCode, said) => {
      await using folder = await tempFolder();
      const file = join(folder.path, "keys.json");
      const text = JSON.stringify({ keys: [{ id: "shop", sha256: "0".repeat(64), scopes: ["read"] }] });
      await writeFile(file, text);
      const ended = await runThroughline(["key", ...args.map((arg) => arg.replace("FILE", file))]);
      expect([ended.exitCode, ended.stdout]).toEqual([exitCode, ""]);
      expect(ended.errors.join("\n")).toContain(said);
      expect(await Bun.file(file).text()).toBe(text);
    },
    limitMs,
  );
});

describe("throughline serve", () => {
  const own = ["--task-service-listen=127.0.0.1:0", "--grpc-listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"];

  test(
    "lets nobody in from other machines before it knows whom, and takes no file of keys that does not fit",
    async () => {
      await using folder = await tempFolder();
      const file = join(folder.path, "keys.json");
      const at = `--data-dir=${join(folder.path, "data")}`;
      const open = await runThroughline(["serve", at, "--gateway-listen=0.0.0.0:0", ...own]);
      expect([open.exitCode, open.errors.length]).toEqual([2, 1]);
      expect(open.errors[0]).toContain('--gateway-listen: "0.0.0.0:0": other machines can reach it');

      const serve = () =>
        runThroughline(["serve", at, "--gateway-listen=127.0.0.1:0", `--api-keys-file=${file}`, ...own]);
      const missing = await serve();
      expect([missing.exitCode, missing.errors]).toEqual([
        2,
        [`throughline: the API keys of "${file}" cannot be read: ENOENT; throughline key create makes the file`],
      ]);
      await writeFile(file, '{"keys":[{"id":"a","sha256":"0","scopes":["all"]}]}');
      const broken = await serve();
      expect([broken.exitCode, broken.errors.length]).toEqual([2, 2]);
      expect(broken.errors[0]).toBe(
        `throughline: the API keys of "${file}": /keys/0/sha256: expected 64 hexadecimal digits in small letters`,
      );
    },
    limitMs,
  );

  test.each(["compiled", "deno"] as const)(
    "asks for a key, limits its requests, and calls only where an http task may (%s)",
    async (command) => {
      await using folder = await tempFolder();
      const file = join(folder.path, "keys.json");
      const made = ["key", "create", "--id=shop", "--scope=submit,read", "--rate=4/h", `--file=${file}`];
      const headers = { authorization: `Bearer ${(await runThroughline(made)).stdout.trimEnd()}` };
      const flags = [`--data-dir=${join(folder.path, "data")}`, `--api-keys-file=${file}`, "--http-allow=public"];
      await using running = await startThroughline(["serve", ...flags, ...freePorts], { command });
      const url = `${running.addresses.gateway_url}/v1/tasks`;
      const payload = { url: `${running.addresses.gateway_url}/health` };
      const submit = (own: Record<string, string>): Promise<Response> =>
        fetch(url, { method: "POST", headers: own, body: JSON.stringify({ type: "http", payload }) });

      expect((await submit({})).status).toBe(401);
      const accepted = await submit(headers);
      expect([accepted.status, accepted.headers.get("ratelimit")?.split(";")[1]]).toEqual([202, "r=3"]);
      const ended = await fetch(`${url}/${(await accepted.json()).id}?wait=30s`, { headers });
      expect(await ended.json()).toMatchObject({
        attempts: [{ error: { type: "FatalError", message: expect.stringContaining("calls to loopback addresses") } }],
      });
      expect((await submit(headers)).status).toBe(202);
      expect((await submit(headers)).status).toBe(202);
      expect((await submit(headers)).status).toBe(429);
    },
    limitMs,
  );
});
