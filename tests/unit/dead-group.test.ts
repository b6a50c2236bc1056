/** Errors that are one trouble have one fingerprint, others have others. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { deadGroupOf, toPattern } from "../../src/store/dead-group.ts";

describe("a message's pattern", () => {
  test.each([
    ["order 17 is gone", "order <n> is gone"],
    ["order #8812: 3 of 5 items", "order #<n>: <n> of <n> items"],
    ["took 1,250.5 ms, limit 30s", "took <n> ms, limit <n>s"],
    ["user 0192d3c4-7a10-7cc3-98c4-dc0c0c07398f is unknown", "user <id> is unknown"],
    ["connect ECONNREFUSED 10.0.0.17:5432", "connect ECONNREFUSED <ip>"],
    ["GET https://api.example.com/v1/users/17?x=1 answered 503", "GET <url> answered <n>"],
    ["no mailbox for jane.doe+x@example.co.uk", "no mailbox for <email>"],
    ['no template "invoice-7"', "no template <text>"],
    ['expected "a \\" b", got `c`', "expected <text>, got <text>"],
    ["can't read 'x.json' of the user's folder", "can't read <text> of the user's folder"],
    ["at 2026-11-21T10:00:00.123Z the lease ended", "at <time> the lease ended"],
    ["commit 9f1c529ab3 at 0x7ffe01", "commit <hex> at <hex>"],
    ["charge ch_3PZkQ2eZvKYlo2C failed", "charge ch_<id> failed"],
    ["E11000 duplicate key in utf8", "E11000 duplicate key in utf8"],
    ["SQLITE_BUSY: database is locked", "SQLITE_BUSY: database is locked"],
    ["  several\n  lines\t", "several lines"],
    ["", ""],
  ])("of %p is %p", (message, pattern) => {
    expect(toPattern(message)).toBe(pattern);
  });

  test("is bounded, and read in little time, whatever the message is", () => {
    for (const unit of ["1a", '"', "'", "a.", "http://", "9-", "\ud800", "e@e."]) {
      expect(toPattern(unit.repeat(200_000)).length).toBeLessThanOrEqual(250);
    }
    fc.assert(fc.property(fc.string(), (text) => toPattern(text).length <= 250));
  });
});

describe("a fingerprint", () => {
  test("is the same where only what is named differs", () => {
    const of = (message: string) => deadGroupOf({ type: "SmtpError", message });
    expect(of("421 try later, queue 17")).toBe(of("421 try later, queue 18"));
    expect(of("421 try later")).not.toBe(of("no such mailbox"));
    expect(deadGroupOf({ type: "A", message: "m" })).not.toBe(deadGroupOf({ type: "B", message: "m" }));
  });

  test("stays what it was: it is kept with the dead", () => {
    expect(deadGroupOf({ type: "SmtpRefused", message: "421 try later" })).toMatchInlineSnapshot(`"600a33b8d2f2"`);
  });
});
