import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { v4 as uuidv4, v7 as uuidv7 } from "uuid";
import { canonicalId, createdAtMsOf, isTaskId, newTaskId } from "../../src/words/task-id.ts";

describe("a task's id", () => {
  /** What 48 bits hold. */
  const anyMs = fc.nat({ max: 2 ** 48 - 1 });

  test("tells when the task was made", () => {
    const beforeMs = Date.now();
    const createdAtMs = createdAtMsOf(newTaskId());
    expect(createdAtMs).toBeGreaterThanOrEqual(beforeMs);
    expect(createdAtMs).toBeLessThanOrEqual(Date.now());
    fc.assert(fc.property(anyMs, (msecs) => expect(createdAtMsOf(uuidv7({ msecs }))).toBe(msecs)));
  });

  test("sorts by that time", () => {
    fc.assert(
      fc.property(anyMs, anyMs, (a, b) => {
        fc.pre(a < b);
        expect(uuidv7({ msecs: a }) < uuidv7({ msecs: b })).toBe(true);
      }),
    );
  });

  test("is the same in capitals, in braces and as a URN", () => {
    const id = newTaskId();
    const capitals = id.toUpperCase();
    const spellings = [id, capitals, `{${id}}`, `{${capitals}}`, `urn:uuid:${id}`, `URN:UUID:${capitals}`];
    expect(spellings.map(canonicalId)).toEqual(spellings.map(() => id));
    const others = ["Task-1", `{${id}`, `${capitals}}`, `urn:uuid:{${id}}`, ` ${capitals}`, id.replaceAll("-", "")];
    expect(others.map(canonicalId)).toEqual(others);
  });

  test("is a UUIDv7 and nothing else", () => {
    const texts = [newTaskId(), uuidv4(), "", "task-1", newTaskId().replaceAll("-", ""), ` ${newTaskId()}`];
    expect(texts.map(isTaskId)).toEqual([true, false, false, false, false, false]);
  });
});
