import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { toBody, UnfitBody } from "../../src/worker/http/request-body.ts";

const form = "application/x-www-form-urlencoded";

describe("the body of a call", () => {
  const cases: [contentType: string, body: unknown, sent: string | Uint8Array][] = [
    ["application/json", { a: 1 }, '{"a":1}'],
    ["application/json", "text", '"text"'],
    ["Application/JSON; charset=utf-8", [1], "[1]"],
    ["application/problem+json", { a: "ä" }, '{"a":"ä"}'],
    ["text/plain", "hello", "hello"],
    ["text/plain", "", ""],
    ["text/plain", { a: 1 }, '{"a":1}'],
    ["text/csv;charset=UTF-8", "a;ä", "a;ä"],
    ["text/csv; charset=iso-8859-1", "ä", new Uint8Array([0xe4])],
    ["text/plain; charset=utf-16le", "a", new Uint8Array([0x61, 0])],
    ["text/plain; charset=us-ascii", "a", new Uint8Array([0x61])],
    ["application/xml", "<a/>", "<a/>"],
    ["application/x-ndjson", "{}\n{}\n", "{}\n{}\n"],
    ["multipart/form-data; boundary=b", "--b--", "--b--"],
    [form, "a=1&a=2", "a=1&a=2"],
    [form, { a: "b c&d", n: 1, is: true, none: null, list: ["x", 2] }, "a=b+c%26d&n=1&is=true&none=&list=x&list=2"],
    [`${form}; charset=UTF-8`, { ä: "ö" }, "%C3%A4=%C3%B6"],
    ["", "as it is", "as it is"],
  ];

  test.each(cases)("of the type %p that is %p is sent as %p", (contentType, body, sent) => {
    expect(toBody(body, contentType)).toEqual(sent instanceof Uint8Array ? Buffer.from(sent) : sent);
  });

  const unfit: [contentType: string, body: unknown][] = [
    ["application/xml", { a: 1 }],
    ["application/octet-stream", [1, 2]],
    ["multipart/form-data", { a: 1 }],
    [form, 1],
    [form, ["a"]],
    [form, { a: { b: 1 } }],
    [form, { a: [[1]] }],
    ["text/plain; charset=us-ascii", "ä"],
    ["text/plain; charset=iso-8859-1", "€"],
    ["text/plain; charset=utf-32", "a"],
  ];

  test.each(unfit)("of the type %p that is %p is refused", (contentType, body) => {
    expect(() => toBody(body, contentType)).toThrow(UnfitBody);
  });

  test("of a form is read as what was given, whatever its names and texts are", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), (fields) => {
        const read = [...new URLSearchParams(String(toBody(fields, form)))];
        expect(read).toEqual(Object.entries(fields));
      }),
    );
  });

  test("is any text as it is, where its type is not JSON", () => {
    const anyType = fc.constantFrom("text/plain", "text/html", "application/xml", form, "application/graphql", "x/y");
    fc.assert(fc.property(fc.string(), anyType, (text, type) => expect(toBody(text, type)).toBe(text)));
  });
});
