import type { TaskHandler } from "throughline";

export default {
  maxAttempts: 3,
  async run({ payload }, ctx) {
    const url = process.env.PROVIDER_URL ?? "http://127.0.0.1:8025/send";
    const answer = await ctx.fetch(url, { method: "POST", body: JSON.stringify(payload), signal: ctx.signal });
    if (!answer.ok) throw new Error(`the provider answered ${answer.status}`);
    return answer.json();
  },
} satisfies TaskHandler<{ to: string }>;
