const { Worker } = require("bullmq");
const { Redis } = require("ioredis");
const { telemetry } = require("./bullmq-telemetry.cjs");

async function main() {
  const { done } = await import("../done.mjs");
  const connection = new Redis(process.env.REDIS_URL, { maxRetriesPerRequest: null, enableAutoPipelining: true });
  // Its guide "Concurrency" speaks of 100 to 300 for work that waits.
  const settings = { connection, concurrency: 200, telemetry };
  new Worker("bench", async ({ data }) => done(data), settings);
  process.stdout.write("listens on 0\n");
}

void main();
