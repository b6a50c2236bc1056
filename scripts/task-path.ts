/**
 * Follows one task through a running system: which files of src/ a `POST /v1/tasks` enters until its 202, and how often
 * its payload is parsed or written until its handler runs. For source-figures.ts.
 *
 * How it counts: a copy of src/ runs from source with SQLite, Connect and the embedded broker. In the copy each function
 * first reports its file (task-path-probe.ts), and the calls that parse or write JSON and protobuf report that they had
 * the payload in hand, which carries a mark.
 *
 * - A file is entered when one of its functions runs. What timers do meanwhile is left out by repetition: only files that
 *   each of several posts enters count. The worker's only place is taken, so that what happens to the task later does not
 *   count. A file of types and constants only is never entered. Counted apart: src/telemetry/, and all that the main
 *   thread (which writes log lines) and the embedded broker do.
 * - JSON.parse, JSON.stringify, the `json()` of a Request or Response, `Response.json`, and the functions of
 *   protobuf that read or write bytes or JSON, and the scan of JSON text (`readJson`), count once for each call whose input or output has the mark; a call inside
 *   another counts with that one. All threads count but the embedded broker's, which stands for SQS. Texts that are
 *   passed on, copied or sent to a thread as they are do not count.
 */

import { cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { type Node, parseSync, Visitor } from "oxc-parser";
import { startChild } from "../bench/child.ts";
import { taskRoles } from "../src/config.ts";
import { tempFolder } from "../tests/support/temp-folder.ts";
import type { Figure } from "./source-figures.ts";
import type { Report } from "./task-path-probe.ts";

const projectFolder = join(import.meta.dir, "..");
const repetitions = 8;
const pauseMs = 300;
const handlerTimeoutMs = 20_000;
/** The id of a process's first thread. */
const mainThread = 0;

export async function taskPathFigures(): Promise<Figure[]> {
  await using folder = await tempFolder();
  await copyWithProbe(folder.path);
  const { own, all } = await filesUntilAccepted(folder.path);
  const touched = await payloadCalls(folder.path);
  return [
    { title: "files that a POST /v1/tasks enters until its 202", wanted: 28, today: own.length, found: own },
    { title: "  with telemetry, log lines and the broker", today: all.length, found: all },
    { title: "times the payload is parsed or written", wanted: 4, today: touched.length, found: touched },
  ];
}

/** The sources as they are, but for the reports; packages are those of the project. */
async function copyWithProbe(folder: string): Promise<void> {
  await cp(join(projectFolder, "src"), join(folder, "src"), { recursive: true });
  for (const name of ["package.json", "tsconfig.json"]) await cp(join(projectFolder, name), join(folder, name));
  await symlink(join(projectFolder, "node_modules"), join(folder, "node_modules"));
  for (const name of ["task-path-probe.ts", "task-path-protobuf.ts"]) {
    await cp(join(import.meta.dir, name), join(folder, name));
  }
  const paths = [...new Bun.Glob("src/**/*.ts").scanSync(folder)].filter(
    (path) => !path.startsWith("src/gen/") && !path.startsWith("src/console/page/"),
  );
  for (const path of paths) {
    const text = await readFile(join(folder, path), "utf8");
    await writeFile(join(folder, path), withReports(path, text));
  }
  await mkdir(join(folder, "handlers"));
  for (const [type, wait] of Object.entries({ marked: "", hold: "await Bun.sleep(60_000);" })) {
    const run = `async () => { report({ kind: "handler" }); ${wait} }`;
    const text = `import { report } from "../task-path-probe.ts"; export default { run: ${run} };`;
    await writeFile(join(folder, `handlers/${type}.ts`), text);
  }
}

function withReports(path: string, text: string): string {
  const inserted: [offset: number, text: string][] = [];
  const report = `$entered(${JSON.stringify(path)})`;
  const enter = ({ body }: { body: Node | null }): void => {
    if (body === null) return;
    if (body.type === "BlockStatement") inserted.push([body.start + 1, `${report};`]);
    else inserted.push([body.start, `(${report},(`], [body.end, "))"]);
  };
  new Visitor({ FunctionDeclaration: enter, FunctionExpression: enter, ArrowFunctionExpression: enter }).visit(
    parseSync(path, text).program,
  );
  // From the end to the start, so that offsets hold; of two at one offset the outer one's comes first in the text.
  const ordered = inserted
    .map((one, index) => ({ one, index }))
    .sort((a, b) => b.one[0] - a.one[0] || b.index - a.index);
  let result = text;
  for (const { one } of ordered) result = result.slice(0, one[0]) + one[1] + result.slice(one[0]);
  const root = relative(dirname(path), "");
  const counted = result
    .replaceAll('from "@bufbuild/protobuf"', `from "${join(root, "task-path-protobuf.ts")}"`)
    .replace(
      "export function readJson(",
      "export const readJson = $counted('readJson', scanned, String);\nfunction scanned(",
    );
  return `import { counted as $counted, entered as $entered } from "${join(root, "task-path-probe.ts")}"; ${counted}`;
}

async function filesUntilAccepted(folder: string): Promise<{ own: string[]; all: string[] }> {
  await using system = await startCopy(folder, ["--threads=1", "--thread-concurrency=1"]);
  await run(system, "hold", "warm-up-mark");
  const posts: Submitted[] = [];
  for (let count = 0; count < repetitions; count++) {
    await Bun.sleep(pauseMs);
    posts.push(await submit(system.url, "marked", `path-mark-${count}`));
  }
  const reports = await system.reports();
  const isBroker = ({ what }: Report): boolean => what === "src/broker/embedded.ts";
  const brokers = new Set(reports.filter(isBroker).map(({ thread }) => thread));
  const isOwn = ({ thread, what }: Report): boolean =>
    thread !== mainThread && !brokers.has(thread) && what?.startsWith("src/telemetry/") === false;
  return { own: filesOfEach(posts, reports.filter(isOwn)), all: filesOfEach(posts, reports) };
}

function filesOfEach(posts: readonly Submitted[], reports: readonly Report[]): string[] {
  const files = posts.map(({ fromMs, toMs }) => {
    const during = reports.filter(({ kind, atMs }) => kind === "file" && fromMs <= atMs && atMs <= toMs);
    return new Set(during.map(({ what = "" }) => what));
  });
  return [...files.reduce((common, more) => common.intersection(more))].sort();
}

async function payloadCalls(folder: string): Promise<string[]> {
  await using system = await startCopy(folder, []);
  // The first task loads what the path needs; the second is counted.
  await run(system, "marked", "warm-up-mark");
  const { toMs } = await run(system, "marked", "payload-mark");
  const reports = await system.reports();
  const handlers = reports.filter(({ kind }) => kind === "handler");
  const endMs = Math.max(toMs, handlers.at(-1)?.atMs ?? 0);
  return reports
    .filter(({ kind, mark, atMs }) => kind === "payload" && mark === "payload-mark" && atMs <= endMs)
    .map(({ what = "" }) => what);
}

/** Submits a task and waits until its handler has begun. */
async function run(system: Copy, type: string, mark: string): Promise<Submitted> {
  const count = async (): Promise<number> => (await system.reports()).filter(({ kind }) => kind === "handler").length;
  const before = await count();
  const submitted = await submit(system.url, type, mark);
  const deadline = performance.now() + handlerTimeoutMs;
  while ((await count()) === before) {
    if (performance.now() > deadline) throw new Error("the handler of the marked task did not run");
    await Bun.sleep(50);
  }
  return submitted;
}

interface Submitted {
  fromMs: number;
  toMs: number;
}

const nowMs = (): number => performance.timeOrigin + performance.now();

async function submit(url: string, type: string, mark: string): Promise<Submitted> {
  // As long as payloads are that cost something.
  const body = JSON.stringify({ type, payload: { mark, filler: "x".repeat(1000) } });
  const fromMs = nowMs();
  const answer = await fetch(`${url}/v1/tasks`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  const toMs = nowMs();
  if (answer.status !== 202) throw new Error(`the task is not accepted: ${answer.status} ${await answer.text()}`);
  await answer.text();
  return { fromMs, toMs };
}

interface Copy extends AsyncDisposable {
  url: string;
  reports(): Promise<Report[]>;
}

async function startCopy(folder: string, more: readonly string[]): Promise<Copy> {
  const data = await tempFolder();
  const reportFile = join(data.path, "reports");
  const listen = ["gateway", "task-service", "grpc", "admin"].map((name) => `--${name}-listen=127.0.0.1:0`);
  const settings = [
    `--role=${taskRoles.join(",")}`,
    `--data-dir=${data.path}`,
    `--handlers=${join(folder, "handlers")}`,
    ...listen,
    ...more,
  ];
  const child = await startChild([process.execPath, join(folder, "src/main.ts"), "serve", ...settings], {
    OTEL_SDK_DISABLED: "false",
    TASK_PATH_REPORTS: reportFile,
  });
  return {
    url: `http://127.0.0.1:${child.port}`,
    reports: async () =>
      (await readFile(reportFile, "utf8"))
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line)),
    [Symbol.asyncDispose]: async () => {
      await child[Symbol.asyncDispose]();
      await data[Symbol.asyncDispose]();
    },
  };
}
