/** Reading a request's body within a limit that is ours: the runtime's own answers without our headers and words. */

import { type FieldProblem, TaskError } from "./errors.ts";
import { inspectJson, lostNumbers } from "./json-text.ts";
import { toWellFormedJson } from "./text.ts";

/** The whole body; throws `payload_too_large` as soon as it is known to be longer than `maxBytes`. */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = (): TaskError => new TaskError("payload_too_large", `the body is larger than ${maxBytes} bytes`);
  const announced = request.headers.get("content-length");
  if (announced !== null) {
    if (Number(announced) > maxBytes) throw tooLarge();
    return request.bytes();
  }
  if (!request.body) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body) {
    length += chunk.byteLength;
    if (length > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * JSON from a body, its texts well-formed; throws `invalid_argument` when it is not JSON, nests deeper than `maxDepth`, or has numbers that
 * JavaScript cannot hold, unless `takeLost` takes those.
 */
export function parseJson(
  body: Uint8Array,
  maxDepth: number,
  takeLost: (lost: Iterable<FieldProblem>) => void = refuseLost,
): unknown {
  const text = toWellFormedJson(decodeUtf8(body));
  const fault = inspectJson(text, maxDepth);
  if (fault === "too_deep") throw new TaskError("invalid_argument", `the body nests deeper than ${maxDepth} levels`);
  const value = parse(text);
  if (fault === "loses_numbers") takeLost(lostNumbers(text));
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TaskError("invalid_argument", "the body is not JSON", { cause });
  }
}

const maxProblems = 20;

/** Throws `invalid_argument` with the first of them. */
export function refuseLost(lost: Iterable<FieldProblem>): void {
  const problems: FieldProblem[] = [];
  for (const problem of lost) {
    if (problems.push(problem) === maxProblems) break;
  }
  const [first] = problems;
  if (first) throw new TaskError("invalid_argument", `${first.pointer || "the body"}: ${first.detail}`, { problems });
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decodeUtf8(body: Uint8Array): string {
  try {
    return utf8.decode(body);
  } catch (cause) {
    throw new TaskError("invalid_argument", "the body is not UTF-8", { cause });
  }
}
