/** The compiled executable as a user meets it: what it refuses, what it says, and how it stops and comes back. */

import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import packageJson from "../../package.json";
import { settingNames } from "../../src/config.ts";
import { runThroughline } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { compiledExecutable } from "../support/executable.ts";
import { startGate } from "../support/gate.ts";
import { httpApi } from "../support/http-api.ts";
import { freePorts, spawnThroughline, startThroughline, type ThroughlineProcess } from "../support/process.ts";
import type { HttpTask } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 90_000;

// A build takes its time: none of the tests' own.
beforeAll(async () => {
  await compiledExecutable();
}, 180_000);

describe("what does not hold is refused with exit code 2 and every reason on stderr", () => {
  const refused: [what: string, args: string[], env: Record<string, string>, errors: string[]][] = [
    [
      "an unknown flag",
      ["--gateway-port=8080"],
      {},
      [
        "throughline: unknown option '--gateway-port=8080'",
        "throughline: `throughline help serve` shows what there is",
      ],
    ],
    [
      "an unknown command",
      ["serv"],
      {},
      [
        "throughline: unknown command 'serv' (did you mean serve?)",
        "throughline: `throughline help` shows what there is",
      ],
    ],
    [
      "a flag without its value",
      ["serve", "--threads"],
      {},
      [
        "throughline: option '--threads <value>' argument missing",
        "throughline: `throughline help serve` shows what there is",
      ],
    ],
    [
      "an unknown variable of ours",
      [],
      { THROUGHLINE_GATEWAY_PORT: "8080" },
      ["throughline: unknown variable THROUGHLINE_GATEWAY_PORT"],
    ],
    [
      "several settings, by flag and by variable, all at once",
      ["--threads=0", "--visibility-timeout=1s", "--gateway-listen=8080"],
      { THROUGHLINE_RETRY_BASE: "fast", THROUGHLINE_THREADZ: "2" },
      [
        "throughline: unknown variable THROUGHLINE_THREADZ",
        'throughline: --gateway-listen: "8080": expected host:port, such as 127.0.0.1:8080',
        'throughline: --threads: "0": expected a whole number from 1 to 256',
        'throughline: --visibility-timeout: "1s": expected a duration from 2s to 12h',
        'throughline: THROUGHLINE_RETRY_BASE: "fast": expected a duration such as 250ms, 30s, 10m or 2h',
      ],
    ],
    [
      "settings that contradict each other",
      ["--retry-base=1h", "--retry-cap=1m", "--queue-name=a", "--dlq-name=a", "--handlers=nowhere"],
      {},
      [
        "throughline: --queue-name and --dlq-name must differ",
        "throughline: --retry-cap must not be below --retry-base",
        expect.stringMatching(/^throughline: --handlers: there is no folder "\/.*\/nowhere"$/),
      ],
    ],
    [
      "one role alone with a queue that nobody else can reach",
      ["--role=worker"],
      {},
      [expect.stringMatching(/^throughline: --role=worker needs a queue that other processes can reach/)],
    ],
  ];
  test.each(refused)(
    "%s",
    async (_what, args, env, errors) => {
      expect(await runThroughline(args, env)).toEqual({ exitCode: 2, stdout: "", errors });
    },
    limitMs,
  );

  test(
    "handler files, each with its name and its reason",
    async () => {
      await using folder = await tempFolder();
      const files = {
        "a-good-one.ts": "export default { run: (task) => task.payload };",
        "b-syntax.ts": "export default { run() { return ; } ",
        "c-throws.js": 'throw new Error("no licence");',
        "d-imports.ts": 'import { lost } from "./lost.ts"; export default { run: lost };',
        "e-no-run.ts": 'export default { type: "e" };',
        "f-no-default.mjs": "export const run = () => {};",
        "g-same-type.ts": 'export default { type: "a-good-one", run() {} };',
        "h-built-in.ts": 'export default { type: "echo", run() {} };',
        "i-timeout.ts": 'export default { timeout: "soon", run() {} };',
        "_not-a-handler.ts": "not even code",
        "a-good-one.test.ts": "not even code",
      };
      for (const [name, text] of Object.entries(files)) await Bun.write(join(folder.path, name), text);
      const ended = await runThroughline([...freePorts, `--handlers=${folder.path}`]);
      expect({ ...ended, stdout: "" }).toEqual({
        exitCode: 2,
        stdout: "",
        errors: [
          expect.stringMatching(/^throughline: handler file "b-syntax.ts": .*Expected/),
          'throughline: handler file "c-throws.js": no licence (c-throws.js:1:11)',
          expect.stringMatching(/^throughline: handler file "d-imports.ts": .*\.\/lost\.ts/),
          'throughline: handler file "e-no-run.ts": its default export has no function run(task, ctx)',
          'throughline: handler file "f-no-default.mjs": its default export has no function run(task, ctx)',
          'throughline: handler file "g-same-type.ts": its type "a-good-one" is taken by a-good-one.ts',
          'throughline: handler file "h-built-in.ts": its type "echo" is taken by a built-in type',
          expect.stringMatching(/^throughline: handler file "i-timeout.ts": its timeout "soon": expected a duration/),
        ],
      });
    },
    limitMs,
  );
});

describe("what this machine does not give is told with exit code 1", () => {
  test(
    "an address that is taken",
    async () => {
      using other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
      for (const listener of ["gateway", "task-service", "admin"]) {
        const flags = freePorts.filter((flag) => !flag.startsWith(`--${listener}-listen`));
        const ended = await runThroughline([...flags, `--${listener}-listen=127.0.0.1:${other.port}`]);
        expect(ended.exitCode).toBe(1);
        expect(ended.errors).toEqual([
          expect.stringContaining(`throughline: could not listen on 127.0.0.1:${other.port}: `),
        ]);
      }
    },
    limitMs,
  );

  test(
    "a data folder that cannot be written",
    async () => {
      await using folder = await tempFolder();
      const file = join(folder.path, "file");
      await Bun.write(file, "");
      const ended = await runThroughline([...freePorts, `--data-dir=${file}/data`]);
      expect(ended.exitCode).toBe(1);
      expect(ended.errors).toEqual([
        expect.stringContaining(`throughline: the data folder "${file}/data" cannot be written: ENOTDIR`),
      ]);
    },
    limitMs,
  );

  test(
    "a data folder whose broker runs in another process, which goes on",
    async () => {
      await using folder = await tempFolder();
      await using first = await startThroughline([...freePorts, `--data-dir=${folder.path}`]);
      const ended = await runThroughline([...freePorts, `--data-dir=${folder.path}`]);
      expect(ended.exitCode).toBe(1);
      expect(ended.errors).toEqual([`throughline: the embedded queue of "${folder.path}" is run by another process`]);
      const api = httpApi(first.addresses.gateway_url);
      const { id } = await api.submit({ type: "echo" });
      expect(await api.ended(id)).toMatchObject({ status: "succeeded" });
    },
    limitMs,
  );
});

describe("what it says of itself", () => {
  test("version is the package's", async () => {
    expect(await runThroughline(["version"])).toEqual({ exitCode: 0, stdout: `${packageJson.version}\n`, errors: [] });
  });

  test("openapi is the document that the gateway serves, and a page shows it", async () => {
    const { exitCode, stdout, errors } = await runThroughline(["openapi"]);
    expect([exitCode, errors]).toEqual([0, []]);
    await using running = await startThroughline([...freePorts]);
    const { gateway_url: url } = running.addresses;
    expect(await (await fetch(`${url}/openapi.json`)).json()).toEqual(JSON.parse(stdout));
    expect(await (await fetch(`${url}/docs`)).text()).toContain("<h1>Throughline HTTP API</h1>");
  });

  test("help names every command and every setting", async () => {
    const commands = await runThroughline(["help"]);
    expect([commands.exitCode, commands.errors]).toEqual([0, []]);
    for (const command of [
      "serve",
      "demo",
      "task",
      "dlq",
      "completion",
      "setup",
      "config",
      "doctor",
      "health",
      "openapi",
      "version",
      "help",
    ]) {
      expect(commands.stdout).toMatch(new RegExp(`^  ${command} `, "m"));
    }
    const serve = await runThroughline(["help", "serve"]);
    const flags = [...serve.stdout.matchAll(/^ {2}(--[a-z-]+) <value>/gm)].map(([, flag]) => flag);
    expect(flags).toHaveLength(settingNames.length);
  });

  test("config shows each setting in force and where it came from", async () => {
    const args = ["config", "--threads=3", "--data-dir=/srv/tasks"];
    const env = { THROUGHLINE_THREADS: "4", THROUGHLINE_RETRY_CAP: "5m" };
    const shown = await runThroughline(args, env);
    expect([shown.exitCode, shown.errors]).toEqual([0, []]);
    const rows = shown.stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    expect(rows.filter(([flag]) => /^--(threads|data-dir|retry-cap|queue)$/.test(flag ?? ""))).toEqual([
      ["--data-dir", "/srv/tasks", "flag"],
      ["--queue", "embedded", "default"],
      ["--threads", "3", "flag"],
      ["--retry-cap", "5m", "variable"],
    ]);

    const json = await runThroughline([...args, "--json"], env);
    const settings: Record<string, unknown>[] = JSON.parse(json.stdout);
    expect(settings.map(({ name }) => name)).toEqual([...settingNames]);
    expect(settings.find(({ name }) => name === "retryCap")).toEqual({
      name: "retryCap",
      flag: "--retry-cap",
      variable: "THROUGHLINE_RETRY_CAP",
      value: "5m",
      source: "variable",
    });
  });
});

describe("files of the folder that it is started in", () => {
  const threads = "THROUGHLINE_THREADS=7\nTHROUGHLINE_UNKNOWN=1\n";
  const files: [name: string, text: string][] = [
    ["bunfig.toml", 'preload = ["./missing.ts"]'],
    ["bunfig.toml", 'preload = ["./preload.ts"]'],
    ["bunfig.toml", '[define]\n"process.platform" = "1"\n[run]\nbun = true\n[test]\nroot = 4'],
    ["bunfig.toml", "not toml ["],
    [".env", threads],
    [".env.local", threads],
    [".env.production", threads],
    [".env.development.local", threads],
    ["package.json", "{ not json"],
    ["tsconfig.json", '{"extends": "./missing.json", "compilerOptions": {"paths": {"node:fs": ["./preload.ts"]}}}'],
  ];
  test(
    "set nothing and run nothing: neither bunfig.toml nor .env is read",
    async () => {
      await using folder = await tempFolder();
      await Bun.write(join(folder.path, "preload.ts"), 'console.log("code of the folder");');
      const config = async () => {
        await using ran = await spawnThroughline(["config"], { cwd: folder.path });
        return { exitCode: await ran.exited, lines: ran.lines, errors: ran.errors() };
      };
      const before = await config();
      expect(before).toMatchObject({ exitCode: 0, errors: "" });
      for (const [name, text] of files) {
        await Bun.write(join(folder.path, name), text);
        expect([name, await config()]).toEqual([name, before]);
        await Bun.file(join(folder.path, name)).delete();
      }
    },
    limitMs,
  );

  const mapped: [what: string, compilerOptions: object][] = [
    ["every name", { baseUrl: ".", paths: { "*": ["./evil.ts"] } }],
    ["absolute paths", { paths: { "/*": ["./evil.ts"] } }],
    ["relative paths", { paths: { "./*": ["./evil.ts"] } }],
    ["schemes", { paths: { "file:*": ["./evil.ts"], "node:*": ["./evil.ts"], "bun:*": ["./evil.ts"] } }],
    ["modules of the program", { paths: { "/$bunfs/*": ["./evil.ts"], zod: ["./evil.ts"] } }],
  ];
  const handlers: Record<string, string> = {
    "module.ts":
      'import { z } from "zod"; import { run } from "./_run.ts"; export default { run, payload: z.string() };',
    "_run.ts": "export const run = (): number => 1;",
    "plain.mjs": "export default { run: () => 1 };",
    "common.cjs": 'module.exports = { run: () => require("node:path").sep };',
    "common-typed.cts": "module.exports = { run: (): number => 1 };",
  };
  test(
    "replace no handler of another folder: paths of tsconfig.json do not map the files that it loads",
    async () => {
      await using folder = await tempFolder();
      await using other = await tempFolder();
      for (const [name, text] of Object.entries(handlers)) await Bun.write(join(other.path, name), text);
      await Bun.write(join(folder.path, "evil.ts"), 'await Bun.write("ran", ""); export default { run: () => 2 };');
      const doctor = async () => {
        await using ran = await spawnThroughline(["doctor", `--handlers=${other.path}`], { cwd: folder.path });
        await ran.exited;
        const found = ran.lines.filter((line) => /^\S+ +handlers /.test(line));
        return { found, hasRun: await Bun.file(join(folder.path, "ran")).exists() };
      };
      const right = {
        found: [
          expect.stringMatching(/^ok .*, common-typed, common, module, plain, from /),
          expect.stringMatching(/^ok .* passed over, .*: _run\.ts(, tsconfig\.json)?$/),
        ],
        hasRun: false,
      };
      for (const [what, compilerOptions] of mapped) {
        await Bun.write(join(folder.path, "tsconfig.json"), JSON.stringify({ compilerOptions }));
        expect([what, await doctor()]).toEqual([what, right]);
      }
      await Bun.write(join(folder.path, "base.json"), JSON.stringify({ compilerOptions: mapped[0]?.[1] }));
      await Bun.write(join(folder.path, "tsconfig.json"), '{"extends": "./base.json"}');
      expect(await doctor()).toEqual(right);
      // Nor in a folder of their own: what maps there is what the files import, not the files.
      await Bun.write(join(other.path, "tsconfig.json"), '{"compilerOptions": {"paths": {"/*": ["./_run.ts"]}}}');
      expect(await doctor()).toEqual(right);
    },
    limitMs,
  );
});

describe("a process that stops", () => {
  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "by %s ends with 0 and nothing but log lines, and the next one runs what was accepted",
    async (signal) => {
      await using folder = await tempFolder();
      const args = [...freePorts, `--data-dir=${join(folder.path, "made/by/it")}`];
      await using first = await startThroughline(args);
      const { id } = await httpApi(first.addresses.gateway_url).submit({ type: "echo", payload: 1, delay: "2s" });
      first.kill(signal);
      expect(await first.exited).toBe(0);
      expect(first.errors()).toBe("");
      const told = first.logs().map(({ service, msg }) => `${service}: ${msg}`);
      expect(told.at(-1)).toBe("throughline: stopped");
      expect(told.filter((line) => line.endsWith(": stopped")).toSorted()).toEqual(
        ["api-gateway", "dlq-processor", "task-service", "throughline", "worker"].map((name) => `${name}: stopped`),
      );

      await using second = await startThroughline(args);
      expect(await httpApi(second.addresses.gateway_url).ended(id)).toMatchObject({ status: "succeeded", result: 1 });
    },
    limitMs,
  );

  test(
    "lets what runs end however often its terminal sends SIGHUP, and ignores SIGHUP under nohup",
    async () => {
      await using gate = startGate();
      await using first = await startThroughline([...freePorts]);
      const { id } = await httpApi(first.addresses.gateway_url).submit(gate.task());
      await gate.held(1);
      first.kill("SIGHUP");
      await eventually(() => isTold(first, "draining"));
      first.kill("SIGHUP");
      gate.open();
      expect(await first.exited).toBe(0);
      const ends = first.logs().filter(({ task_id: about, msg }) => about === id && msg === "task succeeded");
      expect(ends).toHaveLength(1);

      const serve = [await compiledExecutable(), "serve", ...freePorts];
      await using second = await startThroughline(serve, { command: { executable: "nohup" } });
      second.kill("SIGHUP");
      const { gateway_url: url } = second.addresses;
      expect(await httpApi(url).ended((await httpApi(url).submit({ type: "echo" })).id)).toMatchObject({ attempt: 1 });
      expect(await second.stop()).toBe(0);
    },
    limitMs,
  );

  test(
    "cuts its work short at the second signal: it goes back, and its attempt does not count",
    async () => {
      await using folder = await tempFolder();
      await using gate = startGate();
      const args = [...freePorts, `--data-dir=${folder.path}`];
      await using first = await startThroughline(args);
      const api = httpApi(first.addresses.gateway_url);
      const sleeping = await api.submit({ type: "sleep", payload: { ms: 600_000 }, timeout: "1h" });
      const held = await api.submit(gate.task());
      await gate.held(1);
      await eventually(async () => (await api.task(sleeping.id)).status === "running");

      first.kill("SIGTERM");
      await eventually(() => isTold(first, "draining"));
      first.kill("SIGTERM");
      expect(await first.exited).toBe(0);
      const about = first.logs().filter(({ msg }) => msg === "attempt interrupted, the task goes back");
      expect(about.map(({ task_id: id }) => id).toSorted()).toEqual([sleeping.id, held.id].toSorted());

      gate.open();
      await using second = await startThroughline(args);
      const task = await httpApi(second.addresses.gateway_url).ended(held.id);
      expect(task).toMatchObject({ status: "succeeded", attempt: 1 });
      expect(task.attempts.map(({ number, outcome }) => [number, outcome])).toEqual([
        [1, "interrupted"],
        [1, "succeeded"],
      ]);
    },
    limitMs,
  );

  test(
    "by SIGKILL right after it has accepted tasks has lost none of them",
    async () => {
      await using folder = await tempFolder();
      const args = [...freePorts, `--data-dir=${folder.path}`, "--visibility-timeout=2s"];
      await using first = await startThroughline(args);
      const api = httpApi(first.addresses.gateway_url);
      const accepted: HttpTask[] = [];
      const submitting = Array.from({ length: 40 }, async (_, n) => {
        const task = await api.submit({ type: "flaky", payload: { failures: n % 2 } });
        accepted.push(task);
        if (accepted.length === 20) first.kill("SIGKILL");
      });
      await Promise.allSettled(submitting);
      await first.exited;
      expect(accepted.length).toBeGreaterThanOrEqual(20);

      await using second = await startThroughline(args);
      const { ended } = httpApi(second.addresses.gateway_url);
      for (const { id } of accepted) expect(await ended(id)).toMatchObject({ status: "succeeded" });
    },
    limitMs,
  );
});

describe("health", () => {
  test(
    "is 0 while the process is ready, and 1 with the reason once it is gone",
    async () => {
      await using running = await startThroughline(freePorts);
      const admin = new URL(running.addresses.admin_url ?? "");
      // What a container has: it listens on all of its addresses.
      const env = { THROUGHLINE_ADMIN_LISTEN: `0.0.0.0:${admin.port}` };
      expect(await runThroughline(["health"], env)).toEqual({ exitCode: 0, stdout: "", errors: [] });

      await running.stop();
      expect(await runThroughline(["health"], env)).toEqual({
        exitCode: 1,
        stdout: "",
        errors: [`throughline: ${admin.href}health/ready does not answer`],
      });
    },
    limitMs,
  );

  test(
    "is 1 while the process drains",
    async () => {
      await using gate = startGate();
      await using running = await startThroughline(freePorts);
      await httpApi(running.addresses.gateway_url).submit(gate.task());
      await gate.held(1);
      running.kill("SIGTERM");
      await eventually(() => isTold(running, "draining"));
      const { host, href } = new URL(running.addresses.admin_url ?? "");
      expect(await runThroughline(["health", `--admin-listen=${host}`])).toEqual({
        exitCode: 1,
        stdout: "",
        errors: [`throughline: ${href}health/ready answered 503: not ready`],
      });
      gate.open();
    },
    limitMs,
  );
});

function isTold(process: ThroughlineProcess, msg: string): boolean {
  return process.lines.some((line) => line.includes(`"msg":"${msg}"`));
}
