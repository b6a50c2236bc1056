import { describe, expect, test } from "bun:test";
import { ForbiddenTarget } from "../../src/worker/http/allow.ts";
import type { HttpRequest } from "../../src/worker/http/send.ts";
import { redirected } from "../../src/worker/http/task.ts";

const secrets = { authorization: "Bearer a", cookie: "a=b", "x-api-key": "c" };

function request(method: string, url = "https://shop.example/orders?a=1"): HttpRequest {
  const headers = new Headers({ accept: "*/*", "user-agent": "u", "content-type": "application/json", ...secrets });
  return { url: new URL(url), method, headers, body: '{"a":1}' };
}

/** As a plain object, to compare whole. */
function plain(hop: HttpRequest | undefined): unknown {
  return hop && { ...hop, url: hop.url.href, headers: Object.fromEntries(hop.headers) };
}

describe("an answer", () => {
  test.each([200, 204, 300, 304, 305, 306, 404, 500])("%d is the last, wherever it points", (status) => {
    expect(redirected(request("POST"), status, "/there")).toBeUndefined();
  });

  test("that redirects nowhere is the last", () => {
    expect(redirected(request("POST"), 302, undefined)).toBeUndefined();
  });

  const methods: [status: number, method: string, then: string][] = [
    [301, "POST", "GET"],
    [302, "POST", "GET"],
    [303, "POST", "GET"],
    [303, "PUT", "GET"],
    [301, "PUT", "PUT"],
    [302, "DELETE", "DELETE"],
    [303, "HEAD", "HEAD"],
    [307, "POST", "POST"],
    [308, "PATCH", "PATCH"],
  ];
  test.each(methods)("%d to a %s is followed by a %s, with the body if the method stays", (status, method, then) => {
    const next = redirected(request(method), status, "/there#part");
    const { "content-type": type, ...others } = Object.fromEntries(request(method).headers);
    expect(plain(next)).toEqual({
      url: "https://shop.example/there",
      method: then,
      headers: then === method ? { ...others, "content-type": type ?? "none" } : others,
      body: then === method ? '{"a":1}' : undefined,
    });
  });

  test.each(["https://other.example/", "https://shop.example:8443/", "//other.example/x"])(
    "that leads to another origin (%s) takes nothing there that may be a secret",
    (location) => {
      const next = redirected(request("POST"), 307, location);
      expect(Object.fromEntries(next?.headers ?? [])).toEqual({
        accept: "*/*",
        "user-agent": "u",
        "content-type": "application/json",
      });
    },
  );

  test.each(["http://shop.example/", "http://other.example/"])("that leads from https to %s is refused", (location) => {
    expect(() => redirected(request("POST"), 307, location)).toThrow(ForbiddenTarget);
  });

  test("that leads to no URL is refused", () => {
    expect(() => redirected(request("POST"), 307, "http://[")).toThrow(ForbiddenTarget);
  });
});
