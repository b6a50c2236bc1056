/** Sends an e-mail through a provider's HTTP API. Run it: `throughline --handlers=examples/handlers`. */

import type { TaskHandler } from "throughline";

const provider = process.env.EMAIL_PROVIDER_URL ?? "http://127.0.0.1:8025/send";

export default {
  maxAttempts: 8,
  timeout: "30s",
  async run({ id, payload }, ctx) {
    // The same id on every attempt: the provider can tell a repetition from a second e-mail.
    const headers = { "content-type": "application/json", "idempotency-key": id };
    const email = { method: "POST", headers, body: JSON.stringify(payload), signal: ctx.signal };
    const answer = await ctx.fetch(provider, email);
    ctx.log.info("the provider has answered", { status: answer.status });
    if (answer.status === 400) throw ctx.fatal("the provider refuses this e-mail");
    if (answer.status === 429) throw ctx.retryAfter("30s");
    if (!answer.ok) throw new Error(`the provider answered ${answer.status}`);
    return answer.json();
  },
} satisfies TaskHandler<{ to: string; subject: string; text: string }>;
