import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { tempFolder } from "../support/temp-folder.ts";

const root = resolve(import.meta.dir, "../..");

test("the same source runs on Deno: the demo ends as scripted", async () => {
  await using folder = await tempFolder();
  const deno = Bun.spawn(
    [resolve(root, "node_modules/.bin/deno"), "run", "-A", resolve(root, "src/main.ts"), "demo", "--once"],
    {
      cwd: folder.path,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: folder.path, NO_COLOR: "1" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [said, exitCode] = await Promise.all([new Response(deno.stderr).text(), deno.exited]);
  expect({ exitCode, right: said.match(/ ✓$/gm)?.length, said }).toEqual({ exitCode: 0, right: 10, said });
  expect(said).toContain("dlq-processor");
}, 120_000);
