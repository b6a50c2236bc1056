import { Queue } from "bullmq";

const queue = new Queue("welcome", { connection: { url: process.env.REDIS_URL } });
const retries = { attempts: 3, backoff: { type: "exponential", delay: 1000 } };
for (const to of process.argv.slice(2)) await queue.add("welcome", { to }, retries);
await queue.close();
