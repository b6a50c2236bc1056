import { Queue } from "bullmq";

const queue = new Queue("welcome", { connection: { url: process.env.REDIS_URL } });
for (const job of await queue.getFailed()) await job.retry("failed", { resetAttemptsMade: true });
await queue.close();
