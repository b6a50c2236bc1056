import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createRedaction } from "../../src/telemetry/logs/redact.ts";
import { key, ownKey } from "../../src/telemetry/names.ts";
import { anyText } from "../support/any-text.ts";

const redaction = createRedaction(["card-number", "iban"]);

describe("a key", () => {
  test.each([
    "password",
    "PASSWORD",
    "db_password",
    "dbPassword",
    "password2.password",
    "passwd",
    "client-secret",
    "aws_secret_access_key",
    "token",
    "accessToken",
    "x-auth-token",
    "api_key",
    "apikey",
    "X-API-Key",
    "APIKey",
    "authorization",
    "http.request.header.authorization",
    "Cookie",
    "set-cookie",
    "private_key",
    "privateKeyPem",
    "access_key",
    "session",
    "session_id",
    "sessionId",
    "credentials",
    "card_number",
    "cardNumber",
    "Card-Number",
    "IBAN",
  ])("%s is a secret's", (name) => {
    expect(redaction.isSecretKey(name)).toBe(true);
  });

  test.each([
    "task_id",
    "tokens_used",
    "token_count",
    "token_type",
    "secretary",
    "secretName",
    "passwordChangedAt",
    "author",
    "monkey",
    "key",
    "idempotency_key",
    "cookiecutter",
    "card",
    "number",
    "",
    "-",
    "__proto__",
  ])("%p is not", (name) => {
    expect(redaction.isSecretKey(name)).toBe(false);
  });

  test("of ours is never one", () => {
    const names = [...Object.values(key), ...Object.values(ownKey)];
    expect(names.filter((name) => redaction.isSecretKey(name))).toEqual([]);
  });

  test("may be any text, and any number of different ones", () => {
    fc.assert(fc.property(anyText(), (name) => typeof redaction.isSecretKey(name) === "boolean"));
    for (let n = 0; n < 5000; n++) expect(redaction.isSecretKey(`token_${n}`)).toBe(true);
  });
});

describe("a text", () => {
  test.each([
    ["https://user:pass@example.com/a", "https://REDACTED:REDACTED@example.com/a"],
    [
      "could not reach redis://:pass@10.0.0.1:6379 in time",
      "could not reach redis://REDACTED:REDACTED@10.0.0.1:6379 in time",
    ],
    ["https://token@example.com", "https://REDACTED@example.com"],
    ["https://x.test/?page=2&api_key=a-b-c&next=1#end", "https://x.test/?page=2&api_key=REDACTED&next=1#end"],
    ["at https://x.test/cb#access_token=abc&state=1", "at https://x.test/cb#access_token=REDACTED&state=1"],
    ["two: http://a:b@c/ http://d:e@f/", "two: http://REDACTED:REDACTED@c/ http://REDACTED:REDACTED@f/"],
  ])("%s is told as %s", (text, told) => {
    expect(redaction.redactText(text)).toBe(told);
  });

  test.each(["https://example.com/a@b?to=c@d.test", "mail a@b.test", "a?token=1", "file:///src/a.ts:1:2", ""])(
    "%p is told as it is",
    (text) => {
      expect(redaction.redactText(text)).toBe(text);
    },
  );

  test("that is long and hopeless takes no time worth mentioning", () => {
    const text = `${"a://".repeat(20_000)}${"x".repeat(100_000)}${"?a=".repeat(20_000)}`;
    expect(redaction.redactText(text)).toBe(text);
  });
});

describe("a URL and its query", () => {
  const urls: [url: string, shown: string][] = [
    ["https://example.com/a?b=1&c=%20x", "https://example.com/a?b=1&c=%20x"],
    ["https://me:secret@example.com/", "https://REDACTED:REDACTED@example.com/"],
    [
      "https://s3.example/o?X-Amz-Signature=1&X-Amz-Credential=2&X-Amz-Security-Token=3&X-Amz-Date=4",
      "https://s3.example/o?X-Amz-Signature=REDACTED&X-Amz-Credential=REDACTED&X-Amz-Security-Token=REDACTED&X-Amz-Date=4",
    ],
    ["https://blob.example/o?sig=1&sv=2&SIG=3", "https://blob.example/o?sig=REDACTED&sv=2&SIG=REDACTED"],
    ["https://example.com/?token=1&token=2&x=3", "https://example.com/?token=REDACTED&token=REDACTED&x=3"],
    [
      "https://example.com/?apiKey=1&api_key=2&AWSAccessKeyId=3&password=4&client_secret=5",
      "https://example.com/?apiKey=REDACTED&api_key=REDACTED&AWSAccessKeyId=REDACTED&password=REDACTED&client_secret=REDACTED",
    ],
    ["https://example.com/?design=1&keyboard=2&monkey=3", "https://example.com/?design=1&keyboard=2&monkey=3"],
  ];

  test.each(urls)("%s is shown without its secrets", (url, shown) => {
    expect(redaction.redactText(url)).toBe(shown);
    const query = { "url.query": new URL(url).search.slice(1) };
    expect(redaction.redactAttributes(query)).toEqual({ "url.query": new URL(shown).search.slice(1) });
  });
});

describe("attributes", () => {
  test("without secrets are the same object", () => {
    const attributes = { "url.full": "https://example.com/", attempt: 1, list: ["a"] };
    expect(redaction.redactAttributes(attributes)).toBe(attributes);
  });

  test("are copied without their secrets, whatever these are", () => {
    const attributes = { "url.full": "https://a:b@c.test/", token: 5, "my.iban": "DE", iban: ["DE"], attempt: 1 };
    const before = structuredClone(attributes);
    expect(redaction.redactAttributes(attributes)).toEqual({
      "url.full": "https://REDACTED:REDACTED@c.test/",
      token: "REDACTED",
      "my.iban": "DE",
      iban: "REDACTED",
      attempt: 1,
    });
    expect(attributes).toEqual(before);
  });
});
