import { expect, test } from "bun:test";
import { createAdmission } from "../../src/limits/admission.ts";
import { rejectionOf } from "../support/rejection.ts";

test("as many as there is room for run at once, the next is refused with when to come back", async () => {
  const admit = createAdmission(2, "guests");
  const held = Promise.withResolvers<string>();
  const both = [admit(() => held.promise), admit(() => held.promise)];
  let isRun = false;
  const third = admit(async () => {
    isRun = true;
  });
  expect(await rejectionOf(third)).toMatchObject({
    name: "TaskError",
    code: "resource_exhausted",
    message: "there are 2 guests already",
    retryAfterMs: 1000,
  });
  expect(isRun).toBe(false);
  held.resolve("done");
  expect(await Promise.all(both)).toEqual(["done", "done"]);
});

test("each that ends makes room, however it ended", async () => {
  const admit = createAdmission(1, "guests");
  expect(await admit(async () => "first")).toBe("first");
  const error = new Error("fell");
  expect(await rejectionOf(admit(() => Promise.reject(error)))).toBe(error);
  const thrown = admit(() => {
    throw error;
  });
  expect(await rejectionOf(thrown)).toBe(error);
  expect(await admit(async () => "last")).toBe("last");
});
