/**
 * `ctx.retryAfter`, and the header `Retry-After` (RFC 9110, 10.2.3) of which most such delays come: a number of seconds, or
 * a date in one of the three forms that HTTP has had. Promises that the next attempt is never at once, whatever the delay is,
 * and never later than a bound.
 */

import { durationMs, showDuration } from "../../settings/parsers.ts";
import { toFailure } from "../../words/errors.ts";
import { isError, toText } from "../../words/text.ts";
import type { HandlerLog } from "./handler.ts";

/** A longer delay is cut to this: a provider that names a far date does not park a task for years. */
export const longestRetryAfterMs = 7 * 86_400_000;

/** What a handler throws. Without `delayMs` the back-off decides. */
export class RetryAfterError extends Error {
  override readonly name = "RetryAfterError";
  readonly delayMs: number | undefined;
  constructor(message: string, delayMs: number | undefined, options?: ErrorOptions) {
    super(message, options);
    this.delayMs = delayMs;
  }
}

/** Handlers come without types too: the delay and the message may be anything. An error as the message is the cause. */
export function toRetryAfter(
  delay: unknown,
  message: unknown = "asked to be tried again later",
  { options, log, nowMs }: { options: ErrorOptions | undefined; log: HandlerLog; nowMs: number },
): RetryAfterError {
  const askedMs = retryAfterMs(delay, nowMs);
  if (askedMs === undefined && delay !== undefined && delay !== null) {
    log.warn("the delay of ctx.retryAfter cannot be used, the back-off decides when the next attempt is", {
      delay: show(delay),
      expected:
        'a duration such as "30s", a number of milliseconds, a Date to come, or the text of a Retry-After header',
    });
  }
  if (askedMs !== undefined && askedMs > longestRetryAfterMs) {
    log.warn("the delay until the next attempt is longer than allowed and is cut to the longest", {
      delay: show(delay),
      longest: showDuration(longestRetryAfterMs),
    });
  }
  // No delay at all would use up the attempts within a moment: the back-off decides.
  const delayMs = askedMs ? Math.min(askedMs, longestRetryAfterMs) : undefined;
  const text = toFailure(message).message;
  return new RetryAfterError(text, delayMs, isError(message) ? { cause: message, ...options } : options);
}

const maxShownChars = 200;

function show(delay: unknown): string {
  const dateMs = timeOf(delay);
  return dateMs === undefined || Number.isNaN(dateMs) ? toText(delay, maxShownChars) : new Date(dateMs).toISOString();
}

/**
 * Milliseconds from `nowMs` on, a whole number, 0 for less than one. A number has milliseconds; text has seconds without a
 * unit, as the header, or is a duration or a date. undefined: none of these, or a time that is over.
 */
export function retryAfterMs(delay: unknown, nowMs: number): number | undefined {
  if (typeof delay === "number") return Number.isFinite(delay) ? toDelayMs(delay) : undefined;
  if (typeof delay === "bigint") return toDelayMs(Number(delay));
  if (typeof delay !== "string") return untilMs(timeOf(delay), nowMs);
  const text = delay.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return toDelayMs(Number(text) * 1000);
  const dateMs = parseDateMs(text, nowMs);
  return dateMs === undefined ? toDelayMs(durationMs(text)) : untilMs(dateMs, nowMs);
}

/** Of a Date of any realm; undefined for what is none, which includes whatever only looks like one. */
function timeOf(value: unknown): number | undefined {
  try {
    return Date.prototype.getTime.call(value);
  } catch {
    return undefined;
  }
}

function toDelayMs(ms: number | undefined): number | undefined {
  if (ms === undefined || ms < 0) return undefined;
  return ms < 1 ? 0 : Math.ceil(Math.min(ms, Number.MAX_SAFE_INTEGER));
}

function untilMs(dateMs: number | undefined, nowMs: number): number | undefined {
  return dateMs !== undefined && dateMs > nowMs ? toDelayMs(dateMs - nowMs) : undefined;
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** RFC 9110, 5.6.7: IMF-fixdate, that of RFC 850, and that of C's asctime, which is in UTC too. */
const httpDates = [
  /^[a-z]+, (?<day>\d{1,2}) (?<month>[a-z]{3}) (?<year>\d{4}) (?<time>\d\d:\d\d:\d\d) (?:GMT|UTC|[+-]0000)$/i,
  /^[a-z]+, (?<day>\d{1,2})-(?<month>[a-z]{3})-(?<year>\d{2}|\d{4}) (?<time>\d\d:\d\d:\d\d) (?:GMT|UTC)$/i,
  /^[a-z]+ (?<month>[a-z]{3}) +(?<day>\d{1,2}) (?<time>\d\d:\d\d:\d\d) (?<year>\d{4})$/i,
];

/** RFC 3339, which no header should hold, and some do. Without a zone it could be any time. */
const internetDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i;

function parseDateMs(text: string, nowMs: number): number | undefined {
  const { day = "", month = "", year = "", time = "" } = matchDate(text) ?? {};
  const monthNumber = months.indexOf(month.toLowerCase()) + 1;
  const plain = `${fullYear(year, nowMs)}-${pad(monthNumber)}-${day.padStart(2, "0")}T${time}Z`;
  const ms = Date.parse(monthNumber > 0 ? plain : internetDate.test(text) ? text.toUpperCase() : "");
  return Number.isNaN(ms) ? undefined : ms;
}

function matchDate(text: string): Record<string, string> | undefined {
  for (const form of httpDates) {
    const groups = form.exec(text)?.groups;
    if (groups) return groups;
  }
  return undefined;
}

/** RFC 9110, 5.6.7: a year of two digits that seems more than 50 years ahead is the latest past one with these digits. */
function fullYear(year: string, nowMs: number): string {
  if (year.length !== 2) return year;
  const now = new Date(nowMs).getUTCFullYear();
  const inThisCentury = now - (now % 100) + Number(year);
  return String(inThisCentury > now + 50 ? inThisCentury - 100 : inThisCentury);
}

function pad(number: number): string {
  return String(number).padStart(2, "0");
}
