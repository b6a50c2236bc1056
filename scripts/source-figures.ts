/**
 * `bun scripts/source-figures.ts`, a part of `bun run lint`: how wide the sources are, beside what they should be.
 * `--list` also prints what stands behind each figure; `--run` adds the two figures that need a running system
 * (task-path.ts). Only cycles of imports, dead code, long functions and too many files directly under src/ fail.
 *
 * How it counts: the files are src/**\/*.{ts,tsx} without src/gen/. A line is a newline. An importer is a file of src/
 * with an import, `export from` or `import()` of the file, type-only ones included. A cycle is a set of files in which
 * each reaches every other. A function's length is from its first line to its last, methods and closures included.
 * Dead exports are those of knip, by knip.jsonc: an export that only its own file uses is dead, one that a test imports
 * is not.
 */

import { dirname, join } from "node:path";
import { type Node, parseSync, Visitor } from "oxc-parser";

const projectFolder = join(import.meta.dir, "..");
const sourceFolder = join(projectFolder, "src");

/** The rooms that each task passes, in which a function is held to fewer lines. */
const engineRooms = /^(task-service|worker|dlq)\.ts$|^(task-service|worker\/(attempts|threads)|queue|dlq|broker)\//;

const smallFileLines = 40;
const longFunctionLines = 100;
const longEngineFunctionLines = 60;

interface Source {
  /** Below src/. */
  path: string;
  lines: number;
  /** Files of src/ without generated ones, below src/. */
  imports: string[];
  longFunctions: string[];
}

/** One row of the table. */
export interface Figure {
  title: string;
  /** At most; undefined for what only explains another row. */
  wanted?: number;
  today: number;
  /** What was counted, one text each; empty where the count says all. */
  found: string[];
  /** More than wanted fails. */
  isLimit?: boolean;
}

function readSources(): Promise<Source[]> {
  const paths = [...new Bun.Glob("**/*.{ts,tsx}").scanSync(sourceFolder)].filter((path) => !path.startsWith("gen/"));
  return Promise.all(paths.sort().map(readSource));
}

async function readSource(path: string): Promise<Source> {
  const text = await Bun.file(join(sourceFolder, path)).text();
  const { program, module, errors } = parseSync(path, text);
  const [error] = errors;
  if (error) throw new Error(`${path} does not parse: ${error.message}`);

  const lineOf = (offset: number): number => text.slice(0, offset).split("\n").length;
  const requests = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) => entries.map(({ moduleRequest }) => moduleRequest?.value ?? "")),
    ...module.dynamicImports.map(({ moduleRequest }) => text.slice(moduleRequest.start + 1, moduleRequest.end - 1)),
  ];
  const longFunctions: string[] = [];
  const measure = ({ start, end }: Node): void => {
    const [first, last] = [lineOf(start), lineOf(end)];
    const lines = last - first + 1;
    const limit = engineRooms.test(path) ? longEngineFunctionLines : longFunctionLines;
    if (lines > limit) longFunctions.push(`${path}:${first} (${lines} lines)`);
  };
  new Visitor({
    FunctionDeclaration: measure,
    FunctionExpression: measure,
    ArrowFunctionExpression: measure,
    TSImportType: ({ source }) => {
      requests.push(source.value);
    },
  }).visit(program);

  const targets = requests.filter((name) => name.startsWith(".")).map((name) => join(dirname(path), name));
  const imports = [...new Set(targets)].filter((target) => /\.tsx?$/.test(target) && !target.startsWith("gen/"));
  return { path, lines: text.split("\n").length - 1, imports, longFunctions };
}

/** Sets of files that all reach each other, each as `a.ts, b.ts`: the strongly connected parts (Tarjan, 1972). */
function cyclesOf(sources: readonly Source[]): string[] {
  const importsOf = new Map(sources.map(({ path, imports }) => [path, imports]));
  const order = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[] = [];
  /** The lowest place in the order that the file reaches among those on the stack. */
  const visit = (path: string): number => {
    const place = order.size;
    order.set(path, place);
    stack.push(path);
    let lowest = place;
    for (const target of importsOf.get(path) ?? []) {
      const seen = order.get(target);
      if (seen === undefined) lowest = Math.min(lowest, visit(target));
      else if (stack.includes(target)) lowest = Math.min(lowest, seen);
    }
    if (lowest === place) {
      const members = stack.splice(stack.indexOf(path));
      if (members.length > 1 || importsOf.get(path)?.includes(path)) cycles.push(members.sort().join(", "));
    }
    return lowest;
  };
  for (const { path } of sources) if (!order.has(path)) visit(path);
  return cycles;
}

function figuresOf(sources: readonly Source[]): Figure[] {
  const importers = Map.groupBy(
    sources.flatMap(({ path, imports }) => imports.map((target) => ({ path, target }))),
    ({ target }) => target,
  );
  const small = sources
    .filter(({ path, lines }) => lines < smallFileLines && importers.get(path)?.length === 1)
    .map(({ path, lines }) => `${path} (${lines} lines), for ${importers.get(path)?.[0]?.path}`);
  const [engine, others] = [true, false].map((isEngine) =>
    sources.filter(({ path }) => engineRooms.test(path) === isEngine).flatMap(({ longFunctions }) => longFunctions),
  );
  const cycles = cyclesOf(sources);
  const ground = sources.map(({ path }) => path).filter((path) => !path.includes("/"));
  const lines = sources.reduce((sum, source) => sum + source.lines, 0);
  return [
    { title: "source files without generated ones", wanted: 300, today: sources.length, found: [] },
    { title: "source lines without generated ones", wanted: 36_000, today: lines, found: [] },
    { title: "files under 40 lines with one importer", wanted: 15, today: small.length, found: small },
    longFunctionsRow("functions over 60 lines in the rooms that each task passes", engine),
    longFunctionsRow("functions over 100 lines elsewhere", others),
    {
      title: "cycles of imports, type-only ones included",
      wanted: 0,
      today: cycles.length,
      found: cycles,
      isLimit: true,
    },
    { title: "files directly under src/", wanted: 16, today: ground.length, found: ground, isLimit: true },
  ];
}

function longFunctionsRow(title: string, found: string[] = []): Figure {
  return { title, wanted: 0, today: found.length, found, isLimit: true };
}

interface KnipIssue {
  name: string;
  line?: number;
}

/** What `knip --reporter json` prints: the kinds of dead things by file. */
type KnipReport = { issues: ({ file: string } & Record<string, KnipIssue[] | string>)[] };

const exportKinds = ["exports", "types", "enumMembers", "namespaceMembers"];

async function deadCode(): Promise<Figure[]> {
  const command = [process.execPath, join(projectFolder, "node_modules/knip/bin/knip-bun.js"), "--no-exit-code"];
  const knip = Bun.spawn([...command, "--no-progress", "--reporter", "json"], { cwd: projectFolder, stdout: "pipe" });
  const text = await new Response(knip.stdout).text();
  if ((await knip.exited) !== 0) throw new Error(`knip failed: ${text}`);
  const { issues }: KnipReport = JSON.parse(text);
  const found = issues.flatMap(({ file, ...kinds }) =>
    Object.entries(kinds).flatMap(([kind, list]) =>
      (Array.isArray(list) ? list : []).map(({ name, line = 1 }) => ({
        kind,
        text: `${file}:${line} ${kind} ${name}`,
      })),
    ),
  );
  const isExport = ({ kind }: { kind: string }): boolean => exportKinds.includes(kind);
  const exports = found.filter(isExport).map(({ text }) => text);
  const others = found.filter((one) => !isExport(one)).map(({ text }) => text);
  return [
    { title: "exports that nothing imports", wanted: 0, today: exports.length, found: exports, isLimit: true },
    { title: "other findings of knip", wanted: 0, today: others.length, found: others, isLimit: true },
  ];
}

function toTable(figures: readonly Figure[]): string {
  const rows = [
    ["", "today", "wanted"],
    ...figures.map(({ title, today, wanted }) => [title, today.toLocaleString("en"), toLimit(wanted)]),
  ];
  const width = Math.max(...rows.map(([title = ""]) => title.length));
  return rows
    .map(([title = "", today = "", wanted = ""]) => `${title.padEnd(width)}  ${today.padStart(7)}  ${wanted}`.trimEnd())
    .join("\n");
}

function toLimit(wanted: number | undefined): string {
  return wanted ? `at most ${wanted.toLocaleString("en")}` : String(wanted ?? "");
}

const [sources, dead] = await Promise.all([readSources(), deadCode()]);
const options = process.argv.slice(2);
const measured = options.includes("--run") ? await (await import("./task-path.ts")).taskPathFigures() : [];
const figures = [...figuresOf(sources), ...dead, ...measured];
process.stdout.write(`${toTable(figures)}\n`);

const broken = figures.filter(({ isLimit, today, wanted }) => isLimit && wanted !== undefined && today > wanted);
for (const { title, found } of options.includes("--list") ? figures : broken) {
  if (found.length > 0) process.stdout.write(`\n${title}:\n${found.map((one) => `  ${one}\n`).join("")}`);
}
if (broken.length > 0) process.exitCode = 1;
