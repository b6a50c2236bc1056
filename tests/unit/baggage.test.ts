import { describe, expect, test } from "bun:test";
import { baggageEntryMetadataFromString, propagation } from "@opentelemetry/api";
import fc from "fast-check";
import { formatBaggage, parseBaggage } from "../../src/telemetry/context/baggage.ts";
import { anyText } from "../support/any-text.ts";

function format(entries: Record<string, { value: string; properties?: string }>): string {
  const all = Object.entries(entries).map(([key, { value, properties }]) => [
    key,
    { value, ...(properties && { metadata: baggageEntryMetadataFromString(properties) }) },
  ]);
  return formatBaggage(propagation.createBaggage(Object.fromEntries(all)));
}

describe("baggage that a handler has made", () => {
  test("is encoded where the header needs it, and nowhere else", () => {
    expect(format({ "a b": { value: "ü, 100%" }, "x(1)": { value: "/p?q=1" } })).toBe(
      "a%20b=%C3%BC%2C%20100%25,x%281%29=/p?q=1",
    );
  });

  test("breaks no header with half a character, a line end, or an empty name", () => {
    expect(format({ a: { value: "\ud83d" }, "": { value: "1" }, b: { value: "x\r\ny", properties: "p\r\nq" } })).toBe(
      "a=%EF%BF%BD,b=x%0D%0Ay",
    );
  });

  test("is cut after 64 members or 8 KiB, whole members only", () => {
    const many = Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`k${n}`, { value: "1" }]));
    expect(format(many).split(",").length).toBe(64);
    const large = { a: { value: "x".repeat(8000) }, b: { value: "x".repeat(187) }, c: { value: "" } };
    expect(format(large).length).toBe(8192);
    expect(format({ ...large, b: { value: "x".repeat(188) } })).toBe(`a=${"x".repeat(8000)}`);
  });
});

test("what was read is written so that it is read as the same, whatever a stranger sends", () => {
  const list = fc
    .array(fc.tuple(fc.stringMatching(/^[a-z%^]{1,3}$/), anyText({ maxLength: 20 })))
    .map((all) => all.map(([key, value]) => `${key}=${encodeURIComponent(value.toWellFormed())};p=1`).join(","));
  fc.assert(
    fc.property(fc.oneof(anyText(), list), (text) => {
      const baggage = parseBaggage(text);
      if (!baggage) return;
      const written = formatBaggage(baggage);
      expect(written).toMatch(/^[\x20-\x7e\t]+$/);
      const told = (all = baggage) =>
        all.getAllEntries().map(([key, { value, metadata }]) => [key, value, `${metadata}`]);
      expect(told(parseBaggage(written))).toEqual(told());
    }),
  );
});
