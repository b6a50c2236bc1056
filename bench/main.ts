/**
 * `bun run bench`: measures everything and writes bench/RESULTS.md. Exit code 0 when every task of every round was
 * delivered exactly once, whatever the figures; 1 when one was not; 2 for a wrong command line.
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildPart, isBuilt } from "../tests/parts/cache.ts";
import { elasticMqRecipe } from "../tests/parts/elasticmq.ts";
import { missingCommands } from "../tests/parts/parts.ts";
import { nodePeersRecipe } from "../tests/parts/peers.ts";
import { postgresRecipe } from "../tests/parts/postgres.ts";
import { redisRecipe } from "../tests/parts/redis.ts";
import { compiledExecutable } from "../tests/support/executable.ts";
import { accept } from "./parts/accept.ts";
import { backlog } from "./parts/backlog.ts";
import { consolePart } from "./parts/console.ts";
import { microseconds } from "./parts/microseconds.ts";
import { overload } from "./parts/overload.ts";
import { payload } from "./parts/payload.ts";
import { pickup } from "./parts/pickup.ts";
import { pieces } from "./parts/pieces.ts";
import { soak } from "./parts/soak.ts";
import { start } from "./parts/start.ts";
import { tax } from "./parts/tax.ts";
import { threads } from "./parts/threads.ts";
import { wholePath } from "./parts/whole-path.ts";
import { fullPlan, quickPlan } from "./plan.ts";
import { describeMachine, type Size, toResults } from "./results.ts";
import type { Part, Section } from "./section.ts";

/** In the order in which they run. */
const parts: readonly Part[] = [
  wholePath,
  accept,
  tax,
  microseconds,
  pieces,
  pickup,
  backlog,
  threads,
  payload,
  start,
  overload,
  soak,
  consolePart,
];

const usage = `bun run bench -- [--quick] [--soak SECONDS] [--rounds N] [--out FILE] [part…]

  parts     ${parts.map(({ name }) => name).join(", ")}; without any: all
  --quick   under two minutes; what it measures says little
  --soak    how long the soak takes; without it 600
  --rounds  how often each contestant has its turn
  --out     where the tables are written; without it to bench/RESULTS.md when everything was measured, not --quick
`;

interface Asked extends Size {
  chosen: readonly Part[];
  out: string | undefined;
}

/** Throws what is wrong with the command line. */
function readCommandLine(): Asked | "help" {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      soak: { type: "string" },
      rounds: { type: "string" },
      out: { type: "string" },
    },
  });
  if (values.help) return "help";
  const unknown = positionals.filter((name) => !parts.some((part) => part.name === name));
  if (unknown.length > 0) throw new Error(`no such part: "${unknown.join('", "')}"`);
  const chosen = parts.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const { quick: isQuick } = values;
  const plan = {
    ...(isQuick ? quickPlan : fullPlan),
    ...(values.soak !== undefined && { soakSeconds: count("--soak", values.soak) }),
    ...(values.rounds !== undefined && { rounds: count("--rounds", values.rounds) }),
  };
  const isWhole = !isQuick && chosen.length === parts.length;
  return { chosen, plan, isQuick, out: values.out ?? (isWhole ? join(import.meta.dir, "RESULTS.md") : undefined) };
}

function count(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${flag}: "${text}": expected a whole number from 1 on`);
  return value;
}

async function main(): Promise<number> {
  let asked: Asked | "help";
  try {
    asked = readCommandLine();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return 2;
  }
  if (asked === "help") {
    process.stdout.write(usage);
    return 0;
  }
  await preparePeers();
  await compiledExecutable();
  const machine = await describeMachine();
  const sections: Section[] = [];
  let failures = 0;
  for (const part of asked.chosen) {
    try {
      sections.push(await part.run({ plan: asked.plan, say: (line) => say(`${part.name}: ${line}`) }));
      // After each: a run of an hour that is ended before its time has not been for nothing.
      if (asked.out !== undefined) await Bun.write(asked.out, await toResults(asked, machine, sections));
    } catch (error) {
      failures += 1;
      say(`FAILED: ${part.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  process.stdout.write(await toResults(asked, machine, sections));
  return failures === 0 ? 0 : 1;
}

/** Builds those who can be had and are not there yet; the line-up says who is left out. */
async function preparePeers(): Promise<void> {
  for (const recipe of [nodePeersRecipe, redisRecipe, postgresRecipe, elasticMqRecipe]) {
    if (isBuilt(recipe) || missingCommands(recipe).length > 0) continue;
    say(`building ${recipe.name} ${recipe.version}, ${recipe.buildTime}, once`);
    try {
      await buildPart(recipe);
    } catch (error) {
      // The line-up leaves out who needs it, or fails.
      say(`FAILED: ${recipe.name} could not be built: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

process.exitCode = await main();
