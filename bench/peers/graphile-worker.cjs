/** graphile-worker: `graphile-worker.cjs gateway` and `graphile-worker.cjs worker`. It has no tracing of its own. */

const { makeWorkerUtils, run } = require("graphile-worker");
const { accept, handler, isReady } = require("./accept.cjs");

/** With what its page "Performance" reached its best figures. */
const preset = {
  worker: {
    connectionString: process.env.POSTGRES_URL,
    concurrentJobs: 24,
    maxPoolSize: 25,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
};
const roles = { gateway, worker };

async function gateway() {
  const utils = await makeWorkerUtils({ preset });
  accept(async ({ payload }) => (await utils.addJob("bench", payload, { maxAttempts: 5 })).id);
}

async function worker() {
  const done = await handler();
  await run({ preset, taskList: { bench: async (payload) => done(payload) } });
  isReady();
}

void roles[process.argv[2]]();
