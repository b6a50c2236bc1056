/** Errors that are one trouble have one fingerprint, others have others. */

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { deadGroupOf, toPattern } from "../../src/words/dead-group.ts";

describe("a message's pattern", () => {
  test.each([
    ["order 17 is gone", "order <n> is gone"],
    ["order #8812: 3 of 5 items", "order #<n>: <n> of <n> items"],
    ["took 1,250.5 ms, limit 30s", "took <n>, limit <n>"],
    ["user 0192d3c4-7a10-7cc3-98c4-dc0c0c07398f is unknown", "user <id> is unknown"],
    ["connect ECONNREFUSED 10.0.0.17:5432", "connect ECONNREFUSED <ip>"],
    ["GET https://api.example.com/v1/users/17?x=1 answered 503", "GET <url> answered <n>"],
    ["no mailbox for jane.doe+x@example.co.uk", "no mailbox for <email>"],
    ['no template "invoice-7"', "no template <text>"],
    ['expected "a \\" b", got `c`', "expected <text>, got <text>"],
    ["can't read 'x.json' of the user's folder", "can't read <text> of the user's folder"],
    ["at 2026-11-21T10:00:00.123Z the lease ended", "at <time> the lease ended"],
    ["commit 9f1c529ab3 at 0x7ffe01", "commit <id> at <id>"],
    ["ENOENT: no such file, open /var/data/17/report.pdf", "ENOENT: no such file, open <path>"],
    ["body of 10.5MB is over 512 KiB", "body of <n> is over <n>"],
    ["order17 of user_42 on web-7d9f8b6c5d-x2x4z", "order<n> of user_<n> on web-<id>"],
    ["charge ch_3PZkQ2eZvKYlo2C failed", "charge ch_<id> failed"],
    ["object deadbeef is gone, CAFEBABE and 0badf00d too", "object <id> is gone, <id> and <id> too"],
    ["bad jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_1.", "bad jwt <id>."],
    ["bad token=eyJhbGciOiJkaXIifQ..aXY.Y3Q.dGFn, expired", "bad token=<id>, expired"],
    ["denied arn:aws:s3:::bucket-a/key1: no policy", "denied <arn>: no policy"],
    ["(arn:aws-cn:iam::123456789012:role/a+b@c) cannot assume", "(<arn>) cannot assume"],
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

/** Texts that differ only in what they name; a kind has the same text around it. */
const digits = "0123456789";
const lower = "abcdefghijklmnopqrstuvwxyz";
const capitals = lower.toUpperCase();
const textOf = (units: string, min: number, max: number) =>
  fc.string({ unit: fc.constantFrom(...units), minLength: min, maxLength: max });
const word = textOf(lower, 3, 8);
const date = fc.date({ min: new Date("1971-01-01"), max: new Date("2199-12-31"), noInvalidDate: true });
const aNumber = fc.oneof(fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }));
const anId = fc.oneof(
  fc.uuid(),
  fc.uuid().map((id) => id.toUpperCase()),
  fc.ulid(),
  fc.nat().map((n) => String(n)),
  textOf(`${digits}abcdef`, 8, 64).filter((text) => /[a-f]/.test(text)),
  textOf("abcdef", 8, 40),
  textOf("ABCDEF", 8, 40),
  textOf(digits + lower + capitals, 20, 32).filter((text) => /\d[a-zA-Z]+\d/.test(text)),
);
const kinds: Record<string, fc.Arbitrary<string>> = {
  numbers: aNumber.map(String),
  "numbers with separators": fc.integer().map((n) => n.toLocaleString("en-US")),
  hex: fc.nat().map((n) => `0x${n.toString(16)}`),
  ids: anId,
  "ids with a prefix": anId.map((id) => `cus_${id}`),
  "ids behind a word": fc.nat().map((n) => `order${n}`),
  JWTs: fc
    .tuple(fc.dictionary(word, fc.nat()), fc.dictionary(word, fc.string(), { minKeys: 1 }), fc.uint8Array())
    .map(([head, claims, signature]) =>
      [{ alg: "ES256", ...head }, claims]
        .map((part) => `${Buffer.from(JSON.stringify(part)).toString("base64url")}.`)
        .concat(Buffer.from([1, ...signature]).toString("base64url"))
        .join(""),
    ),
  ARNs: fc
    .tuple(
      fc.constantFrom("aws:s3:::", "aws:sqs:eu-west-1:123456789012:", "aws-cn:iam::17:role/"),
      fc.array(fc.oneof(word, anId), { minLength: 1, maxLength: 4 }),
      fc.constantFrom("/", ":", "-", "."),
    )
    .map(([kind, names, separator]) => `arn:${kind}${names.join(separator)}`),
  durations: fc.oneof(
    fc
      .tuple(fc.nat(), fc.constantFrom("ms", "s", " s", "m", " seconds", " min", "h", " hours"))
      .map((parts) => parts.join("")),
    fc.tuple(fc.nat({ max: 59 }), fc.nat({ max: 59 })).map(([m, s]) => `${m}m${s}s`),
    fc.tuple(fc.nat({ max: 59 }), fc.nat({ max: 59 })).map(([m, s]) => `PT${m}M${s}S`),
  ),
  sizes: fc
    .tuple(fc.nat(), fc.constantFrom("B", " bytes", "kB", " KiB", "MB", " GB", "GiB"))
    .map((parts) => parts.join("")),
  times: date.chain((at) =>
    fc.constantFrom(
      at.toISOString(),
      at.toUTCString(),
      at.toString(),
      at.toISOString().slice(0, 10),
      String(at.getTime()),
    ),
  ),
  paths: fc
    .tuple(fc.constantFrom("/", "./", "../", "~/", "/var/data/"), fc.array(fc.oneof(word, anId), { minLength: 1 }))
    .map(([root, names]) => root + names.join("/")),
  files: fc.tuple(word, anId, fc.constantFrom("pdf", "csv", "json")).map(([a, b, type]) => `${a}/${b}.${type}`),
  "paths of Windows": fc.array(word, { minLength: 1 }).map((names) => `C:\\${names.join("\\")}`),
  URLs: fc.webUrl({ withQueryParameters: true, withFragments: true }).filter((url) => !/['"`()]|[,;:.!?]$/.test(url)),
  "e-mail addresses": fc.tuple(word, word).map(([name, host]) => `${name}@${host}.example.com`),
  addresses: fc.oneof(
    fc.ipV4(),
    fc.tuple(fc.ipV4(), fc.nat({ max: 65535 })).map((parts) => parts.join(":")),
    fc.ipV6().filter((ip) => /^[^.]*\d[^.]*[^.:]$/.test(ip)),
  ),
  ports: fc.nat({ max: 65535 }).map((port) => `localhost:${port}`),
  quotations: fc
    .tuple(
      fc.constantFrom('"', "`"),
      fc.string().map((text) => text.replace(/["`\\]/g, "")),
    )
    .map(([q, text]) => q + text + q),
  "lists of ids": fc.array(fc.nat(), { minLength: 1, maxLength: 20 }).map((ids) => ids.join(", ")),
};
const around = [
  (text: string) => `order ${text} is gone`,
  (text: string) => `no such thing: ${text}`,
  (text: string) => `refused (${text})`,
  (text: string) => `${text} of ${text}: limit=${text}, too much`,
];

describe("a fingerprint", () => {
  test.each(Object.keys(kinds))("is one for all %s", (kind) => {
    const any = kinds[kind] ?? fc.constant("");
    fc.assert(
      fc.property(any, any, fc.constantFrom(...around), (one, other, say) => {
        const [first, second] = [say(one), say(other)].map((message) => [
          toPattern(message),
          deadGroupOf({ type: "E", message }),
        ]);
        expect([one, other, first?.[1]]).toEqual([one, other, second?.[1]]);
      }),
    );
  });

  test("is another for other words", () => {
    fc.assert(
      fc.property(word, word, fc.constantFrom(...around), (one, other, say) => {
        fc.pre(one !== other);
        const of = (text: string) => deadGroupOf({ type: "E", message: say(`${text} 17`) });
        expect(of(one)).not.toBe(of(other));
      }),
    );
  });

  test("keeps apart what looks like a path, an id or an address and is none", () => {
    const messages = [
      ...["E11000 duplicate key", "E11001 duplicate key", "P2002 failed", "P2025 failed", "SQLITE_BUSY", "SQLITE_FULL"],
      ...["in utf8", "in utf16", "sha256 mismatch", "sha512 mismatch", "X509_V_ERR", "TLS1_ALERT", "ECONNRESET"],
      ...["order.total is not a function", "user.name is not a function", "getUserV2Response", "getOrderV2Response"],
      ...["type application/json", "type text/html", "read/write failed", "read and/or write failed", "TCP/IP", "N/A"],
      ...["the facade failed", "the decade failed", "the deadbeat failed", "a defaced page", "an effaced page"],
      ...["learn:aws failed", "arn: failed", "eyJ failed"],
      ...[
        "std::bad_alloc",
        "std::bad_cast",
        "can't read it",
        "can't write it",
        "<html> is no JSON",
        "<body> is no JSON",
      ],
    ];
    expect(new Set(messages.map((message) => deadGroupOf({ type: "E", message }))).size).toBe(messages.length);
  });

  test("does not depend on how long a quotation is", () => {
    const of = (length: number) =>
      deadGroupOf({ type: "E", message: `the value "${"x y ".repeat(length)}" is wrong here` });
    expect(of(1)).toBe(of(500));
  });

  test("is the same where only what is named differs", () => {
    const of = (message: string) => deadGroupOf({ type: "SmtpError", message });
    expect(of("421 try later, queue 17")).toBe(of("421 try later, queue 18"));
    expect(of("421 try later")).not.toBe(of("no such mailbox"));
    expect(deadGroupOf({ type: "A", message: "m" })).not.toBe(deadGroupOf({ type: "B", message: "m" }));
  });

  test("stays what it was: it is kept with the dead", () => {
    expect(deadGroupOf({ type: "SmtpRefused", message: "421 try later" })).toMatchInlineSnapshot(`"2d4c422e426a"`);
  });
});
