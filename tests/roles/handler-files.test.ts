/** Handler files as people write them, loaded on real threads: what loads and runs, and what is refused by name. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { toFailure } from "../../src/words/errors.ts";
import { rejectionOf } from "../support/rejection.ts";
import { startTestPool } from "../support/test-pool.ts";
import {
  commonJsHandlers,
  plainHandlers,
  projectHandlers,
  resultsOf,
  writtenProject,
} from "../support/written-handlers.ts";

const limitMs = 60_000;

/** The result of a task of each type. */
async function resultsIn(folder: string, types: readonly string[]): Promise<Record<string, unknown>> {
  await using running = await startTestPool({ handlers: join(folder, "handlers") });
  const ends = types.map(async (type) => {
    const outcome = await running.run({ type, payload: "Ada" }).outcome;
    return [type, outcome.kind === "succeeded" ? JSON.parse(outcome.result) : outcome];
  });
  return Object.fromEntries(await Promise.all(ends));
}

describe("handler files that run", () => {
  test(
    "have any ending of TypeScript and JavaScript, and import by package.json and tsconfig.json",
    async () => {
      const handlers = { ...plainHandlers, ...projectHandlers };
      await using project = await writtenProject(handlers);
      const right = resultsOf(handlers);
      expect(await resultsIn(project.path, Object.keys(right))).toEqual(right);
    },
    limitMs,
  );

  test.each([
    ["a module", { "package.json": '{"type":"module"}' }],
    ["CommonJS", { "package.json": '{"type":"commonjs"}' }],
    ["nothing", { "package.json": "{}" }],
  ])(
    "are CommonJS in any shape where package.json says that they are %s",
    async (_, beside) => {
      await using project = await writtenProject(commonJsHandlers, beside);
      const right = resultsOf(commonJsHandlers);
      expect(await resultsIn(project.path, Object.keys(right))).toEqual(right);
    },
    limitMs,
  );
});

const refused: [file: string, text: string, reason: RegExp][] = [
  ["a-missing.ts", 'import x from "lodahs"; export default { run: x };', /Cannot find package 'lodahs'/],
  ["b-scoped.js", 'module.exports = { run: require("@scope/nowhere") };', /Cannot find module '@scope\/nowhere'/],
  ["c-unnamed.ts", 'import x from "exported/index.js"; export default { run: x };', /exported\/index\.js/],
  ["d-inner.ts", 'import x from "exported/lib/new.mjs"; export default { run: x };', /exported\/lib\/new\.mjs/],
  [
    "e-null.ts",
    'import x from "exported/features/internal"; export default { run: x };',
    /exported\/features\/internal/,
  ],
  ["f-class.ts", "export default class Mail { run() {} }", /default export is a class/],
  ["g-nothing.js", "module.exports = { go() {} };", /no function run\(task, ctx\)/],
  [
    "h-jsx.tsx",
    "const note: any = () => {}; class Mail { @note send() {} } export default { run: () => new Mail() };",
    /h-jsx\.tsx": old-style decorators work in \.ts files, not in \.tsx/,
  ],
  [
    "i-common.cts",
    "const note: any = () => {}; class Mail { @note send() {} } export = { run: () => new Mail() };",
    /i-common\.cts": old-style decorators work in modules, not in CommonJS/,
  ],
];

/** The lines by which the start is refused. */
async function refusalOf(folder: string): Promise<string> {
  const refusal = await rejectionOf(startTestPool({ handlers: join(folder, "handlers") }));
  return toFailure(refusal).message.replaceAll(folder, "");
}

describe("handler files that do not load", () => {
  test(
    "are refused with their name and the reason, all at once",
    async () => {
      const handlers = Object.fromEntries(refused.map(([file, text]) => [file, { text }]));
      await using project = await writtenProject(handlers);
      const lines = (await refusalOf(project.path)).split("\n");
      expect(lines.map((line) => /^handler file "(.*?)": /.exec(line)?.[1])).toEqual(refused.map(([file]) => file));
      for (const [index, [, , reason]] of refused.entries()) expect(lines[index]).toMatch(reason);
    },
    limitMs,
  );

  test(
    "have settings that are missing, which they need",
    async () => {
      const handlers = {
        "inject.ts": {
          text: "class Mail { constructor(@((...all: any[]) => {}) to: any) {} } export default () => new Mail(1);",
        },
        "standard.ts": { text: "class Mail { @((run: any) => run) send() {} } export default () => new Mail();" },
      };
      const lost = { "tsconfig.base.json": '{ "extends": "./lost.json" }' };
      const refusals = [];
      for (const more of [{ "tsconfig.base.json": "{}" }, lost]) {
        await using project = await writtenProject(handlers, more);
        refusals.push(await refusalOf(project.path));
      }
      expect(refusals).toEqual([
        'handler file "inject.ts": "/handlers/inject.ts": a decorator of a parameter needs "experimentalDecorators": true in tsconfig.json',
        expect.stringMatching(
          /inject\.ts": reading its tsconfig\.json: .*lost\.json.*\n.*standard\.ts": reading its tsconfig/,
        ),
      ]);
    },
    limitMs,
  );
});
