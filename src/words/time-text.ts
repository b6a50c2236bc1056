/**
 * Times as callers write them: RFC 3339, with a date and a zone. Its section 5.6 allows small letters and a space before
 * the time; ISO 8601 allows a zone without its colon or minutes, and a time without seconds.
 */

const timeText =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)$/;

const expected = "expected a time with a zone, such as 2026-01-31T08:00:00Z or 2026-01-31T10:00:00+02:00";
/** Protobuf's Timestamp holds these years. */
const earliestMs = Date.parse("0001-01-01T00:00:00Z");
const latestMs = Date.parse("9999-12-31T23:59:59.999Z");

/** Milliseconds since the epoch; a leap second, `23:59:60Z`, is the second after it. Throws an `Error` that says what is allowed. */
export function parseTime(text: string): number {
  const match = timeText.exec(text);
  if (!match) throw new Error(expected);
  const [, year, month, day, hour, minute, second = "0", fraction = "", sign, offsetHours = "0", offsetMinutes = "0"] =
    match;
  const midnight = new Date(0);
  midnight.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  const isDate = midnight.getUTCMonth() === Number(month) - 1 && midnight.getUTCDate() === Number(day);
  if (!isDate) throw new Error(`there is no day ${year}-${month}-${day}`);
  const isLeap = Number(second) === 60 && Number(minute) === 59;
  const isClock = Number(hour) < 24 && Number(minute) < 60 && (Number(second) < 60 || isLeap);
  if (!isClock || Number(offsetHours) > 23 || Number(offsetMinutes) > 59) throw new Error(expected);
  const minutes = Number(hour) * 60 + Number(minute);
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * (sign === "-" ? -1 : 1);
  const withinMinute = Number(second) * 1000 + Number(fraction.slice(0, 3).padEnd(3, "0"));
  const ms = midnight.getTime() + (minutes - offset) * 60_000 + (isLeap ? 60_000 : withinMinute);
  if (ms < earliestMs || ms > latestMs) throw new Error("expected a time from the year 1 to the year 9999");
  return ms;
}

/** As `parseTime`. In a query, an unescaped `+` arrives as a space. */
export function parseQueryTime(text: string): number {
  return parseTime(text.replace(/(\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) (\d\d(?::?\d\d)?)$/, "$1+$2"));
}
