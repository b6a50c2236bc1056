/** The rules that we ship for Prometheus, and their cases, as they stand in `deploy/prometheus/`. */

import { join } from "node:path";
import { projectFolder } from "./executable.ts";

export interface RecordingRule {
  record: string;
  expr: string;
}

export interface AlertRule {
  alert: string;
  expr: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** A case of promtool's: one alert at one time, and the samples of `ALERTS` that are there then. */
export interface AlertCase {
  name: string;
  promql_expr_test: { expr: string; eval_time: string; exp_samples: unknown[] }[];
}

export const prometheusFolder = join(projectFolder, "deploy/prometheus");
export const ruleFiles = ["recording.yaml", "alerts.yaml"].map((file) => join(prometheusFolder, file));

interface Groups<Rule> {
  groups: { rules: Rule[] }[];
}

export async function readRecordingRules(): Promise<RecordingRule[]> {
  // Its form is promtool's to check.
  const { groups } = (await readYaml("recording.yaml")) as Groups<RecordingRule>;
  return groups.flatMap(({ rules }) => rules);
}

export async function readAlertRules(): Promise<AlertRule[]> {
  const { groups } = (await readYaml("alerts.yaml")) as Groups<AlertRule>;
  return groups.flatMap(({ rules }) => rules);
}

/** The whole file of cases, of which a test may make another. */
export async function readAlertCases(): Promise<{ tests: AlertCase[] }> {
  return (await readYaml("tests.yaml")) as { tests: AlertCase[] };
}

async function readYaml(file: string): Promise<unknown> {
  return Bun.YAML.parse(await Bun.file(join(prometheusFolder, file)).text());
}
