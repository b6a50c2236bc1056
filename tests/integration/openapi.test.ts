/** The OpenAPI document in the hands of others: a client made of it works, and a tester finds no answer that it denies. */

import { expect, test } from "bun:test";
import { copyFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generateTypes } from "../parts/openapi-typescript.ts";
import { runTool } from "../parts/run-tool.ts";
import { tryApi } from "../parts/schemathesis.ts";
import { projectFolder } from "../support/executable.ts";
import { describeWith } from "../support/requires.ts";
import { startTestSystem } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

const trialSeconds = 45;
const limitMs = 180_000;

describeWith("openapiTypescript")("a client that is generated", () => {
  test(
    "compiles, and submits, waits, lists and redrives",
    async () => {
      await using running = await startTestSystem();
      await using folder = await tempFolder();
      const at = (name: string): string => join(folder.path, name);
      await writeFile(at("openapi.json"), await (await fetch(`${running.url}/openapi.json`)).text());
      const generated = await generateTypes(at("openapi.json"), at("api.d.ts"));
      expect({ ...generated, output: generated.exitCode === 0 ? "" : generated.output }).toEqual({
        exitCode: 0,
        output: "",
      });

      await copyFile(join(projectFolder, "tests/fixtures/generated-client/client.ts"), at("client.ts"));
      await symlink(join(projectFolder, "node_modules"), at("node_modules"));
      const { compilerOptions } = await Bun.file(join(projectFolder, "tsconfig.json")).json();
      await writeFile(at("tsconfig.json"), JSON.stringify({ compilerOptions, files: ["client.ts"] }));
      const tsc = join(projectFolder, "node_modules/.bin/tsc");
      const env = { PATH: process.env.PATH ?? "" };
      expect(await runTool([tsc, "--noEmit", "-p", folder.path], { env })).toEqual({ exitCode: 0, output: "" });

      const ran = await runTool([process.execPath, at("client.ts"), running.url], { env });
      expect([ran.exitCode, JSON.parse(ran.output)]).toEqual([
        0,
        {
          ended: ["succeeded", { hello: "world" }, ["succeeded"]],
          listed: [true],
          dead: ["dead", "FatalError"],
          redrive: [1, true],
          refused: "invalid_argument",
        },
      ]);
    },
    limitMs,
  );
});

describeWith("schemathesis")("schemathesis", () => {
  test(
    "finds no fault of ours, and no answer that the document does not tell",
    async () => {
      await using running = await startTestSystem();
      const { exitCode, output } = await tryApi({ url: running.url, seconds: trialSeconds, seed: 1 });
      expect({ exitCode, output: exitCode === 0 ? "" : output }).toEqual({ exitCode: 0, output: "" });
      expect(output).toMatch(/Selected: (\d+)\/\1\s+Tested: \1/);
    },
    limitMs,
  );
});
