/** A payload as it is typed, checked as its type's handler would check it. Pure. */

import { toPayloadProblems, toPayloadValidator } from "../../../../api/payload-problems.ts";
import { isNull, JsonText, readable, textOf } from "../../../../words/json-text.ts";

/** What the gateway takes of a whole body (docs/operations.md). */
const maxBytes = 256 * 1024;

const maxDetailChars = 300;

/** What a list shows of a task: its result or, before there is one, its payload; empty when that is null. */
export function detailOf({ payload, result }: { payload: unknown; result: unknown }): string {
  const shown = isNull(result) ? payload : result;
  return isNull(shown) ? "" : readable(textOf(shown).slice(0, maxDetailChars));
}

export type ReadPayload =
  | { text: JsonText | undefined; bytes: number; problem?: undefined }
  | { problem: string; text?: undefined; bytes?: undefined };

/** `schema`: JSON Schema of the type; undefined: not known. An empty text is no payload. */
export function readPayload(text: string, schema?: unknown): ReadPayload {
  const read = parsePayload(text);
  if (read.problem !== undefined || schema === undefined || schema === null) return read;
  // A task without a payload has null for one.
  const [first, ...more] = problemsOf(JSON.parse(read.text?.text ?? "null"), schema);
  if (!first) return read;
  return { problem: `${first}${more.length > 0 ? `, and ${more.length} more` : ""}` };
}

/** A schema that leads nowhere refuses nothing; the task service has the last word. */
function problemsOf(value: unknown, schema: unknown): string[] {
  try {
    const validator = toPayloadValidator(JSON.stringify(schema));
    return toPayloadProblems(validator, value).map(({ pointer, detail }) => `${pointer}: ${detail}`);
  } catch {
    return [];
  }
}

function parsePayload(text: string): ReadPayload {
  if (text.trim() === "") return { text: undefined, bytes: 0 };
  try {
    JSON.parse(text);
    const bytes = new TextEncoder().encode(text).byteLength;
    if (bytes > maxBytes) return { problem: `${bytes} bytes are more than the ${maxBytes} that a task may have` };
    return { text: new JsonText(text), bytes };
  } catch (error) {
    return { problem: `No JSON: ${error instanceof Error ? whereOf(error.message, text) : String(error)}` };
  }
}

/** The engine's words, with a line in place of a position. */
function whereOf(message: string, text: string): string {
  const at = /at position (\d+)/.exec(message)?.[1];
  if (at === undefined) return message;
  const before = text.slice(0, Number(at)).split("\n");
  const place = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
  return `${message.replace(/,? (in JSON )?at position .*$/s, "")}, ${place}`;
}
