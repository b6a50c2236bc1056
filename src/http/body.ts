/** Bodies, read within a limit of ours: the runtime's own limit answers without our headers and words. */

import { type FieldProblem, TaskError } from "../words/errors.ts";
import { JsonError, JsonText, readJson, toPointer } from "../words/json-text.ts";
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
  /** What becomes of halves of surrogate pairs: see `wellFormed`, which refuses them beside an idempotency key. Default: kept. */
  halves?: "kept" | "mended" | "refused";
}

/**
 * JSON from a body, its payloads as `JsonText`; throws `invalid_argument` when it is not JSON in UTF-8 or nests deeper than
 * `maxDepth`.
 */
export function parseJson(body: Uint8Array, { maxDepth, what = "the body", halves = "kept" }: JsonLimits): unknown {
  const text = decodeUtf8(body, what);
  const value = readText(text, maxDepth, what);
  // UTF-8 has none but those that are escaped.
  return halves === "kept" || !text.includes("\\u") ? value : wellFormed(value, halves === "refused");
}

function readText(text: string, maxDepth: number, what: string): unknown {
  try {
    return readJson(text, maxDepth);
  } catch (cause) {
    const isDeep = cause instanceof JsonError && cause.fault === "too_deep";
    const detail = isDeep ? `${what} nests deeper than ${maxDepth} levels` : `${what} is not JSON`;
    throw new TaskError("invalid_argument", detail, { cause });
  }
}

/**
 * `value` with U+FFFD in place of each half of a surrogate pair. Throws `invalid_argument` for halves that cannot be replaced
 * because two texts would become one: in names of members and, beside an idempotency key, in every text. `isKeyed`: there is
 * such a key outside of the value.
 */
export function wellFormed(value: unknown, isKeyed = false): unknown {
  const problems: FieldProblem[] = [];
  const mended = mend(value, { path: [], isKeyed, isFree: false }, problems);
  const [first] = problems;
  if (!first) return mended;
  const shown = problems.slice(0, maxProblems);
  throw new TaskError("invalid_argument", `${first.pointer || "the body"}: ${first.detail}`, { problems: shown });
}

interface Place {
  path: readonly PropertyKey[];
  /** Below an idempotency key requests are compared, so that a text is part of what identifies the request. */
  isKeyed: boolean;
  /** In a payload or metadata, whose names are the caller's own. */
  isFree: boolean;
}

function mend(value: unknown, place: Place, problems: FieldProblem[]): unknown {
  const { path, isKeyed, isFree } = place;
  if (typeof value === "string") {
    if (isKeyed && !value.isWellFormed()) problems.push(halfProblem(path, "the text", "beside an idempotency key"));
    return value.toWellFormed();
  }
  if (value instanceof JsonText) return mendText(value, { ...place, isFree: true }, problems);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item, at) => mend(item, { ...place, path: [...path, at] }, problems));
  const isMemberKeyed = isKeyed || (!isFree && hasKey(value));
  const members = Object.entries(value).map(([name, member]) => {
    const at = [...path, name.toWellFormed()];
    if (!name.isWellFormed()) problems.push(halfProblem(at, "the name", "in names"));
    const inner = { path: at, isKeyed: isMemberKeyed, isFree: isFree || name === "metadata" };
    return [name, mend(member, inner, problems)] as const;
  });
  return Object.fromEntries(members);
}

/** A payload is looked into only when there is a half in it, which is rare. */
function mendText(value: JsonText, place: Place, problems: FieldProblem[]): JsonText {
  const text = toWellFormedJson(value.text);
  if (text === value.text) return value;
  mend(JSON.parse(value.text), place, problems);
  return new JsonText(text);
}

/** As the API names it, and as protobuf's JSON may. */
function hasKey(value: object): boolean {
  return ["idempotency_key", "idempotencyKey"].some((name) => Boolean(Reflect.get(value, name)));
}

function halfProblem(path: readonly PropertyKey[], part: string, where: string): FieldProblem {
  return {
    pointer: toPointer(path),
    detail: `${part} has half a surrogate pair, which UTF-8 cannot carry and which is not replaced ${where}; send whole characters`,
  };
}

const maxProblems = 20;

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decodeUtf8(body: Uint8Array, what: string): string {
  try {
    return utf8.decode(body);
  } catch (cause) {
    throw new TaskError("invalid_argument", `${what} is not UTF-8`, { cause });
  }
}
