import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { key, ownKey } from "../../src/telemetry/names.ts";
import { createRedaction } from "../../src/telemetry/redact.ts";
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
    ["https://user:pass@example.com/a", "https://[redacted]@example.com/a"],
    ["could not reach redis://:pass@10.0.0.1:6379 in time", "could not reach redis://[redacted]@10.0.0.1:6379 in time"],
    ["https://token@example.com", "https://[redacted]@example.com"],
    ["https://x.test/?page=2&api_key=a-b-c&next=1#end", "https://x.test/?page=2&api_key=[redacted]&next=1#end"],
    ["at https://x.test/cb#access_token=abc&state=1", "at https://x.test/cb#access_token=[redacted]&state=1"],
    ["two: http://a:b@c/ http://d:e@f/", "two: http://[redacted]@c/ http://[redacted]@f/"],
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

describe("attributes", () => {
  test("without secrets are the same object", () => {
    const attributes = { "url.full": "https://example.com/", attempt: 1, list: ["a"] };
    expect(redaction.redactAttributes(attributes)).toBe(attributes);
  });

  test("are copied without their secrets, whatever these are", () => {
    const attributes = { "url.full": "https://a:b@c.test/", token: 5, "my.iban": "DE", iban: ["DE"], attempt: 1 };
    const before = structuredClone(attributes);
    expect(redaction.redactAttributes(attributes)).toEqual({
      "url.full": "https://[redacted]@c.test/",
      token: "[redacted]",
      "my.iban": "DE",
      iban: "[redacted]",
      attempt: 1,
    });
    expect(attributes).toEqual(before);
  });
});
