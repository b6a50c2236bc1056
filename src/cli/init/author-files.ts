/** The files of `throughline init`: those that its user goes on with, and those that are ours, below `.throughline/`. */

import { z } from "zod";
import { authorKit, starter } from "./author-kit.ts" with { type: "macro" };

/** Path below the folder to text. */
type Files = Readonly<Record<string, string>>;

const kitFolder = ".throughline";

const texts = z.record(z.string(), z.string());
const kit: Files = texts.parse(JSON.parse(authorKit()));

const kitFiles: Files = Object.fromEntries(Object.entries(kit).map(([path, text]) => [`${kitFolder}/${path}`, text]));

const tsconfig = toJson({
  compilerOptions: {
    target: "ESNext",
    module: "Preserve",
    moduleResolution: "bundler",
    lib: ["ESNext", "DOM", "DOM.Iterable"],
    noEmit: true,
    strict: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    paths: {
      throughline: [`./${kitFolder}/index`],
      "throughline/testing": [`./${kitFolder}/testing`],
      "bun:test": [`./${kitFolder}/bun-test`],
      zod: ["./node_modules/zod", `./${kitFolder}/zod`],
      "@opentelemetry/api": ["./node_modules/@opentelemetry/api", `./${kitFolder}/opentelemetry-api/index.mjs`],
    },
  },
  include: ["handlers"],
});

const newFiles: Files = {
  ...texts.parse(JSON.parse(starter())),
  "tsconfig.json": tsconfig,
};

/** What `throughline init` writes. */
export interface AuthorFiles {
  /** Where the types and the test kit go. */
  kitFolder: string;
  kitFiles: Files;
  /** Must not be there yet. */
  newFiles: Files;
  /** Written only where there is none: one that exists serves more than the handlers. */
  ownFiles: Files;
}

export function authorFiles(packageName: string): AuthorFiles {
  return { kitFolder, kitFiles, newFiles, ownFiles: ownFiles(packageName) };
}

function ownFiles(name: string): Files {
  return {
    "package.json": toJson({
      name,
      private: true,
      type: "module",
      scripts: { dev: "throughline dev", test: "throughline test" },
      // For Node and Deno, which do not read the paths of tsconfig.json: npm install needs no network for it.
      devDependencies: { throughline: `file:${kitFolder}` },
    }),
    ".gitignore": "node_modules/\nthroughline-data/\n",
  };
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
