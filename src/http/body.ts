/** Bodies, read within a limit of ours: the runtime's own limit answers without our headers and words. */

import { type FieldProblem, TaskError } from "../words/errors.ts";
import { inspectJson, lostNumbers, toPointer } from "../words/json-text.ts";
import { toWellFormedJson } from "../words/text.ts";

/** The whole body; throws `payload_too_large` as soon as it is known to be longer than `maxBytes`. */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = (): TaskError => new TaskError("payload_too_large", `the body is larger than ${maxBytes} bytes`);
  const announced = request.headers.get("content-length");
  if (announced !== null) {
    if (Number(announced) > maxBytes) throw tooLarge();
    return request.bytes();
  }
  return readWithin(request.body, maxBytes, tooLarge);
}

/** The bytes of a body that comes in parts; throws what `tooLarge` makes as soon as there are more than `maxBytes`. */
export async function readWithin(
  body: AsyncIterable<Uint8Array> | null,
  maxBytes: number,
  tooLarge: () => Error,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop by a throw cancels the rest of the body.
  for await (const chunk of body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

interface JsonLimits {
  maxDepth: number;
  /** In errors; "the body" by default. */
  what?: string;
  /** The request has an idempotency key outside of its body. */
  isKeyed?: boolean;
  /** Takes what JavaScript or UTF-8 cannot hold; by default it is refused. */
  takeLost?: (lost: Iterable<FieldProblem>) => void;
}

/**
 * JSON from a body, its texts well-formed; throws `invalid_argument` when it is not JSON, nests deeper than `maxDepth`,
 * or has numbers or halves of surrogate pairs that would be lost.
 */
export function parseJson(
  body: Uint8Array,
  { maxDepth, what = "the body", isKeyed = false, takeLost = refuseLost }: JsonLimits,
): unknown {
  const sent = decodeUtf8(body, what);
  const text = toWellFormedJson(sent);
  const fault = inspectJson(text, maxDepth);
  if (fault === "too_deep") throw new TaskError("invalid_argument", `${what} nests deeper than ${maxDepth} levels`);
  const value = parse(text, what);
  if (fault === "loses_numbers" || text !== sent) takeLost(lostParts(text, sent, isKeyed));
  return value;
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TaskError("invalid_argument", `${what} is not JSON`, { cause });
  }
}

function* lostParts(text: string, sent: string, isKeyed: boolean): Generator<FieldProblem> {
  yield* lostNumbers(text);
  if (text !== sent) yield* lostHalves(JSON.parse(sent), isKeyed);
}

interface Place {
  value: unknown;
  pointer: string;
  /** Below an idempotency key, requests are compared, so that a text is part of what identifies the request. */
  isKeyed: boolean;
  /** In a payload or metadata, whose names are the caller's own. */
  isFree: boolean;
}

/**
 * Halves of surrogate pairs that U+FFFD cannot replace, because two texts would become one: in names of members, and,
 * where there is an idempotency key, in every text.
 */
function* lostHalves(root: unknown, isRootKeyed: boolean): Generator<FieldProblem> {
  const left: Place[] = [{ value: root, pointer: "", isKeyed: isRootKeyed, isFree: false }];
  for (let place = left.pop(); place; place = left.pop()) {
    const { value, pointer } = place;
    if (typeof value === "string" && place.isKeyed && !value.isWellFormed()) {
      yield halfProblem(pointer, "the text", "beside an idempotency key");
    }
    if (typeof value !== "object" || value === null) continue;
    const isKeyed = place.isKeyed || (!place.isFree && hasKey(value));
    // The last that is put there is the next.
    for (const [name, member] of Object.entries(value).reverse()) {
      const at = pointer + toPointer([name.toWellFormed()]);
      if (!name.isWellFormed()) yield halfProblem(at, "the name", "in names");
      const isFree = place.isFree || name === "payload" || name === "metadata";
      left.push({ value: member, pointer: at, isKeyed, isFree });
    }
  }
}

/** As the HTTP API names it, and as protobuf's JSON does. */
function hasKey(value: object): boolean {
  return ["idempotency_key", "idempotencyKey"].some((name) => Boolean(Reflect.get(value, name)));
}

function halfProblem(pointer: string, part: string, where: string): FieldProblem {
  return {
    pointer,
    detail: `${part} has half a surrogate pair, which UTF-8 cannot carry and which is not replaced ${where}; send whole characters`,
  };
}

const maxProblems = 20;

/** Throws `invalid_argument` with the first of them. */
function refuseLost(lost: Iterable<FieldProblem>): void {
  const problems: FieldProblem[] = [];
  for (const problem of lost) {
    if (problems.push(problem) === maxProblems) break;
  }
  const [first] = problems;
  if (first) throw new TaskError("invalid_argument", `${first.pointer || "the body"}: ${first.detail}`, { problems });
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decodeUtf8(body: Uint8Array, what: string): string {
  try {
    return utf8.decode(body);
  } catch (cause) {
    throw new TaskError("invalid_argument", `${what} is not UTF-8`, { cause });
  }
}
