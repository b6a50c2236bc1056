/** Who may ask the console what. */

import { describe, expect, test } from "bun:test";
import { refuseForeignPage } from "../../src/console/site.ts";

const json = { "content-type": "application/json" };
const url = "http://127.0.0.1:8090";

function askedFrom(path: string, method: string, headers: Record<string, string>, base = url) {
  return () => refuseForeignPage(new Request(`${base}${path}`, { method, headers }), { isLocal: true });
}

describe("the door of the console", () => {
  const welcome: [what: string, path: string, method: string, headers: Record<string, string>][] = [
    ["its own page that looks", "/v1/tasks", "GET", { "sec-fetch-site": "same-origin" }],
    ["its own page that changes", "/v1/tasks", "POST", { ...json, "sec-fetch-site": "same-origin", origin: url }],
    [
      "its own page behind a proxy",
      "/v1/tasks",
      "POST",
      { ...json, "sec-fetch-site": "same-origin", origin: "https://tasks.example" },
    ],
    ["an address that somebody typed", "/v1/traces", "GET", { "sec-fetch-site": "none" }],
    ["a program", "/v1/tasks", "POST", json],
    ["who follows a link of another site to the page", "/tasks/1", "GET", { "sec-fetch-site": "cross-site" }],
  ];
  test.each(welcome)("is open to %s", (_, path, method, headers) => {
    expect(askedFrom(path, method, headers)()).toBeUndefined();
  });

  const refused: [what: string, path: string, method: string, headers: Record<string, string>, says: string][] = [
    ["another site that looks", "/v1/tasks", "GET", { "sec-fetch-site": "cross-site" }, "pages of other sites"],
    ["another port", "/v1/tasks", "GET", { "sec-fetch-site": "same-site" }, "pages of other sites"],
    ["a foreign origin", "/v1/tasks", "POST", { ...json, origin: "https://evil.example" }, "pages of other sites"],
    ["an origin of nobody", "/v1/tasks", "POST", { ...json, origin: "null" }, "pages of other sites"],
    ["a form", "/v1/tasks", "POST", { "content-type": "text/plain" }, "application/json"],
    ["a change without a type", "/v1/tasks/1/cancel", "POST", {}, "application/json"],
  ];
  test.each(refused)("is shut to %s", (_, path, method, headers, says) => {
    expect(askedFrom(path, method, headers)).toThrow(says);
  });

  test.each(["http://localhost:8090", "http://[::1]:8090", "http://127.0.0.2:8090"])("on loopback knows %s", (base) => {
    expect(askedFrom("/", "GET", {}, base)()).toBeUndefined();
  });

  test("on loopback knows no name that somebody has made mean this machine, and elsewhere every name", () => {
    const request = new Request("http://rebound.example:8090/");
    expect(() => refuseForeignPage(request, { isLocal: true })).toThrow('does not answer as "rebound.example"');
    expect(refuseForeignPage(request, { isLocal: false })).toBeUndefined();
  });
});
