/**
 * bunqueue, as its deployment guide begins: embedded, front and worker in one process of Bun, with a file. Each task is
 * `durable`: written to SQLite before it is accepted. That SQLite has `synchronous=NORMAL`, which cannot be set: a crash
 * of the process loses nothing, a power cut may. It has no tracing of its own.
 */

const { createRequire } = require("node:module");
const { handler } = require("./accept.cjs");

// Beside a package of its own, Bun does not look into NODE_PATH.
const { Queue, Worker } = createRequire(`${process.env.NODE_PATH}/`)("bunqueue/client");

const storage = { embedded: true, dataPath: process.env.DATA_PATH };
const options = { durable: true, removeOnComplete: true, attempts: 5, backoff: { type: "exponential", delay: 1000 } };

/** Bun's own server is what its guides "Hono" and "Elysia" stand on. */
function accept(queue) {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const { payload } = await request.json();
      const { id } = await queue.add("bench", payload, options);
      return Response.json({ id }, { status: 202 });
    },
    error: (error) => new Response(String(error), { status: 503 }),
  });
  process.stdout.write(`listens on ${server.port}\n`);
}

async function main() {
  const done = await handler();
  // Long polls and large batches: its guides "WorkerOptions" and "Worker Concurrency". As many at once as BullMQ has.
  const settings = { ...storage, concurrency: 200, batchSize: 100, pollTimeout: 5000 };
  new Worker("bench", async ({ data }) => done(data), settings);
  accept(new Queue("bench", storage));
}

void main();
