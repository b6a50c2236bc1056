/** `throughline backup` as an operator uses it: under load, of a stopped system, and where it refuses. */

import { describe, expect, test } from "bun:test";
import { copyFile, link, lstat, mkdir, readdir, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { runThroughline } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { httpApi } from "../support/http-api.ts";
import { freePorts, spawnThroughline, startThroughline } from "../support/process.ts";
import { startLoad } from "../support/steady-load.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 180_000;
const patience = { timeoutMs: 60_000 };

const serve = (dataDir: string) => ["serve", "--threads=2", `--data-dir=${dataDir}`, ...freePorts];

describe("throughline backup", () => {
  test(
    "ends under load, and its copy has every task that was accepted before, which then run",
    async () => {
      await using folder = await tempFolder();
      const dataDir = join(folder.path, "data");
      const copy = join(folder.path, "copy.db");
      await using running = await startThroughline(serve(dataDir));
      const padding = "x".repeat(20_000);
      const load = startLoad(running.addresses.gateway_url, {
        callers: 8,
        bodyOf: (number) => ({ type: "echo", payload: { number, padding } }),
      });
      await eventually(() => load.accepted.length >= 100, patience);
      const before = [...load.accepted];
      const { exitCode, stdout } = await runThroughline(["backup", `--data-dir=${dataDir}`, copy]);
      const during = load.accepted.length - before.length;
      expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/copy\.db: [\d.]+ MiB, copied in [\d.]+ s\n$/)]);
      await eventually(() => load.accepted.length > before.length + during, patience);
      await load.stop();
      running.kill("SIGKILL");

      const restored = join(folder.path, "restored");
      await mkdir(restored);
      await copyFile(copy, join(restored, "throughline.db"));
      await using again = await startThroughline(serve(restored));
      const api = httpApi(again.addresses.gateway_url);
      for (const { id, payload } of before) {
        const task = await api.ended(id);
        expect([task.status, JSON.stringify(task.payload)]).toEqual(["succeeded", payload]);
      }
    },
    limitMs,
  );

  test(
    "copies the data of a stopped system with its permissions, and replaces nothing that it should not",
    async () => {
      await using folder = await tempFolder();
      const dataDir = join(folder.path, "data");
      await using running = await startThroughline(serve(dataDir));
      const { id } = await httpApi(running.addresses.gateway_url).submit({ type: "echo", delay: "1h" });
      await running.stop();
      const at = (name: string): string => join(folder.path, name);
      await Bun.write(at("mine.txt"), "mine");
      const database = join(dataDir, "throughline.db");
      const modified = (await stat(database)).mtimeMs;

      const backUp = async (...args: string[]) => {
        const { exitCode, errors } = await runThroughline(["backup", ...args], { AWS_REGION: "eu-west-1" });
        return [exitCode, ...errors];
      };
      const refused: [args: string[], why: RegExp][] = [
        [[`--data-dir=${dataDir}`, at("mine.txt")], /mine\.txt" exists already, .*--force/],
        [[`--data-dir=${dataDir}`, "--force", database], /is the database itself/],
        [[`--data-dir=${dataDir}`, "--force", folder.path], /is a folder/],
        [[`--data-dir=${dataDir}`, at("no/copy.db")], /there is no folder/],
        [[`--data-dir=${at("empty")}`, at("copy.db")], /has no throughline\.db/],
        [["--store=dynamodb", "--table=my_tasks", at("copy.db")], /create-backup --table-name my_tasks/],
      ];
      for (const [args, why] of refused) {
        expect(await backUp(...args)).toEqual([2, expect.stringMatching(why)]);
      }
      expect(await Bun.file(at("mine.txt")).text()).toBe("mine");
      expect((await stat(database)).mtimeMs).toBe(modified);

      expect(await backUp(`--data-dir=${dataDir}`, "--force", at("mine.txt"))).toEqual([0]);
      expect((await stat(at("mine.txt"))).mode).toBe((await stat(database)).mode);
      expect((await readdir(folder.path)).sort()).toEqual(["data", "mine.txt"]);
      await mkdir(at("restored"));
      await copyFile(at("mine.txt"), at("restored/throughline.db"));
      await using again = await startThroughline(serve(at("restored")));
      expect(await httpApi(again.addresses.gateway_url).task(id)).toMatchObject({ id, status: "scheduled" });
    },
    limitMs,
  );

  test(
    "replaces no file of a system that runs, nor a device, a pipe or an open database",
    async () => {
      await using folder = await tempFolder();
      const dataDir = join(folder.path, "data");
      await using running = await startThroughline(serve(dataDir));
      const api = httpApi(running.addresses.gateway_url);
      const { id } = await api.submit({ type: "echo", delay: "1h" });
      const at = (name: string): string => join(folder.path, name);
      const own = (name: string): string => join(dataDir, name);
      await symlink(own("throughline.db-wal"), at("link"));
      await symlink(at("nowhere"), at("dangling"));
      await symlink("/dev/null", at("null"));
      await symlink(dataDir, at("linked"));
      await link(own("broker.lock"), at("lock"));
      await Bun.write(own("notes.txt"), "mine");
      await Bun.write(at("other.db"), "");
      await Bun.write(at("other.db-wal"), "");
      expect(Bun.spawnSync(["mkfifo", at("pipe")]).exitCode).toBe(0);
      const before = await picture(folder.path);

      const ownFile = /is a file of the data folder|has the name of a file of the system/;
      const refused: [target: string, why: RegExp, ...flags: string[]][] = [
        ...["throughline.db-wal", "throughline.db-shm", "throughline.db-journal", "broker.lock", "telemetry.db"].map(
          (name): [string, RegExp, string] => [own(name), ownFile, "--force"],
        ),
        [own("telemetry.db-journal"), ownFile],
        [own("notes.txt"), ownFile, "--force"],
        [at("linked/Broker.lock-wal"), ownFile],
        [at("link"), ownFile, "--force"],
        [at("lock"), ownFile, "--force"],
        [at("pipe"), /is no regular file/, "--force"],
        [at("null"), /is no regular file/, "--force"],
        ["/dev/null", /is no regular file/, "--force"],
        [at("other.db"), /is a database that is open/, "--force"],
        [at("dangling"), /is a symbolic link, .*--force/],
      ];
      const results = refused.map(async ([target, , ...flags]) => {
        const { exitCode, errors } = await runThroughline(["backup", `--data-dir=${dataDir}`, ...flags, target]);
        return [target, exitCode, ...errors];
      });
      expect(await Promise.all(results)).toEqual(
        refused.map(([target, why]) => [target, 2, expect.stringMatching(why)]),
      );
      expect(await picture(folder.path)).toEqual(before);

      const forced = await runThroughline(["backup", `--data-dir=${dataDir}`, "--force", at("dangling")]);
      expect([forced.exitCode, (await lstat(at("dangling"))).isFile()]).toEqual([0, true]);
      const second = await runThroughline(serve(dataDir));
      expect([second.exitCode, second.errors.join()]).toEqual([1, expect.stringMatching(/run by another process/)]);
      expect(await api.task(id)).toMatchObject({ id, status: "scheduled" });
    },
    limitMs,
  );

  test(
    "that is interrupted leaves nothing",
    async () => {
      await using folder = await tempFolder();
      const dataDir = join(folder.path, "data");
      await using running = await startThroughline(serve(dataDir));
      const tasks = Array.from({ length: 40 }, () => ({ type: "echo", payload: "x".repeat(90_000) }));
      for (let batch = 0; batch < 15; batch++) {
        const headers = { "content-type": "application/json" };
        const init = { method: "POST", headers, body: JSON.stringify(tasks) };
        expect((await fetch(`${running.addresses.gateway_url}/v1/tasks/batch`, init)).ok).toBe(true);
      }
      await using backup = await spawnThroughline(["backup", `--data-dir=${dataDir}`, join(folder.path, "copy.db")]);
      await eventually(async () => (await readdir(folder.path)).some((name) => name.includes("partial")), {
        ...patience,
        intervalMs: 1,
      });
      backup.kill("SIGTERM");
      const exitCode = await backup.exited;
      const left = (await readdir(folder.path)).filter((name) => name !== "data");
      // A fast machine may have been done before the signal came.
      expect([exitCode, left]).toEqual(exitCode === 0 ? [0, ["copy.db"]] : [1, []]);
    },
    limitMs,
  );
});

/** Which file is at each path. */
async function picture(folder: string): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true })).sort();
  return Promise.all(names.map(async (name) => `${name} ${(await lstat(join(folder, name))).ino}`));
}
