/** Handler files as people write them, with what each gives for the payload "Ada", and the project that they are part of. */

import { editedHandlers } from "./edited-handlers.ts";

interface WrittenHandler {
  text: string;
  result: unknown;
}

const greet = (name: string): string => `{ run: (task) => "${name} " + task.payload }`;

/** Compiled by tsc or esbuild, or written by hand: no package.json says what they are. */
export const commonJsHandlers: Record<string, WrittenHandler> = {
  "compiled.js": {
    text: `"use strict"; Object.defineProperty(exports, "__esModule", { value: true }); exports.default = ${greet("compiled")};`,
    result: "compiled Ada",
  },
  "bare-default.js": { text: `exports.default = ${greet("bare")};`, result: "bare Ada" },
  "bundled.js": {
    text: `var d=Object.defineProperty,e=(t,a)=>{for(var l in a)d(t,l,{get:a[l],enumerable:!0})},m={};e(m,{default:()=>h});module.exports=((t)=>{let r=d({},"__esModule",{value:!0});return d(r,"default",{get:()=>t.default,enumerable:!0})})(m);var h=${greet("bundled")};`,
    result: "bundled Ada",
  },
  "named.js": {
    text: `Object.defineProperty(exports, "__esModule", { value: true }); exports.maxAttempts = 2; exports.run = ({ payload }) => "named " + payload;`,
    result: "named Ada",
  },
  "object.js": { text: `module.exports = ${greet("object")};`, result: "object Ada" },
  "function.js": {
    text: `module.exports = async ({ payload }) => "function " + payload; module.exports.maxAttempts = 2;`,
    result: "function Ada",
  },
  "requiring.js": {
    text: `const zod_1 = require("zod"); const { trace } = require("@opentelemetry/api"); const _shared_1 = require("./_shared");
exports.default = { payload: zod_1.z.string(), run: ({ payload }) => [_shared_1.loud(payload), zod_1.default === undefined, typeof trace.getTracer] };`,
    result: ["ADA", false, "function"],
  },
};

/** Each ending, in small letters and capitals, that is the same on Bun and on Deno. */
export const plainHandlers: Record<string, WrittenHandler> = {
  "old.cjs": { text: `module.exports = ${greet("old")};`, result: "old Ada" },
  "typed.cts": {
    text: "const handler = { run(task: { payload: string }): string { return task.payload; } };\nexport = handler;",
    result: "Ada",
  },
  "module.mts": { text: "export default { run: (): number => 1 };", result: 1 },
  "plain.mjs": { text: "export default () => 2;", result: 2 },
  "UPPER.TS": { text: "export default { run: (): number => 3 };", result: 3 },
  "Mixed.Js": { text: "export default { run: () => 4 };", result: 4 },
};

/** What depends on the tsconfig.json, the package.json and the packages beside. */
export const projectHandlers: Record<string, WrittenHandler> = {
  "by-main.ts": importing(`m from "main-only"`, "m.where", "main"),
  "by-exports.ts": importing(`{ where } from "exported"`, "where", "imported"),
  "by-subpath.ts": importing(`{ where } from "exported/sub"`, "where", "sub"),
  "by-pattern.ts": importing(`{ where } from "exported/features/one"`, "where", "one"),
  "by-scope.ts": importing(`{ where } from "@scope/one"`, "where", "scope and main"),
  "by-require.cjs": { text: `const { where } = require("exported"); exports.run = () => where;`, result: "required" },
  "alias.ts": importing(`{ where } from "@/index"`, "where", "lib"),
  "hash.ts": importing(`{ where } from "#lib"`, "where", "lib"),
  "carried.ts": importing(`z, { string } from "zod"`, "[typeof z.object, typeof string]", ["function", "function"]),
  "carried-v4.ts": importing(`* as z from "zod/v4"`, "typeof z.object", "function"),
  "carried-api.ts": importing(`{ trace } from "@opentelemetry/api"`, "typeof trace.getTracer", "function"),
  "decorated.ts": importing(`{ seen } from "@/decorated"`, "seen", [
    "property",
    "method string",
    "parameter 0",
    "class",
  ]),
  "page.tsx": { text: "export default { run: ({ payload }) => <p>{payload}</p> };", result: "<p>Ada</p>" },
  "list.jsx": {
    text: "#!/usr/bin/env bun\nexport default { run: ({ payload }) => <ul>{payload}</ul> };",
    result: "<ul>Ada</ul>",
  },
  "own-jsx.tsx": {
    text: "/** @jsxRuntime classic @jsx h */\nconst h = (tag: string) => tag;\nexport default { run: () => <p /> };",
    result: "p",
  },
  "common.ts": { text: `const { where } = require("../lib/common"); export = { run: () => where };`, result: "common" },
};

/** What stands beside the folder `handlers`, and the files in it that are no handlers. */
const project: Record<string, string> = {
  "package.json": json({ type: "module", imports: { "#lib": "./lib/index.ts" } }),
  "tsconfig.json": `{ // JSON with comments, and a comma too many
    "extends": "./tsconfig.base.json", "compilerOptions": { "jsx": "react-jsx", "jsxImportSource": "tags", } }`,
  "tsconfig.base.json": json({ compilerOptions: { experimentalDecorators: true, paths: { "@/*": ["./lib/*"] } } }),
  "lib/index.ts": `export const where: string = "lib";`,
  "lib/common.ts": `exports.where = "common";`,
  "lib/decorated.ts": `export const seen: string[] = [];
const note = (what: string) => (...[target, key, place]: any[]): any => {
  seen.push(what === "method" ? "method " + typeof key : what === "parameter" ? "parameter " + place : what);
};
@note("class")
class Mail {
  @note("property") to = "Ada";
  constructor(@note("parameter") private readonly from: string) {}
  @note("method") send(): void {}
}
new Mail("Grace");`,
  "handlers/_shared.js": "exports.loud = (text) => text.toUpperCase();",
  "handlers/notes.md": "# Notes",
  "handlers/UPPER.test.TS": "not even code",
  "handlers/old.d.cts": "not even code",
  "handlers/send.vue": "<template></template>",
  "handlers/later/charge.ts": "export default { run() {} };",
  "handlers/.hidden.ts": "not even code",
  ...inPackage("main-only", { main: "dist/index" }, { "dist/index.js": `module.exports = { where: "main" };` }),
  ...inPackage(
    "exported",
    {
      exports: {
        ".": { import: "./lib/new.mjs", require: "./lib/old.cjs" },
        "./sub": "./lib/sub.mjs",
        "./features/*": "./lib/features/*.mjs",
        "./features/internal": null,
      },
    },
    {
      "lib/new.mjs": `export const where = "imported";`,
      "lib/old.cjs": `exports.where = "required";`,
      "lib/sub.mjs": `export const where = "sub";`,
      "lib/features/one.mjs": `export const where = "one";`,
      "lib/features/internal.mjs": `export const where = "internal";`,
      "index.js": `export const where = "not named";`,
    },
  ),
  ...inPackage(
    "@scope/one",
    { main: "./src/one.js" },
    { "src/one.js": `exports.where = "scope and " + require("main-only").where;` },
  ),
  ...inPackage(
    "tags",
    { type: "module", exports: { "./jsx-runtime": "./tags.js", "./jsx-dev-runtime": "./tags.js" } },
    {
      "tags.js": `export const jsx = (tag, { children }) => "<" + tag + ">" + children + "</" + tag + ">";
export { jsx as jsxs, jsx as jsxDEV };`,
    },
  ),
};

/** Not handlers, in the order in which they are told. */
export const passedOver = ["UPPER.test.TS", "_shared.js", "later/", "notes.md", "old.d.cts", "send.vue"];

/** A fresh folder with the project, and these handlers in its folder `handlers`; `more` goes before. */
export function writtenProject(handlers: Record<string, { text: string }>, more: Record<string, string> = {}) {
  const files = Object.entries(handlers).map(([file, { text }]) => [`handlers/${file}`, text]);
  return editedHandlers({ ...project, ...Object.fromEntries(files), ...more });
}

/** The task type of each file, and its result. */
export function resultsOf(handlers: Record<string, WrittenHandler>): Record<string, unknown> {
  const results = Object.entries(handlers).map(([file, { result }]) => [file.slice(0, file.lastIndexOf(".")), result]);
  return Object.fromEntries(results);
}

function importing(clause: string, expression: string, result: unknown): WrittenHandler {
  return { text: `import ${clause};\nexport default { run: () => ${expression} };`, result };
}

function inPackage(name: string, manifest: object, files: Record<string, string>): Record<string, string> {
  const all = { "package.json": json({ name, version: "1.0.0", ...manifest }), ...files };
  return Object.fromEntries(Object.entries(all).map(([file, text]) => [`node_modules/${name}/${file}`, text]));
}

function json(value: unknown): string {
  return JSON.stringify(value);
}
