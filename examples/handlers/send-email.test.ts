/** The handler in this process, the provider played by the test. Run it: `bun test ./examples/handlers`. */

import { expect, test } from "bun:test";
import { testTask } from "throughline/testing";
import sendEmail from "./send-email.ts";

const payload = { to: "ada@example.com", subject: "Hello", text: "How are you?" };

test("sends the e-mail and tells what the provider has answered", async () => {
  const { result, logs } = await testTask(sendEmail, { payload, fetch: () => Response.json({ id: "m-1" }) });
  expect(result).toEqual({ id: "m-1" });
  expect(logs).toMatchObject([{ level: "info", fields: { status: 200 } }]);
});

test.each([
  [400, { fatal: true }],
  [429, { fatal: false, retryAfterMs: 30_000 }],
  [500, { fatal: false }],
])("on %d from the provider: %j", async (status, attempt) => {
  const { attempts } = await testTask(sendEmail, { payload, fetch: () => new Response(null, { status }) });
  expect(attempts).toMatchObject([attempt]);
});
