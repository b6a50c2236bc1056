/** Charges a card through a provider's HTTP API; its payload is checked by a schema, at submit and before it runs. */

import type { TaskHandler } from "throughline";
import { z } from "zod";

const provider = process.env.PAYMENT_PROVIDER_URL ?? "http://127.0.0.1:8026/charges";

const charge = z.strictObject({
  customer: z.string().min(1),
  cents: z.int().positive(),
  currency: z.enum(["EUR", "USD"]).default("EUR"),
});

export default {
  payload: charge,
  maxAttempts: 10,
  timeout: "20s",
  async run({ id, payload }, ctx) {
    const headers = { "content-type": "application/json", "idempotency-key": id };
    ctx.span.setAttribute("payment.currency", payload.currency);
    const answer = await ctx.fetch(provider, {
      method: "POST",
      headers,
      body: JSON.stringify(payload),
      signal: ctx.signal,
    });
    if (answer.status === 402) throw ctx.fatal("the card was declined");
    if (!answer.ok) throw new Error(`the provider answered ${answer.status}`);
    return answer.json();
  },
} satisfies TaskHandler<typeof charge>;
