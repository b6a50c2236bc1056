/**
 * Suites that need what not every machine has, such as real parts: run where it is, skipped loudly elsewhere, failing
 * under CI.
 */

import { describe, test } from "bun:test";
import { mustHaveParts, type PartName, whyMissing } from "../parts/parts.ts";

/** As `describe` is called. */
export type Describe = (title: string, body: () => void) => void;

/** `const withJaeger = describeWith("jaeger"); withJaeger("a trace", () => { … });` */
export function describeWith(...names: readonly PartName[]): Describe {
  const missing = names.map(whyMissing).filter((why) => why !== undefined);
  return describeUnless(missing.length === 0 ? undefined : missing.join("; "));
}

/** `why` says what this machine does not have; undefined that it has everything. */
export function describeUnless(why: string | undefined): Describe {
  if (why === undefined) {
    return (title, body) => describe(title, body);
  }
  return mustHaveParts() ? (title) => failInstead(title, why) : (title, body) => skipLoudly(title, why, body);
}

function failInstead(title: string, why: string): void {
  describe(title, () => {
    test("has the parts it needs", () => {
      throw new Error(why);
    });
  });
}

function skipLoudly(title: string, why: string, body: () => void): void {
  process.stderr.write(`SKIPPED: "${title}": ${why}\n`);
  describe.skip(title, body);
}
