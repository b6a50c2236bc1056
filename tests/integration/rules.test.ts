/** The alerts that we ship fire when they should, keep quiet when they should, and lead to an answer. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { runPromtool } from "../parts/prometheus.ts";
import { anchorsOf, readDoc, tableBelow } from "../support/markdown.ts";
import {
  type AlertCase,
  prometheusFolder,
  readAlertCases,
  readAlertRules,
  ruleFiles,
} from "../support/prometheus-rules.ts";
import { describeWith } from "../support/requires.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 60_000;
const alerts = await readAlertRules();
const cases = await readAlertCases();
const promtoolPassed = { exitCode: 0, output: expect.stringContaining("SUCCESS") };

describeWith("prometheus")("promtool", () => {
  test("accepts the configuration with its rules", async () => {
    const answer = await runPromtool(["check", "config", join(prometheusFolder, "prometheus.yaml")]);
    expect(answer).toEqual(promtoolPassed);
  });

  test(
    "sees every alert fire in its cases, and in no other",
    async () => {
      expect(await runPromtool(["test", "rules", join(prometheusFolder, "tests.yaml")])).toEqual(promtoolPassed);
    },
    limitMs,
  );

  test(
    "can fill in what each alert says when it fires",
    async () => {
      await using folder = await tempFolder();
      const file = join(folder.path, "told.yaml");
      const firing = cases.tests.filter(isFiring).map(withoutAnnotations);
      // JSON is YAML.
      await Bun.write(file, JSON.stringify({ ...cases, rule_files: ruleFiles, tests: firing }));
      // No alert is without annotations, so each case fails, and is told with what it got.
      const { output } = await runPromtool(["test", "rules", file]);
      const told = [...output.matchAll(/Annotations:\{(.*summary=.*)\}/g)].map(([, annotations = ""]) => annotations);
      expect(told.length).toBe(firing.length);
      expect(told.filter((annotations) => /<no value>|<error|\{\{/.test(annotations))).toEqual([]);
    },
    limitMs,
  );
});

/** The same case as promtool asks alerts themselves, their annotations included. */
function withoutAnnotations({ promql_expr_test: asked, ...rest }: AlertCase): unknown {
  const alertTests = asked.map(({ expr, eval_time }) => ({ eval_time, alertname: alertOf(expr), exp_alerts: [] }));
  return { ...rest, alert_rule_test: alertTests };
}

function isFiring({ promql_expr_test: asked }: AlertCase): boolean {
  return asked.some(({ exp_samples: samples }) => samples.length > 0);
}

function alertOf(expr: string): string {
  return /^ALERTS\{alertname="(\w+)", alertstate="firing"\}$/.exec(expr)?.[1] ?? `none in ${expr}`;
}

describe("every alert", () => {
  test("has a case in which it fires and one in which it does not", () => {
    const namesOf = (some: readonly AlertCase[]): string[] =>
      [...new Set(some.flatMap(({ promql_expr_test: asked }) => asked.map(({ expr }) => alertOf(expr))))].sort();
    const names = alerts.map(({ alert }) => alert).sort();
    expect(names.length).toBeGreaterThan(11);
    expect(namesOf(cases.tests.filter(isFiring))).toEqual(names);
    expect(namesOf(cases.tests.filter((each) => !isFiring(each)))).toEqual(names);
  });

  test("stands in docs/operations.md", async () => {
    const told = tableBelow(await readDoc("docs/operations.md"), "Alerts").map(([name = ""]) =>
      name.replaceAll("`", ""),
    );
    expect(told.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
  });

  test("says how urgent it is, what it means, and which question leads on", async () => {
    const headings = anchorsOf(await readDoc("docs/questions.md")).map((anchor) => `docs/questions.md#${anchor}`);
    for (const { alert, labels, annotations } of alerts) {
      expect({ alert, severity: ["page", "ticket"].includes(labels.severity ?? "") }).toEqual({
        alert,
        severity: true,
      });
      expect({ alert, told: Object.keys(annotations).sort() }).toEqual({
        alert,
        told: ["description", "runbook", "summary"],
      });
      expect(headings).toContain(annotations.runbook ?? "");
    }
  });
});
