import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseQueryTime, parseTime } from "../../src/words/time-text.ts";

const at = "2026-01-31T08:00:00.000Z";

test.each([
  ...["2026-01-31T08:00:00Z", "2026-01-31t08:00:00z", "2026-01-31 08:00:00Z", "2026-01-31T08:00Z"],
  ...["2026-01-31T10:00:00+02:00", "2026-01-31T10:00:00+0200", "2026-01-31T10:00:00+02", "2026-01-31T04:30:00-03:30"],
  ...["2026-01-31T08:00:00.000999Z", "2026-01-31T08:00:00,0Z", "2026-01-31T08:00:00-00:00", "2026-02-01T00:00+16:00"],
  "2026-01-31T07:59:60Z",
])("%s is understood", (text) => {
  expect(new Date(parseTime(text)).toISOString()).toBe(at);
});

test.each([
  ...["", "now", "2026-01-31", "2026-01-31T08:00:00", "2026-01-31T24:00:00Z", "2026-01-31T08:60:00Z", "1769846400000"],
  ...["2026-01-31T08:00:00+2:00", "2026-01-31T08:00:00+24:00", "2026-01-31T08:00:60Z", "2026-01-31T08:00:00.Z"],
  ...["Sat, 31 Jan 2026 08:00:00 GMT", "2026-01-31T08:00:00 02:00", "+2026-01-31T08:00:00Z"],
])("%p is refused with what is allowed", (text) => {
  expect(() => parseTime(text)).toThrow("expected a time with a zone, such as 2026-01-31T08:00:00Z");
});

test.each(["2026-02-30T00:00:00Z", "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-10T00:00:00Z"])(
  "%s is no day",
  (text) => {
    expect(() => parseTime(text)).toThrow(`there is no day ${text.slice(0, 10)}`);
  },
);

test.each(["0000-12-31T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])(
  "%s is out of range",
  (text) => {
    expect(() => parseTime(text)).toThrow("from the year 1 to the year 9999");
  },
);

describe("in a query", () => {
  test.each([
    ...[
      "2026-01-31T10:00:00 02:00",
      "2026-01-31T10:00:00.5 02:00",
      "2026-01-31 10:00:00 02:00",
      "2026-01-31T10:00 0200",
    ],
    ...["2026-01-31T10:00:00 02", "2026-01-31T10:00:00+02:00"],
  ])("%s has a plus sign that was not escaped", (text) => {
    expect(new Date(parseQueryTime(text)).toISOString().slice(0, 19)).toBe(at.slice(0, 19));
  });

  test.each(["2026-01-31 08:00", "2026-01-31 08:00:00", "2026-01-31"])("%s has no zone", (text) => {
    expect(() => parseQueryTime(text)).toThrow("expected a time with a zone");
  });
});

test("every time that JavaScript writes is the same time, by any offset", () => {
  const dates = fc.date({ min: new Date("0002-01-01"), max: new Date("9998-12-31"), noInvalidDate: true });
  fc.assert(
    fc.property(dates, fc.integer({ min: -1439, max: 1439 }), (date, offset) => {
      const local = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, -1);
      const minutes = Math.abs(offset);
      const zone = [Math.trunc(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, "0")).join(":");
      expect(parseTime(`${local}${offset < 0 ? "-" : "+"}${zone}`)).toBe(date.getTime());
    }),
  );
});
