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
import { describeMachine } from "./machine.ts";
import { parts } from "./parts.ts";
import { fullPlan, type Plan, quickPlan } from "./plan.ts";
import { type Part, type Section, showSection } from "./section.ts";

const usage = `bun run bench -- [--quick] [--soak SECONDS] [--rounds N] [--out FILE] [part…]

  parts     ${parts.map(({ name }) => name).join(", ")}; without any: all
  --quick   under three minutes; what it measures says little
  --soak    how long the soak takes
  --rounds  how often each contestant has its turn
  --out     where the tables are written; without it to bench/RESULTS.md when everything was measured, not --quick
`;

const plans = { full: fullPlan, quick: quickPlan };

/** What the results say about themselves. */
const sizes: Record<keyof typeof plans, string> = {
  full: "the full size",
  quick: "**the quick size, which says whether everything is delivered; its figures say little**",
};

interface Asked {
  chosen: readonly Part[];
  plan: Plan;
  /** As the results say it. */
  size: keyof typeof plans;
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
  const size = values.quick ? "quick" : "full";
  const plan = {
    ...plans[size],
    ...(values.soak !== undefined && { soakSeconds: count("--soak", values.soak) }),
    ...(values.rounds !== undefined && { rounds: count("--rounds", values.rounds) }),
  };
  const isWhole = size === "full" && chosen.length === parts.length;
  return { chosen, plan, size, out: values.out ?? (isWhole ? join(import.meta.dir, "RESULTS.md") : undefined) };
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
    await buildPart(recipe);
  }
}

async function toResults(
  { size, plan }: Asked,
  machine: readonly string[],
  sections: readonly Section[],
): Promise<string> {
  const date = new Date().toISOString().slice(0, 10);
  const intro = [
    "# Results",
    "",
    `Made by \`bun run bench\` on ${date}: ${sizes[size]}, ${plan.rounds} rounds of each contestant in turn after ${plan.warmUpTasks} tasks of warm-up. Figures are medians, with the least and the most behind them. In every round each task was accepted, and run exactly once. How it is measured: [docs/performance.md](../docs/performance.md).`,
    "",
    ...machine,
    "",
  ];
  const tried = size === "full" ? [await Bun.file(join(import.meta.dir, "TRIED.md")).text()] : [];
  return `${intro.join("\n")}\n${[...sections.map(showSection), ...tried].join("\n")}`;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

process.exitCode = await main();
