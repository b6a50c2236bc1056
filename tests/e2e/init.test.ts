/** `throughline init`, then the steps that it prints, to the letter: with nothing installed, and without a network. */

import { describe, expect, test } from "bun:test";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../parts/free-port.ts";
import { eventually } from "../support/eventually.ts";
import { compiledExecutable, projectFolder } from "../support/executable.ts";
import { startShell } from "../support/shell.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 120_000;
const plainPath = "/usr/local/bin:/usr/bin:/bin";
const tsc = join(projectFolder, "node_modules/.bin/tsc");

/** Words before a command that then has no network: none at all, or where that is not allowed no way to it. */
const offline = Bun.spawnSync(["unshare", "-rn", "true"]).success
  ? "unshare -rn "
  : "env HTTP_PROXY=http://127.0.0.1:1 HTTPS_PROXY=http://127.0.0.1:1 ";

const source = `${process.execPath} ${join(projectFolder, "src/main.ts")}`;
const commands: [what: string, command: () => Promise<string>][] = [
  ["the compiled executable", compiledExecutable],
  ["the sources", async () => source],
];

interface Ended {
  exitCode: number | null;
  output: string;
}

/** Runs it where nothing of this checkout is found by chance. */
async function run(commandLine: string, cwd: string, more: Record<string, string> = {}): Promise<Ended> {
  await using home = await tempFolder();
  const env = { PATH: plainPath, HOME: home.path, ...more };
  await using shell = startShell(commandLine, { cwd, env });
  return { exitCode: await shell.exited, output: shell.output() };
}

/** The lines below `Next:`, as they are typed. */
function stepsOf(output: string): string[] {
  return output
    .slice(output.indexOf("Next:\n") + 6)
    .split("\n")
    .flatMap((line) => line.trim() || []);
}

async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return names.filter((name) => !name.startsWith(".throughline/")).sort();
}

describe.each(commands)("init by %s", (_, command) => {
  test(
    "makes a folder whose test passes by the printed steps, and whose types are found",
    async () => {
      await using folder = await tempFolder();
      const made = await run(`${offline}${await command()} init mine`, folder.path);
      expect(made.exitCode).toBe(0);
      const [cd, testing] = stepsOf(made.output);
      expect(cd).toBe("cd mine");

      const tested = await run(`${cd} && ${offline}${testing}`, folder.path);
      expect(tested).toMatchObject({ exitCode: 0, output: expect.stringContaining("3 pass\n 0 fail") });
      const typed = await run(`${offline}${tsc} -p mine`, folder.path);
      expect(typed).toEqual({ exitCode: 0, output: "" });
    },
    limitMs,
  );
});

/** The address where everything runs that the test starts, in place of the default one. */
async function ownAddress(): Promise<Record<string, string>> {
  const address = `127.0.0.1:${await freePort()}`;
  return { THROUGHLINE_GATEWAY_LISTEN: address, THROUGHLINE_URL: `http://${address}` };
}

describe("dev by the compiled executable", () => {
  test(
    "runs the example by the printed steps, and what it becomes by an edit",
    async () => {
      await using folder = await tempFolder();
      const made = await run(`${await compiledExecutable()} init mine`, folder.path);
      const [cd = "", , starting = "", , submitting = ""] = stepsOf(made.output);
      const env = await ownAddress();
      await using dev = startShell(`${cd} && exec ${starting}`, {
        cwd: folder.path,
        env: { PATH: plainPath, HOME: folder.path, ...env },
      });
      const patience = { timeoutMs: 60_000 };
      await eventually(() => dev.output().includes('"msg":"ready"'), patience);
      const greeted = await run(`${cd} && ${submitting}`, folder.path, env);
      expect(greeted).toMatchObject({ exitCode: 0, output: expect.stringContaining("Hello, Ada!") });

      const handler = join(folder.path, "mine/handlers/greet.ts");
      await writeFile(handler, (await Bun.file(handler).text()).replace("Hello", "Good morning"));
      await eventually(() => dev.output().includes('"msg":"handlers loaded again"'), patience);
      const again = await run(`${cd} && ${submitting}`, folder.path, env);
      expect(again).toMatchObject({ exitCode: 0, output: expect.stringContaining("Good morning, Ada!") });
      dev.interrupt();
      expect(await dev.exited).toBe(0);
    },
    limitMs,
  );

  test(
    "without a folder of handlers says how to get one",
    async () => {
      await using folder = await tempFolder();
      expect(await run(`${await compiledExecutable()} dev`, folder.path)).toEqual({
        exitCode: 2,
        output: "throughline: there is no folder ./handlers: throughline init makes one, --handlers names another\n",
      });
    },
    limitMs,
  );
});

describe("init", () => {
  test(
    "writes types that find mistakes",
    async () => {
      await using folder = await tempFolder();
      await run(`${source} init`, folder.path);
      const wrong = `import { testTask } from "throughline/testing";
import type { TaskHandler } from "throughline";
import { expect } from "bun:test";
import greet from "./greet.ts";
export default { run: ({ payload }, ctx) => ctx.span.nonsense(payload.count) } satisfies TaskHandler<{ count: number }>;
export const text: number = (await testTask(greet)).status;
expect(1).toBeWrong();
export const other = { run: ({ payload }) => payload.no, payload: greet.payload } satisfies TaskHandler<typeof greet.payload>;
`;
      await writeFile(join(folder.path, "handlers/wrong.ts"), wrong);
      const { output } = await run(`${tsc} -p .`, folder.path);
      const places = [...output.matchAll(/^handlers\/wrong\.ts\((\d+)/gm)].map(([, line]) => Number(line));
      expect(places).toEqual([5, 6, 7, 8]);
    },
    limitMs,
  );

  test(
    "refuses to overwrite: everything that is in the way is told, and nothing changes",
    async () => {
      await using folder = await tempFolder();
      await mkdir(join(folder.path, "handlers"));
      await writeFile(join(folder.path, "handlers/greet.ts"), "mine");
      await writeFile(join(folder.path, "tsconfig.json"), "{}");
      const before = await filesIn(folder.path);
      expect(await run(`${source} init`, folder.path)).toEqual({
        exitCode: 2,
        output: [
          'throughline: "handlers/greet.ts" is there already',
          'throughline: "tsconfig.json" is there already',
          "throughline: nothing was written; init makes a new folder by its name: throughline init my-tasks",
          "",
        ].join("\n"),
      });
      expect(await filesIn(folder.path)).toEqual(before);
    },
    limitMs,
  );

  test(
    "leaves a package.json and a .gitignore as they are",
    async () => {
      await using folder = await tempFolder();
      for (const name of ["package.json", ".gitignore"]) await writeFile(join(folder.path, name), "{}");
      expect((await run(`${source} init`, folder.path)).exitCode).toBe(0);
      for (const name of ["package.json", ".gitignore"]) {
        expect(await Bun.file(join(folder.path, name)).text()).toBe("{}");
      }
    },
    limitMs,
  );

  test(
    "with --types writes the types anew, and nothing else",
    async () => {
      await using folder = await tempFolder();
      await run(`${source} init`, folder.path);
      const types = join(folder.path, ".throughline/index.d.ts");
      const [before, text] = [await filesIn(folder.path), await Bun.file(types).text()];
      await writeFile(types, "of an older version");
      expect((await run(`${source} init --types`, folder.path)).exitCode).toBe(0);
      expect([await filesIn(folder.path), await Bun.file(types).text()]).toEqual([before, text]);
    },
    limitMs,
  );

  test(
    "into a place where nothing can be written says so",
    async () => {
      await using folder = await tempFolder();
      await writeFile(join(folder.path, "file"), "");
      const { exitCode, output } = await run(`${source} init file/mine`, folder.path);
      expect(exitCode).toBe(1);
      expect(output).toMatch(/^throughline: writing ".*\/file\/mine\/.*": E\w+/);
    },
    limitMs,
  );
});

describe("throughline test", () => {
  test(
    "ends as its tests do, and says where there is no folder",
    async () => {
      await using folder = await tempFolder();
      await writeFile(
        join(folder.path, "a.test.ts"),
        'import { test } from "bun:test"; test("no", () => { throw 1; });',
      );
      const executable = await compiledExecutable();
      expect((await run(`${offline}${executable} test`, folder.path)).exitCode).toBe(1);
      const filtered = await run(`${executable} test -- --test-name-pattern=none`, folder.path);
      expect(filtered.output).toContain(`regex "none" matched 0 tests`);
      expect(await run(`${executable} test nowhere`, folder.path)).toEqual({
        exitCode: 2,
        output: 'throughline: there is no folder "nowhere"\n',
      });
    },
    limitMs,
  );
});

describe("on Deno", () => {
  test.each(["init", "test"])(
    "%s says that it needs Bun",
    async (command) => {
      await using folder = await tempFolder();
      const deno = join(projectFolder, "node_modules/.bin/deno");
      const { exitCode, output } = await run(`${deno} run -A ${projectFolder}/src/main.ts ${command}`, folder.path);
      expect(exitCode).toBe(2);
      expect(output).toMatch(new RegExp(`^throughline: throughline ${command} needs Bun: `, "m"));
    },
    limitMs,
  );
});
