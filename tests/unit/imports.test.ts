/**
 * The directions of src/: main → cli, supervisor → roles → parts → leaves, as docs/architecture.md draws them, and the
 * few things that have one home. Read from the sources themselves; generated code is nobody's importer.
 */

import { describe, expect, test } from "bun:test";
import { dirname, join } from "node:path";
import { projectFolder } from "../support/executable.ts";

interface Import {
  /** Below src/ for a file of ours (`queue/sqs.ts`), else the package's name as written. */
  target: string;
  isOurs: boolean;
  isTypeOnly: boolean;
}

interface Source {
  /** Below src/. */
  path: string;
  text: string;
  /** Without comments, which may name anything. */
  code: string;
  imports: Import[];
}

const folder = join(projectFolder, "src");
const paths = [...new Bun.Glob("**/*.{ts,tsx}").scanSync(folder)].filter((path) => !path.startsWith("gen/")).sort();
const sources = await Promise.all(paths.map(readSource));

async function readSource(path: string): Promise<Source> {
  const text = await Bun.file(join(folder, path)).text();
  const code = withoutComments(text);
  return { path, text, code, imports: importsOf(path, code) };
}

/** A comment starts a line or follows a space; `"/*"` in a string does not. */
function withoutComments(text: string): string {
  return text.replace(/(^|\s)\/\*[\s\S]*?\*\//g, "$1").replace(/(^|\s)\/\/.*$/gm, "$1");
}

/** Statements as the formatter leaves them: each begins its line. And `import()` anywhere. */
function importsOf(path: string, code: string): Import[] {
  const statements = code.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm);
  const calls = code.matchAll(/\bimport\(\s*"([^"]+)"/g);
  return [
    ...[...statements].map(([, type, name = ""]) => toImport(path, name, type !== undefined)),
    ...[...calls].map(([, name = ""]) => toImport(path, name, false)),
  ];
}

function toImport(from: string, name: string, isTypeOnly: boolean): Import {
  const isOurs = name.startsWith(".");
  return { target: isOurs ? join(dirname(from), name) : name, isOurs, isTypeOnly };
}

/** From the top down: a file imports from its own layer and from those below it, types included. */
const layers: readonly (readonly [name: string, members: RegExp])[] = [
  ["the console's page, which runs in a browser", /^console\/page\//],
  ["main", /^main\.ts$/],
  ["commands", /^cli\//],
  ["supervisor and the entry of threads", /^(supervisor|thread)\.ts$|^supervisor\//],
  ["what every role leans on", /^role\.ts$/],
  ["roles", /^(gateway|task-service|worker|dlq|console)\.ts$|^(gateway|task-service|dlq)\//],
  ["what tests of handlers import", /^testing(\.ts$|\/)/],
  ["the forms of the API", /^api\//],
  ["parts", /^(access|broker|console|queue|rpc|store|telemetry|terminal|worker)\//],
  ["what parts lean on", /^(host|http|limits|otlp|settings|threads)\/|^[^/]+\.ts$/],
  ["words", /^words\//],
  ["generated code and the manifest", /^gen\/|^\.\.\/package\.json$/],
];

function layerOf(path: string): number {
  return layers.findIndex(([, members]) => members.test(path));
}

/** `gateway` for gateway.ts and everything in gateway/; undefined for what belongs to no role. */
function roleOf(path: string): string | undefined {
  return layerOf(path) === layerOf("gateway.ts") ? path.replace(/\.ts$|\/.*$/, "") : undefined;
}

/** `from → to` for every import of ours that `isWrong`. */
function wrongImports(isWrong: (from: string, to: Import) => boolean): string[] {
  return sources.flatMap(({ path, imports }) =>
    imports.filter((to) => to.isOurs && isWrong(path, to)).map(({ target }) => `${path} → ${target}`),
  );
}

/** What a transpiler that reads no settings writes for elements. */
const elementRuntime = /^react(\/|$)/;

describe("imports", () => {
  test("are all seen: none that Bun finds is missing here", () => {
    const plain = new Bun.Transpiler({ loader: "ts" });
    const withElements = new Bun.Transpiler({ loader: "tsx" });
    const missed = sources.flatMap(({ path, text, imports }) => {
      const transpiler = path.endsWith(".tsx") ? withElements : plain;
      const seen = new Set(imports.map(({ target }) => target));
      const scanned = transpiler.scanImports(text).filter(({ path: name }) => !elementRuntime.test(name));
      const found = scanned.map(({ path: name }) => toImport(path, name, false).target);
      return found.filter((target) => !seen.has(target)).map((target) => `${path} → ${target}`);
    });
    expect(missed).toEqual([]);
  });

  test("name files that are there, with their ending", () => {
    const existing = new Set([...new Bun.Glob("**/*.{ts,tsx}").scanSync(folder), "../package.json"]);
    expect(wrongImports((_, { target }) => !existing.has(target))).toEqual([]);
  });

  test("lead from every file to its own layer or one below, never up", () => {
    expect(paths.filter((path) => layerOf(path) < 0)).toEqual([]);
    expect(wrongImports((from, { target }) => layerOf(target) < layerOf(from))).toEqual([]);
  });

  test("never lead from one role to another", () => {
    const isForeign = (from: string, to: string): boolean => {
      const [own, other] = [roleOf(from), roleOf(to)];
      return own !== undefined && other !== undefined && own !== other;
    };
    expect(wrongImports((from, { target }) => isForeign(from, target))).toEqual([]);
  });

  test("reach the entry of threads and the entry of the program from nowhere", () => {
    expect(wrongImports((_, { target }) => target === "main.ts" || target === "thread.ts")).toEqual([]);
  });

  test("of the page bring nothing into a browser but the page and what is pure", () => {
    const pure = [
      "api/payload-problems.ts",
      "console/task-trace-view.ts",
      "console/task-trace.ts",
      "terminal/time-axis.ts",
      "terminal/times.ts",
      "words/json-text.ts",
      "words/task-id.ts",
      "words/task.ts",
      "words/time-text.ts",
    ];
    const isPage = (path: string): boolean => path.startsWith("console/page/");
    const foreign = wrongImports((from, to) => isPage(from) && !isPage(to.target) && !to.isTypeOnly);
    expect(foreign.filter((found) => !pure.includes(found.split(" → ")[1] ?? ""))).toEqual([]);
  });

  test("make no circle, not even of types", () => {
    expect(findCircle()).toEqual([]);
  });
});

/** The files of one circle of imports, in their order; empty when there is none. */
function findCircle(): string[] {
  const targets = new Map(
    sources.map(({ path, imports }) => [path, imports.filter(({ isOurs }) => isOurs).map(({ target }) => target)]),
  );
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): string[] => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return [];
    for (const target of targets.get(path) ?? []) {
      const circle = visit(target, [...trail, path]);
      if (circle.length > 0) return circle;
    }
    done.add(path);
    return [];
  };
  for (const path of paths) {
    const circle = visit(path, []);
    if (circle.length > 0) return circle;
  }
  return [];
}

describe("packages with one home", () => {
  const homes: [what: string, packages: RegExp, files: string[]][] = [
    [
      "the AWS clients and their parts",
      /^@(aws-sdk|smithy)\//,
      [
        "queue/calls.ts",
        "queue/deliveries.ts",
        "queue/queue-look.ts",
        "queue/sqs.ts",
        "store/dynamo/calls.ts",
        "store/dynamo/dynamo.ts",
        "store/dynamo/fast-calls.ts",
      ],
    ],
    ["the cron library", /^croner$/, ["words/ticks.ts"]],
    ["the library of circuit breakers", /^cockatiel$/, ["limits/breaker.ts"]],
    [
      "the gRPC library",
      /^@grpc\//,
      ["rpc/grpc/client.ts", "rpc/grpc/health.ts", "rpc/grpc/reflection.ts", "rpc/grpc/server.ts", "rpc/grpc/wire.ts"],
    ],
    [
      "SQLite",
      /^node:sqlite$/,
      [
        "broker/folder-lock.ts",
        "console/telemetry-database.ts",
        "host/prepared-statements.ts",
        "store/sqlite/connection.ts",
        "store/sqlite/schema.ts",
        "store/sqlite/sqlite.ts",
      ],
    ],
    // Of `bun:` only what calls the C library.
    ["the environment and the process as imports", /^(node:)?process$|^bun(:|$)/, ["host/libc.ts"]],
  ];

  test.each(homes)("%s", (_, packages, files) => {
    const importers = sources.filter(({ imports }) => imports.some(({ target }) => packages.test(target)));
    expect(importers.map(({ path }) => path)).toEqual(files);
  });

  test("everything of OpenTelemetry but its API, in src/telemetry/; src/otlp/ has its types", () => {
    const sdk = /^@opentelemetry\/(?!api(-logs)?$)/;
    const isForeign = (path: string, isTypeOnly: boolean): boolean =>
      !path.startsWith("telemetry/") && !(path.startsWith("otlp/") && isTypeOnly);
    const importers = sources.filter(({ path, imports }) =>
      imports.some(({ target, isTypeOnly }) => sdk.test(target) && isForeign(path, isTypeOnly)),
    );
    expect(importers.map(({ path }) => path)).toEqual([]);
  });
});

describe("words with one home", () => {
  const homes: [what: string, word: RegExp, files: string[]][] = [
    ["process.env", /\bprocess\.env\b/, ["config.ts", "http/fetch.ts"]],
    // The task type `crash` has to end its thread: there `process.exit` ends no more than that.
    ["process.exit", /\bprocess\.exit\(/, ["main.ts", "worker/handlers/stray-errors.ts"]],
    ["new Worker", /\bnew Worker\(/, ["spawn.ts"]],
    [
      "providers of telemetry",
      /\bnew \w+Provider\(/,
      [
        "telemetry/logs/log-pipeline.ts",
        "telemetry/metrics/metric-pipeline.ts",
        "telemetry/spans/thread-tracing.ts",
        "telemetry/spans/trace-pipeline.ts",
      ],
    ],
    [
      "the runtimes' own globals",
      /\bBun\.|\bDeno\b/,
      ["host/libc.ts", "host/runtime.ts", "host/stdout.ts", "http/listen.ts", "worker/handlers/import-file.ts"],
    ],
  ];

  test.each(homes)("%s", (_, word, files) => {
    expect(sources.filter(({ code }) => word.test(code)).map(({ path }) => path)).toEqual(files);
  });
});
