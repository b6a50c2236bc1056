/** `throughline doctor` as a user meets it: it says what is wrong and how to mend it, and changes nothing. */

import { describe, expect, test } from "bun:test";
import { chmod, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { databaseFile, migrations } from "../../src/store/sqlite/schema.ts";
import { startDynamoDb } from "../parts/dynamodb.ts";
import { type ElasticMqPart, startElasticMq } from "../parts/elasticmq.ts";
import { freePort } from "../parts/free-port.ts";
import { runThroughline } from "../support/command.ts";
import { startReceiver } from "../support/otlp-receiver.ts";
import { spawnThroughline } from "../support/process.ts";
import { startRecordingServer } from "../support/recording-server.ts";
import { describeWith } from "../support/requires.ts";
import { startTestSystem } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 60_000;
const listeners = ["gateway", "task-service", "console", "otlp", "admin"];
const freePorts = listeners.map((name) => `--${name}-listen=127.0.0.1:0`);

async function examine(args: readonly string[], env: Record<string, string> = {}) {
  await using folder = await tempFolder();
  const dataDir = join(folder.path, "data");
  const { exitCode, stdout } = await runThroughline(
    ["doctor", "--json", `--data-dir=${dataDir}`, ...freePorts, ...args],
    env,
  );
  const findings: Finding[] = JSON.parse(stdout);
  const left = await readdir(folder.path);
  const wrong = findings.filter(({ status }) => status !== "ok").map(({ check, status }) => `${status} ${check}`);
  return { exitCode, findings, wrong, left };
}

function awsEnv({ url }: ElasticMqPart): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_SQS: url,
    AWS_REGION: "elasticmq",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  };
}

describe("throughline doctor", () => {
  test(
    "finds everything well on a laptop with a collector, and makes nothing",
    async () => {
      const receiver = await startReceiver({ host: "127.0.0.1", port: 0 }, {});
      const found = await examine([], { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
      await receiver.stop();
      expect([found.exitCode, found.wrong, found.left]).toEqual([0, [], []]);
      expect(found.findings.map(({ check }) => check)).toEqual([
        "data folder",
        "queues",
        "collector",
        "handlers",
        "gateway address",
        "task service address",
        "console address",
        "OTLP address",
        "admin address",
        ...(process.platform === "linux" ? ["open files"] : []),
      ]);
    },
    limitMs,
  );

  test(
    "says all that is wrong at once, with what to do",
    async () => {
      await using folder = await tempFolder();
      await Bun.write(join(folder.path, "broken.ts"), "export default { type: 'broken' };");
      const env = {
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
        OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
        AWS_REGION: "eu-west-1",
      };
      const found = await examine(["--queue=sqs", "--role=worker", `--handlers=${folder.path}`], env);
      expect(found.exitCode).toBe(1);
      expect(found.wrong).toEqual([
        "failed queue task-events",
        "failed queue task-events-dlq",
        "failed collector",
        "warn collector",
        "failed handlers",
      ]);
      const wrong = found.findings.filter(({ status }) => status !== "ok");
      expect(wrong.map(({ mend = "" }) => mend.length > 10)).toEqual(wrong.map(() => true));
      expect(wrong[0]?.mend).toContain("credentials");
    },
    limitMs,
  );

  test(
    "is read by people too",
    async () => {
      const { exitCode, stdout } = await runThroughline(["doctor", "--role=all", ...freePorts]);
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(/^ok +collector +no endpoint is set: traces stay in the console of this process$/m);
      const without = await runThroughline(["doctor", "--role=gateway,task-service,worker,dlq", ...freePorts]);
      expect(without.stdout).toMatch(/^warn +collector +no endpoint is set/m);
      expect(without.stdout).toMatch(/→ set OTEL_EXPORTER_OTLP_ENDPOINT/);
    },
    limitMs,
  );
});

describe("throughline doctor from source", () => {
  test(
    "asks no registry for what is not installed, knows what it carries, and names what it passes over",
    async () => {
      await using folder = await tempFolder();
      const asked: string[] = [];
      // It never answers.
      await using registry = await startRecordingServer(({ url }) => {
        asked.push(url);
        return new Promise(() => {});
      });
      const env = { BUN_INSTALL_CACHE_DIR: join(folder.path, "cache") };
      const options = { cwd: folder.path, command: "source", env } as const;
      const handlersIn = async (name: string, files: Record<string, string>) => {
        const handlers = join(folder.path, name);
        for (const [file, text] of Object.entries(files)) await Bun.write(join(handlers, file), text);
        const args = ["doctor", "--json", "--data-dir=data", ...freePorts, `--handlers=${handlers}`];
        await using ran = await spawnThroughline(args, options);
        await ran.exited;
        const findings: Finding[] = JSON.parse(ran.lines.join(""));
        return findings.filter(({ check }) => check === "handlers").map(({ status, detail }) => `${status} ${detail}`);
      };
      await Bun.write(join(folder.path, ".npmrc"), `registry=${registry.url}/`);
      await Bun.write(join(folder.path, "package.json"), '{"dependencies":{"left-padd":"1.0.0"}}');

      const missing = await handlersIn("missing", {
        "a.ts": 'import _ from "lodahs"; export default { run: () => _ };',
        "b.ts": 'const { pad } = await import("left-padd"); export default { run: pad };',
        "c.cjs": 'module.exports = { run: require("@scope/nowhere") };',
        "d.ts": 'import { z } from "zod/v9"; export default { run: () => z };',
      });
      expect(missing).toEqual([
        expect.stringMatching(/^failed handler file "a\.ts": Cannot find package 'lodahs'/),
        expect.stringMatching(/^failed handler file "b\.ts": Cannot find package 'left-padd'/),
        expect.stringMatching(/^failed handler file "c\.cjs": Cannot find module '@scope\/nowhere'/),
        expect.stringMatching(/^failed handler file "d\.ts": Cannot find package 'zod' .* "zod\/v9"/),
      ]);
      const carried = await handlersIn("carried", {
        "carried.ts": 'import { z } from "zod"; export default { payload: z.any(), run: () => 1 };',
        "traced.cjs": 'const { trace } = require("@opentelemetry/api"); exports.run = () => typeof trace;',
        "send.py": "def run(): pass",
        "parts/mail.ts": "not even code",
      });
      expect(carried).toEqual([
        expect.stringMatching(/^ok echo, .*, carried, traced, from /),
        "ok passed over, as no handler files: parts/, send.py",
      ]);
      expect(asked).toEqual([]);
    },
    limitMs,
  );
});

describeWith("elasticmq")("throughline doctor on a broker", () => {
  test(
    "knows queues that are not there, and those without a redrive policy",
    async () => {
      await using broker = await startElasticMq();
      const env = awsEnv(broker);
      const fresh = await examine(["--queue=sqs", "--role=dlq"], env);
      expect(fresh.wrong).toEqual(["warn collector"]);
      const strict = await examine(["--queue=sqs", "--role=dlq", "--create-queues=false"], env);
      expect([strict.exitCode, strict.wrong]).toEqual([
        1,
        ["failed queue task-events", "failed queue task-events-dlq", "warn collector"],
      ]);
      for (const name of ["task-events", "task-events-dlq"]) await createQueue(broker, name);
      const bare = await examine(["--queue=sqs", "--role=dlq", "--create-queues=false"], env);
      expect([bare.exitCode, bare.wrong]).toEqual([0, ["warn redrive policy", "warn collector"]]);
    },
    limitMs,
  );
});

describeWith("dynamodb")("throughline doctor on a table", () => {
  test(
    "knows one that is not there, and finds it well once it was made",
    async () => {
      await using dynamo = await startDynamoDb();
      const env = {
        AWS_ENDPOINT_URL_DYNAMODB: dynamo.url,
        AWS_REGION: "eu-west-1",
        AWS_ACCESS_KEY_ID: "test",
        AWS_SECRET_ACCESS_KEY: "test",
      };
      const flags = ["--store=dynamodb", "--environment=production"];
      expect((await examine(flags, env)).wrong).toEqual(["failed table tasks"]);
      expect((await runThroughline(["setup", ...flags], env)).exitCode).toBe(0);
      expect((await examine(flags, env)).wrong).toEqual([]);
    },
    limitMs,
  );
});

/** As SQS's query protocol has it. */
async function createQueue({ url }: ElasticMqPart, name: string): Promise<void> {
  const answer = await fetch(`${url}/?Action=CreateQueue&QueueName=${name}&Version=2012-11-05`, { method: "POST" });
  if (!answer.ok) throw new Error(`no queue was made: ${answer.status}`);
}

test(
  "throughline doctor says who is let in, and what the file of keys is worth",
  async () => {
    await using folder = await tempFolder();
    const file = join(folder.path, "keys.json");
    const wrongOf = async (...args: string[]): Promise<string[]> => {
      const { wrong } = await examine(args);
      return wrong.filter((each) => each.includes("guard") || each.includes("keys"));
    };
    const open = "--gateway-listen=0.0.0.0:0";
    expect(await wrongOf(open, "--admin-listen=0.0.0.0:0")).toEqual(["failed gateway guard", "warn admin guard"]);
    expect(await wrongOf(open, "--allow-unauthenticated=true")).toEqual([]);
    expect(await wrongOf(open, `--api-keys-file=${file}`)).toEqual(["failed API keys"]);
    expect((await runThroughline(["key", "create", "--id=a", "--scope=read", `--file=${file}`])).exitCode).toBe(0);
    expect(await wrongOf(open, `--api-keys-file=${file}`)).toEqual([]);
    await chmod(file, 0o666);
    expect(await wrongOf(`--api-keys-file=${file}`)).toEqual(["warn API keys"]);
  },
  limitMs,
);

test(
  "throughline doctor fails what a start would refuse",
  async () => {
    await using folder = await tempFolder();
    const file = join(folder.path, "file");
    await Bun.write(file, "no keys");
    using taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
    const shared = await freePort();
    const refused: [check: string, flags: string[]][] = [
      ["gateway address", [`--gateway-listen=127.0.0.1:${taken.port}`]],
      ["gRPC address", [`--grpc-listen=127.0.0.1:${taken.port}`]],
      ["admin address", [`--gateway-listen=127.0.0.1:${shared}`, `--admin-listen=127.0.0.1:${shared}`]],
      ["task service address", ["--task-service-listen=192.0.2.1:0"]],
      ["console guard", ["--console-listen=0.0.0.0:0"]],
      ["API keys", ["--role=console", `--api-keys-file=${file}`]],
      ["data folder", [`--data-dir=${file}`]],
      ["data folder", [`--data-dir=${join(file, "below")}`]],
      ...(await refusedFolders(folder.path)).map((path): [string, string[]] => ["data folder", [`--data-dir=${path}`]]),
    ];
    const before = (await readdir(folder.path, { recursive: true })).sort();
    for (const [check, flags] of refused) {
      const { exitCode, wrong } = await examine(flags);
      expect([flags, exitCode, wrong]).toEqual([flags, 1, expect.arrayContaining([`failed ${check}`])]);
    }
    expect((await readdir(folder.path, { recursive: true })).sort()).toEqual(before);
    for (const [, flags] of refused) {
      const start = ["serve", `--data-dir=${join(folder.path, "data")}`, ...freePorts, ...flags];
      expect([flags, [1, 2].includes((await runThroughline(start)).exitCode)]).toEqual([flags, true]);
    }
  },
  2 * limitMs,
);

/** Data folders whose files a start cannot use, each in another way. */
async function refusedFolders(path: string): Promise<string[]> {
  const folders = ["junk", "newer", "foreign", "misfit", "folder", "lock"].map((name) => join(path, name));
  const [junk = "", newer = "", foreign = "", misfit = "", folder = "", lock = ""] = folders;
  for (const each of folders) await mkdir(each);
  await Bun.write(
    join(junk, databaseFile),
    "no database, but a text that is longer than SQLite's header of 100 bytes. ".repeat(9),
  );
  const make = (at: string, sql: string): void => {
    using db = new DatabaseSync(join(at, databaseFile));
    db.exec(sql);
  };
  make(newer, "PRAGMA journal_mode = WAL; PRAGMA user_version = 4000");
  make(foreign, "CREATE TABLE tasks (title TEXT); CREATE INDEX titles ON tasks (title)");
  make(misfit, `CREATE TABLE tasks (title TEXT); PRAGMA user_version = ${migrations.length}`);
  await mkdir(join(folder, databaseFile));
  await mkdir(join(lock, "broker.lock"));
  return folders;
}

test(
  "throughline doctor beside a system that runs says that its addresses are its own",
  async () => {
    await using running = await startTestSystem();
    const admin = `--admin-listen=${new URL(running.adminUrl).host}`;
    const { exitCode, wrong } = await examine([admin, `--gateway-listen=${new URL(running.url).host}`]);
    expect([exitCode, wrong]).toEqual([0, ["warn gateway address", "warn admin address"]]);
    const same = await examine([`--data-dir=${running.dataDir}`]);
    expect([same.exitCode, same.wrong]).toEqual([0, ["warn data folder"]]);
  },
  limitMs,
);
