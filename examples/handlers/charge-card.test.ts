/** The handler in this process, the provider played by the test. Run it: `bun test ./examples/handlers`. */

import { expect, test } from "bun:test";
import { testTask } from "throughline/testing";
import chargeCard from "./charge-card.ts";

const payload = { customer: "c-7", cents: 1200 };

test("charges once, whatever the attempt, in one trace", async () => {
  const keys: (string | null)[] = [];
  const { status, result, spans } = await testTask(chargeCard, {
    type: "charge-card",
    payload,
    attempts: 3,
    fetch: async ({ headers }) => {
      keys.push(headers.get("idempotency-key"));
      return keys.length === 1 ? new Response(null, { status: 503 }) : Response.json({ charge: "ch-1" });
    },
  });
  expect(status).toBe("succeeded");
  expect(result).toEqual({ charge: "ch-1" });
  expect(keys[1]).toBe(keys[0] ?? "no key");
  expect(spans).toMatchObject([
    { name: "run charge-card", status: { code: "error" }, children: [{ name: "POST" }] },
    { name: "run charge-card", attributes: { "payment.currency": "EUR" }, children: [{ name: "POST" }] },
  ]);
});

test("gives up when the card is declined", async () => {
  const { attempts, error } = await testTask(chargeCard, {
    payload,
    attempts: 3,
    fetch: () => new Response(null, { status: 402 }),
  });
  expect(attempts).toMatchObject([{ fatal: true }]);
  expect(error?.message).toBe("the card was declined");
});

test("is never run with a payload that does not fit", async () => {
  const { error } = await testTask(chargeCard, { payload: { ...payload, cents: 0 } });
  expect(error?.type).toBe("invalid_payload");
});
