/** What telemetry costs: all of it against none, and each part of it alone. */

import { throughline, throughlineWith } from "../contestants.ts";
import { interleave, startLineUp, usualConnections } from "../line-up.ts";
import { runRound } from "../round.ts";
import type { Part } from "../section.ts";
import { ratios, summary } from "../statistics.ts";
import { judge } from "../targets.ts";

const all = throughlineWith("all of it");
const none = throughlineWith("none: OTEL_SDK_DISABLED", [], () => ({ OTEL_SDK_DISABLED: "true" }));
const kept = throughlineWith("recorded, and sent nowhere", [], () => ({}));
const signals = (["traces", "metrics", "logs"] as const).map((signal) =>
  throughlineWith(`recorded, and ${signal} exported`, [], (otlpUrl = "") => ({
    [`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`]: `${otlpUrl}/v1/${signal}`,
  })),
);
const unsampled = throughlineWith("all of it, no trace sampled", [], (otlpUrl = "") => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl,
  OTEL_TRACES_SAMPLER: "always_off",
}));

export const tax: Part = {
  name: "tax",
  run: async (context) => {
    const { plan, say } = context;
    await using lineUp = await startLineUp([none, kept, ...signals, unsampled, all], true, context);
    say(`${plan.tasks} tasks with more and less telemetry`);
    const results = await interleave(lineUp.all, plan.rounds, (ready) =>
      runRound(ready, { tasks: plan.tasks, connections: usualConnections }),
    );
    const rates = (name: string): number[] => (results.get(name) ?? []).map((round) => round.tasksPerSecond);
    const lossOf = (name: string): number[] => ratios(rates(name), rates(none.name)).map((ratio) => (1 - ratio) * 100);
    const rows = [...results].map(([name, rounds]) => [
      name,
      summary(rounds.map(({ tasksPerSecond }) => tasksPerSecond)),
      summary(rounds.map(({ cpuMicros }) => cpuMicros)),
      summary(lossOf(name)),
    ]);
    return {
      title: "What telemetry costs",
      how: `${throughline.name} alone, ${usualConnections} connections, all of them running side by side and measured in turn.`,
      tables: [{ columns: ["telemetry", "tasks/s", "CPU µs a task", "% of the rate"], rows }],
      targets: [judge("telemetry", lossOf(all.name))],
    };
  },
};
