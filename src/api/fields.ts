/** Fields that several forms of the API share, and the check of a value against a form. */

import { z } from "zod";
import { parseDuration } from "../settings/parsers.ts";
import { type FieldProblem, TaskError } from "../words/errors.ts";
import { toPointer } from "../words/json-text.ts";
import { canonicalId } from "../words/task-id.ts";
import { parseQueryTime, parseTime } from "../words/time-text.ts";

/** Up to about 27 years, and no finer than a millisecond: so that each text that fits is a time to come. */
const durationText =
  /^(?:\d{1,12}ms|\d{1,9}(?:\.\d{1,3})?s|\d{1,7}(?:\.\d{1,3})?m|\d{1,5}(?:\.\d{1,3})?h|\d{1,4}(?:\.\d{1,3})?d)$/;

/** Text such as `30s`; `parseDuration` gives its milliseconds. */
export const duration = z.string().regex(durationText, {
  error: "expected a duration such as 250ms, 30s, 10m or 2h, up to 9999d",
  abort: true,
});
export const durationAboveZero = duration.regex(/[1-9]/, "expected a duration above 0");

/** Text that `parse` takes; what it throws is the reason for a refusal. */
export function textThat(parse: (text: string) => unknown) {
  return z.string().superRefine((text, context) => {
    try {
      parse(text);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      // Checks of the whole form may rely on it.
      context.addIssue({ code: "custom", message, continue: false });
    }
  });
}

const asTime = { format: "date-time", examples: ["2026-01-01T08:00:00Z"] };

/** A time in a request; `parseTime` gives its milliseconds. */
export const timeText = textThat(parseTime).meta(asTime);

/** A time in a query, as RFC 3339 in UTC. */
export const queryTime = textThat(parseQueryTime)
  .transform((text) => toTime(parseQueryTime(text)))
  .meta({ format: "date-time", override: { examples: asTime.examples } });

/** A time in an answer: UTC with milliseconds. */
export const time = z.string().meta({ format: "date-time", examples: ["2026-01-01T08:00:00.000Z"] });
export const timeOrNull = time.nullable();

/** Milliseconds since the epoch as RFC 3339 in UTC with milliseconds. */
export function toTime(ms: number): string;
export function toTime(ms: number | null): string | null;
export function toTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

export const count = z.int().min(0);

/** In any spelling of a UUID. */
export const givenId = z.string().transform(canonicalId);

const defaultLimit = 20;
const maxLimit = 100;

/** Of a page, in a query. */
export const queryLimit = z.coerce
  .number()
  .int()
  .min(1)
  .max(maxLimit)
  .optional()
  .meta({ description: "Most items in the answer; 20 unless it is said." });

/** Of a page, in a call to the task service. */
export const pageLimit = z.int().min(1).max(maxLimit).default(defaultLimit);

export const cursor = z.string().max(255).optional().meta({ description: "The `next_cursor` of an earlier answer." });

/** Throws `invalid_argument` with a pointer for everything that does not fit. */
export function checkForm<Form extends z.ZodType>(form: Form, value: unknown): z.output<Form> {
  const parsed = form.safeParse(value);
  if (parsed.success) return parsed.data;
  throw toRefusal(parsed.error);
}

/** `invalid_argument` with a pointer for each issue. */
export function toRefusal(error: z.ZodError): TaskError {
  const problems = error.issues.flatMap(toProblems);
  const first = problems[0];
  const detail = first ? `${first.pointer || "the body"}: ${first.detail}` : "the body does not fit";
  return new TaskError("invalid_argument", detail, { problems });
}

function toProblems(issue: z.core.$ZodIssue): FieldProblem[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((name) => ({ pointer: toPointer([...issue.path, name]), detail: "unknown field" }));
  }
  return [{ pointer: toPointer(issue.path), detail: issue.message }];
}

/** Milliseconds of an optional duration. */
export function msOf(duration: string | undefined): number | undefined {
  return duration === undefined ? undefined : parseDuration(duration);
}
