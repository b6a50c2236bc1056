import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { emptyTraceState, ownMember, parseTraceState } from "../../src/telemetry/context/trace-context.ts";
import { anyText } from "../support/any-text.ts";

/** As many members as `count`, each of 16 characters with its comma. */
function members(count: number): string {
  return Array.from({ length: count }, (_, n) => `k${String(n).padStart(3, "0")}=${"v".repeat(10)}`).join(",");
}

describe("a tracestate", () => {
  test("takes a new member at its front, and moves one there whose value changes", () => {
    const state = parseTraceState("a=1,b=2");
    expect(state?.set("c", "3").serialize()).toBe("c=3,a=1,b=2");
    expect(state?.set("b", "3").serialize()).toBe("b=3,a=1");
    expect(state?.serialize()).toBe("a=1,b=2");
    expect(emptyTraceState.set(ownMember, "1").serialize()).toBe("throughline=1");
  });

  test("takes a new member also when it is full, and loses its last ones", () => {
    const full = parseTraceState(members(32));
    expect(full?.serialize().length).toBe(511);
    const more = full?.set("k", "1").serialize() ?? "";
    expect(more.split(",")).toEqual(["k=1", ...members(31).split(",")]);
    const longer = full?.set("k", "v".repeat(60)).serialize() ?? "";
    expect(longer).toStartWith(`k=${"v".repeat(60)},k000=`);
    expect(longer.length).toBeLessThanOrEqual(512);
  });

  test.each([
    ["Key", "1"],
    ["", "1"],
    ["key", ""],
    ["key", "1,b=2"],
    ["key", "1 "],
    ["key", "ü"],
    ["key", "v".repeat(257)],
  ])("is unchanged by a member that is not valid: %p, %p", (key, value) => {
    expect(parseTraceState("a=1")?.set(key, value).serialize()).toBe("a=1");
  });

  test("tells and loses its members by name", () => {
    const state = parseTraceState("a=1,b=2");
    expect([state?.get("b"), state?.get("c")]).toEqual(["2", undefined]);
    expect(state?.unset("a").serialize()).toBe("b=2");
    expect(state?.unset("c").serialize()).toBe("a=1,b=2");
  });

  test("that was read can be read again, whatever a stranger sends, and is within its limits", () => {
    const member = fc.tuple(
      fc.stringMatching(/^[a-z0-9][a-z0-9_@*/-]{0,20}$/),
      fc.stringMatching(/^[!-+<>-~]{1,200}$/),
    );
    const list = fc
      .array(
        member.map(([key, value]) => `${key}=${value}`),
        { maxLength: 40 },
      )
      .map((all) => all.join(", "));
    fc.assert(
      fc.property(fc.oneof(anyText(), list), (text) => {
        const state = parseTraceState(text);
        if (!state) return;
        const written = state.serialize();
        expect(written.length).toBeLessThanOrEqual(512);
        expect(written.split(",").length).toBeLessThanOrEqual(32);
        expect(parseTraceState(written)?.serialize() ?? "").toBe(written);
      }),
    );
  });
});
