/** Reading what callers of the HTTP API send: a body or a query against its schema, with words for what does not fit. */

import { z } from "zod";
import { parseDuration } from "../settings/parsers.ts";
import { cutText } from "../telemetry/spans/attributes.ts";
import { type FieldProblem, TaskError } from "../words/errors.ts";
import { toPointer } from "../words/json-text.ts";
import { parseTime } from "../words/time-text.ts";

/** Up to about 27 years, and no finer than a millisecond: so that each text that fits is a time to come. */
const durationText =
  /^(?:\d{1,12}ms|\d{1,9}(?:\.\d{1,3})?s|\d{1,7}(?:\.\d{1,3})?m|\d{1,5}(?:\.\d{1,3})?h|\d{1,4}(?:\.\d{1,3})?d)$/;

const durationWords = z.string().regex(durationText, {
  error: "expected a duration such as 250ms, 30s, 10m or 2h, up to 9999d",
  abort: true,
});

/** `30s`, as milliseconds. */
export const duration = durationWords.transform(parseDuration);
export const durationAboveZero = durationWords.regex(/[1-9]/, "expected a duration above 0").transform(parseDuration);

/** A time that `parse` takes, as milliseconds since the epoch. */
export function timeThat(parse: (text: string) => number) {
  return z
    .string()
    .transform((text, context) => {
      try {
        return parse(text);
      } catch (error) {
        context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
        return z.NEVER;
      }
    })
    .meta({ format: "date-time", override: { examples: ["2026-01-01T08:00:00Z"] } });
}

export const time = timeThat(parseTime);

/** Milliseconds since the epoch as protobuf JSON writes a Timestamp. */
export function toTimestamp(ms: number): string {
  return new Date(ms).toISOString();
}

/** Milliseconds as protobuf JSON writes a Duration: `1.5s`. */
export function toSeconds(ms: number): string {
  return `${ms / 1000}s`;
}

/** Throws `invalid_argument` with a pointer for everything that does not fit. */
export function parseBody<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap(toProblems);
  const first = problems[0];
  const detail = first ? `${first.pointer || "the body"}: ${first.detail}` : "the body does not fit";
  throw new TaskError("invalid_argument", detail, { problems });
}

function toProblems(issue: z.core.$ZodIssue): FieldProblem[] {
  const pointer = toPointer(issue.path);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((name) => ({ pointer: `${pointer}${toPointer([name])}`, detail: "unknown field" }));
  }
  return [{ pointer, detail: issue.message }];
}

/** The query of `url`; throws `invalid_argument` that names the first parameter which is unknown, wrong, or there twice. */
export function parseQuery<Schema extends z.ZodType>(schema: Schema, url: string): z.output<Schema> {
  const query = url.includes("?") ? queryOf(url) : {};
  const parsed = schema.safeParse(query);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new TaskError("invalid_argument", issue ? tell(issue, query) : "the query does not fit");
}

function queryOf(url: string): Record<string, string> {
  const query = new Map<string, string>();
  for (const [name, value] of new URL(url).searchParams) {
    if (query.has(name)) {
      throw new TaskError("invalid_argument", `the query parameter "${cutText(name)}" is there more than once`);
    }
    query.set(name, value);
  }
  return Object.fromEntries(query);
}

function tell(issue: z.core.$ZodIssue, query: Record<string, string>): string {
  if (issue.code === "unrecognized_keys") return `unknown query parameter "${cutText(issue.keys[0] ?? "")}"`;
  const name = issue.path.join(".");
  const value = query[name];
  return `${name || "the query"}: ${value === undefined ? "" : `"${cutText(value)}": `}${issue.message}`;
}
