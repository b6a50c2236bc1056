/** `bun run torture -- --kills 200`: exit code 0 when every accepted task came out right, 1 when one did not. */

import { parseArgs } from "node:util";
import { compiledExecutable } from "../support/executable.ts";
import { type Mode, modes } from "./systems.ts";
import { runTorture } from "./torture.ts";

const usage = `bun run torture -- [--kills 200] [--seed N] [--mode ${modes.join("|")}] [--rate 30] [--no-wipe-broker] [--keep]

  --kills           how often a process is killed and started again
  --seed            of everything that is left to chance; printed
  --mode            one process on embedded parts, or a process for each role and ElasticMQ
  --rate            tasks submitted in a second
  --no-wipe-broker  do not empty ElasticMQ once or twice on the way
  --keep            keep the folder with the data, the journal of the runs and the logs; with a problem it is kept anyway
`;

function readFlags() {
  return parseArgs({
    options: {
      help: { type: "boolean", default: false },
      kills: { type: "string", default: "200" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
      mode: { type: "string", default: "all-in-one" },
      rate: { type: "string", default: "30" },
      "wipe-broker": { type: "boolean", default: true },
      keep: { type: "boolean", default: false },
    },
    allowNegative: true,
  }).values;
}

async function main(): Promise<number> {
  const values = readFlags();
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const [kills, seed, tasksPerSecond] = [Number(values.kills), Number(values.seed), Number(values.rate)];
  const mode = modes.find((each) => each === values.mode);
  if (mode === undefined || !(kills >= 1) || !Number.isInteger(seed) || !(tasksPerSecond > 0)) {
    process.stderr.write(usage);
    return 2;
  }
  return run(mode, { kills, seed, tasksPerSecond, wipesBroker: values["wipe-broker"], keepsFolder: values.keep });
}

async function run(mode: Mode, options: Omit<Parameters<typeof runTorture>[0], "mode">): Promise<number> {
  await compiledExecutable();
  process.stderr.write(`${mode}, seed ${options.seed}, ${options.kills} kills\n`);
  const onProgress = (line: string): void => void process.stderr.write(line);
  const { problems, report } = await runTorture({ mode, ...options, onProgress });
  process.stdout.write(report);
  return problems.length === 0 ? 0 : 1;
}

process.exitCode = await main();
