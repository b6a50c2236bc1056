/** BullMQ: `bullmq.cjs gateway` and `bullmq.cjs worker`. */

const { Queue, Worker } = require("bullmq");
const { Redis } = require("ioredis");
const { accept, handler, isReady } = require("./accept.cjs");

// Pipelining is what its guide "Going to production" advises.
const connection = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null, enableAutoPipelining: true });
const telemetry = process.env.BENCH_TRACED === "1" ? new (require("bullmq-otel").BullMQOtel)("bench") : undefined;
const roles = { gateway, worker };

function gateway() {
  const queue = new Queue("bench", { connection, telemetry });
  // The same guide: jobs that are completed are removed, those that fail are tried again, later each time.
  const options = { removeOnComplete: true, attempts: 5, backoff: { type: "exponential", delay: 1000 } };
  accept(async ({ payload }) => (await queue.add("bench", payload, options)).id);
}

async function worker() {
  const done = await handler();
  // Its guide "Concurrency" speaks of 100 to 300 for work that waits.
  new Worker("bench", async ({ data }) => done(data), { connection, concurrency: 200, telemetry });
  isReady();
}

void roles[process.argv[2]]();
