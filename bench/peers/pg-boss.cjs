/** pg-boss: `pg-boss.cjs gateway` and `pg-boss.cjs worker`, traced by what it has of its own. */

const { PgBoss } = require("pg-boss");
const { accept, handler, isReady } = require("./accept.cjs");

const roles = { gateway, worker };

/** With the queue, whose workers are woken: without it they would look every half second at most. */
async function start() {
  const boss = new PgBoss({
    connectionString: process.env.POSTGRES_URL,
    max: 25,
    useListenNotify: true,
    // What its page "OpenTelemetry" needs for a trace from the one who sends to the handler.
    openTelemetry: { propagateContext: true },
  });
  boss.on("error", (error) => process.stderr.write(`${error}\n`));
  await boss.start();
  await boss.createQueue("bench", { notify: true, retryLimit: 5, retryDelay: 1, retryBackoff: true });
  return boss;
}

async function gateway() {
  const boss = await start();
  accept(({ payload }) => boss.send("bench", payload));
}

async function worker() {
  const done = await handler();
  const boss = await start();
  // Several workers with batches, which fetch without a pause as long as these are full: its page "Workers".
  const settings = { localConcurrency: 4, batchSize: 100, burstWhenBatchFull: true };
  await boss.work("bench", settings, async (jobs) => {
    for (const { data } of jobs) done(data);
  });
  isReady();
}

void roles[process.argv[2]]();
