import { describe, expect, test } from "bun:test";
import { parseTraceFilter } from "../../src/console/trace-search.ts";
import { TaskError } from "../../src/words/errors.ts";

const nowMs = Date.parse("2026-01-31T08:00:00Z");

function parse(query: string) {
  return parseTraceFilter(new URLSearchParams(query), nowMs);
}

describe("a search for traces", () => {
  test("reads every parameter", () => {
    const query =
      "service=worker&operation=process%20task-events&task_id=t&error=true&min_duration=250ms&attribute=a.b=c%3Dd&housekeeping=false&since=15m&until=2026-01-31T07:59:00Z&limit=7";
    expect(parse(query)).toEqual({
      service: "worker",
      operation: "process task-events",
      taskId: "t",
      isError: true,
      minDurationMs: 250,
      attribute: { key: "a.b", value: "c=d" },
      housekeeping: false,
      sinceMs: nowMs - 15 * 60_000,
      untilMs: nowMs - 60_000,
      limit: 7,
    });
  });

  test("takes a time for since, and 20 traces when nothing is said", () => {
    expect(parse("since=2026-01-31T09:00:00%2B02:00")).toEqual({ sinceMs: nowMs - 3_600_000, limit: 20 });
  });

  const refusals: [query: string, words: string][] = [
    ["colour=red", 'unknown query parameter "colour"'],
    ["constructor=1", 'unknown query parameter "constructor"'],
    ["limit=1&limit=2", 'the query parameter "limit" is there more than once'],
    ["limit=0", 'limit: "0": expected a whole number from 1 to 200'],
    ["limit=201", 'limit: "201": expected a whole number from 1 to 200'],
    ["error=maybe", 'error: "maybe": expected true or false'],
    ["attribute=key", 'attribute: "key": expected key=value'],
    ["service=", 'service: "": expected a text'],
    [
      "since=yesterday",
      'since: "yesterday": expected a time such as 2026-01-31T08:00:00Z, or how long ago, such as 15m',
    ],
  ];

  test.each(refusals)("refuses %s", (query, words) => {
    expect(() => parse(query)).toThrow(new TaskError("invalid_argument", words));
  });
});
