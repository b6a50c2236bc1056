/** BullMQ's producer. `removeOnComplete` and pipelining are what its guide "Going to production" advises. */

const { Queue } = require("bullmq");
const { Redis } = require("ioredis");
const { accept } = require("./accept.cjs");
const { telemetry } = require("./bullmq-telemetry.cjs");

const connection = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null, enableAutoPipelining: true });
const queue = new Queue("bench", { connection, telemetry });
const options = { removeOnComplete: true, attempts: 5, backoff: { type: "exponential", delay: 1000 } };
accept(async ({ payload }) => (await queue.add("bench", payload, options)).id);
