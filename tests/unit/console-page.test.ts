/** The page's bundle: up to date, small, and of nothing that a policy without inline code would stop. */

import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { bundlePage, pageModulePath } from "../../scripts/console-page.ts";
import { script, style } from "../../src/gen/console-page.ts";

const maxCompressedBytes = 150_000;

describe("the console's page", () => {
  test("in src/gen/ is what its sources make: `bun run page`", async () => {
    expect((await Bun.file(pageModulePath).text()) === (await bundlePage())).toBe(true);
  });

  test("is under 150 kB, compressed", () => {
    expect(gzipSync(script).byteLength + gzipSync(style).byteLength).toBeLessThan(maxCompressedBytes);
  });

  test("loads nothing from elsewhere", () => {
    const addresses = `${script}${style}`.match(/https?:\/\/[\w.]+/g) ?? [];
    // Names of XML, and what the schema validator's errors point to: nobody fetches them.
    const named = ["http://www.w3.org", "https://github.com"];
    expect(addresses.filter((address) => !named.includes(address))).toEqual([]);
    expect(style).not.toMatch(/@import|url\(/);
  });
});
