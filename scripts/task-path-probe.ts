/**
 * What the copy of the sources that task-path.ts runs reports, one line of JSON each, from whatever thread: the files
 * whose functions run, and the calls that parse or write a marked payload.
 */

import { appendFileSync } from "node:fs";
import { threadId } from "node:worker_threads";

export interface Report {
  /** Of the clock that all threads and processes share, with fractions. */
  atMs: number;
  thread: number;
  kind: "file" | "payload" | "handler";
  /** The file; or the call and where it is. */
  what?: string;
  mark?: string;
}

const { TASK_PATH_REPORTS: reportFile = "" } = process.env;
const { parse, stringify } = JSON;
const markPattern = /(?:path|payload|warm-up)-mark(?:-\d+)?/;

export function report(one: Omit<Report, "atMs" | "thread">): void {
  const line: Report = { atMs: performance.timeOrigin + performance.now(), thread: threadId, ...one };
  appendFileSync(reportFile, `${stringify(line)}\n`);
}

/** One report for a file in a millisecond is enough: the posts are far apart. */
const reportedAtMs = new Map<string, number>();

export function entered(path: string): void {
  const atMs = performance.now();
  if (atMs - (reportedAtMs.get(path) ?? -1) < 1) return;
  reportedAtMs.set(path, atMs);
  report({ kind: "file", what: path });
}

let depth = 0;

/** `call`, which reports when its input or its output, made text by `toText`, has a mark. */
export function counted<Input extends unknown[], Output>(
  name: string,
  call: (...input: Input) => Output,
  toText: (input: Input, output: Output) => string,
): (...input: Input) => Output {
  return (...input) => {
    depth++;
    let output: Output;
    try {
      output = call(...input);
    } finally {
      depth--;
    }
    if (depth === 0) reportPayload(name, toText(input, output));
    return output;
  };
}

function reportPayload(name: string, text: string): void {
  const mark = markPattern.exec(text)?.[0];
  if (mark === undefined) return;
  const frames = (new Error().stack ?? "").split("\n").slice(1);
  const frame = frames.find((one) => !one.includes("/task-path-")) ?? "";
  const place = /\/(src\/|node_modules\/)(?!.*\/node_modules\/)([^)]*)/.exec(frame);
  report({ kind: "payload", mark, what: `${name} at ${place ? `${place[1]}${place[2]}` : frame.trim()}` });
}

const textOf = (value: unknown): string => stringify(value) ?? "";

JSON.parse = counted("JSON.parse", parse, ([text]) => String(text));
// The overloads of the standard library's type cannot be written down again.
JSON.stringify = counted("JSON.stringify", stringify as (...input: unknown[]) => string, (_, output) =>
  String(output),
) as typeof JSON.stringify;

const { json: toResponse } = Response;
// As above.
Response.json = counted("Response.json", toResponse.bind(Response), ([body]) => textOf(body)) as typeof Response.json;

for (const { prototype } of [Request, Response]) {
  const { json } = prototype;
  prototype.json = async function (this: Request | Response) {
    const value: unknown = await json.call(this);
    reportPayload("json()", textOf(value));
    return value;
  };
}
