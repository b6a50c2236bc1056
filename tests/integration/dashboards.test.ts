/**
 * Everything that dashboards and rules ask for is there: a real Prometheus with our rules scrapes a system that has run
 * tasks of every fate, and each expression of each panel and rule has numbers for an answer.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type PrometheusPart, type Sample, startPrometheus } from "../parts/prometheus.ts";
import { fateFlags, runFates } from "../support/counted-fates.ts";
import { type Panel, readDashboards, rowsOf, targetsOf } from "../support/dashboards.ts";
import { eventually } from "../support/eventually.ts";
import { projectFolder } from "../support/executable.ts";
import { codeWords, readDoc } from "../support/markdown.ts";
import { type ObservedSystem, startObservedSystem } from "../support/observed-system.ts";
import { readAlertRules, readRecordingRules, ruleFiles } from "../support/prometheus-rules.ts";
import { metricsIn } from "../support/promql.ts";
import { describeWith } from "../support/requires.ts";

const limitMs = 120_000;

/** Panels and rules that have nothing to show as long as all is well, and what it takes. */
const onlyInTrouble: Record<string, string> = {
  "Requests answered with 5xx, per minute": "a fault of ours, or something away",
  "Store operations that fail, per minute": "a store that is away",
  "Queue operations that fail, per minute": "a queue that is away",
  "Spans dropped per second": "a collector that is away, or too many spans",
  "Log records dropped per second": "a collector that is away, or too many log records",
  "throughline:telemetry_dropped:total": "the same",
};

const dashboards = await readDashboards();
const recorded = await readRecordingRules();
const alerts = await readAlertRules();
const asked = [
  ...dashboards.flatMap((dashboard) => targetsOf(dashboard, "1m").map(({ panel, expr }) => ({ name: panel, expr }))),
  ...recorded.map(({ record, expr }) => ({ name: record, expr })),
];

describeWith("prometheus")("in a Prometheus that has seen tasks of every fate", () => {
  const stack = new AsyncDisposableStack();
  let system: ObservedSystem;
  let prometheus: PrometheusPart;

  beforeAll(async () => {
    system = stack.use(await startObservedSystem(fateFlags));
    prometheus = stack.use(await startPrometheus([{ name: "throughline", url: system.adminUrl }], ruleFiles));
    // What began with the first round grows in the second: a rate needs both.
    await runFates(system.url);
    await evaluatedSince();
    await runFates(system.url);
    await evaluatedSince();
  }, limitMs);
  afterAll(() => stack.disposeAsync(), limitMs);

  /** Resolves once everything that has happened by now was scraped, and the rules were asked about it. */
  const evaluatedSince = async (): Promise<void> => {
    let nowSeconds = Date.now() / 1000;
    for (const metric of ["up", "throughline:tasks_active:max"]) {
      await eventually(async () => {
        const [newest] = await prometheus.query(`min(timestamp(${metric}))`);
        return newest !== undefined && newest.value > nowSeconds;
      });
      nowSeconds = Date.now() / 1000;
    }
  };

  test.each(asked.map(({ name, expr }) => [name, expr] as const))("%s", async (name, expr) => {
    const samples = await prometheus.query(expr);
    const answered = samples.some(isNumber);
    expect({ expr, samples, answered }).toEqual({ expr, samples, answered: onlyInTrouble[name] === undefined });
  });

  test("each alert can be asked, and only the one about dead letters has reason to fire", async () => {
    const firing: string[] = [];
    for (const { alert, expr } of alerts) {
      if ((await prometheus.query(expr)).length > 0) firing.push(alert);
    }
    // Half of the attempts of these fates are there to fail.
    expect(firing.filter((alert) => alert !== "ThroughlineAttemptsFail" && !isAboutTime(alert))).toEqual([
      "ThroughlineDeadLetters",
    ]);
  });
});

/** On a machine that is busy with other things, these may well have reason. */
function isAboutTime(alert: string): boolean {
  return /(Slow|Late|Lost)$/.test(alert);
}

function isNumber({ value }: Sample): boolean {
  return Number.isFinite(value);
}

describe("what dashboards and rules name", () => {
  test("are metrics of docs/telemetry.md, or recorded by our rules", async () => {
    const families = new Set(codeWords(await readDoc("docs/telemetry.md")));
    const own = new Set([...recorded.map(({ record }) => record), "up"]);
    const isKnown = (name: string): boolean =>
      own.has(name) || families.has(name) || families.has(name.replace(/_(bucket|sum|count)$/, ""));
    const names = [...asked, ...alerts].flatMap(({ expr }) => metricsIn(expr));
    expect(names.length).toBeGreaterThan(80);
    expect(names.filter((name) => !isKnown(name))).toEqual([]);
  });

  test("in trouble only is really named", () => {
    const names = new Set(asked.map(({ name }) => name));
    expect(Object.keys(onlyInTrouble).filter((name) => !names.has(name))).toEqual([]);
  });

  test("as sources of data are those that Grafana is given", async () => {
    const file = join(projectFolder, "deploy/grafana/provisioning/datasources/throughline.yaml");
    // Our own file.
    const { datasources } = Bun.YAML.parse(await Bun.file(file).text()) as { datasources: { uid: string }[] };
    const uids = datasources.map(({ uid }) => uid).sort();
    const panels = dashboards.flatMap((dashboard) => dashboard.panels);
    expect(uids).toEqual(["jaeger", "prometheus"]);
    expect(panels.filter(({ type, datasource }) => type !== "row" && datasource?.uid !== "prometheus")).toEqual([]);
    expect(panels.filter((panel) => linkedSources(panel).some((uid) => !uids.includes(uid)))).toEqual([]);
  });
});

/** The sources of data that a panel's links open. */
function linkedSources({ links = [] }: Panel): string[] {
  return links.flatMap(({ url }) => {
    // Grafana's own form of a link to its page Explore.
    const panes = JSON.parse(new URL(url, "http://grafana").searchParams.get("panes") ?? "") as Record<
      string,
      { datasource: string }
    >;
    return Object.values(panes).map(({ datasource }) => datasource);
  });
}

describe("the dashboard of tasks", () => {
  const main = dashboards.find(({ uid }) => uid === "throughline");
  const panels = main?.panels.filter(({ type }) => type !== "row") ?? [];

  test("has the rows that people look for", () => {
    expect(main && rowsOf(main)).toEqual(["Throughput", "Execution", "Health", "Errors"]);
  });

  test("leads from every panel to traces", () => {
    expect(panels.length).toBeGreaterThan(25);
    const leads = ({ links, targets }: Panel): boolean =>
      links?.some(({ title }) => title === "traces") === true || targets?.some(({ exemplar }) => exemplar) === true;
    expect(panels.filter((panel) => !leads(panel)).map(({ title }) => title)).toEqual([]);
  });

  test.each([
    ["API response", [0.1, 0.2]],
    ["Store operations, mean", [0.003, 0.005]],
    ["Events told after their commit, p95", [0.01, 0.02]],
    ["From creation to end, p99", [0.5, 1]],
    ["Claims won", [0.9, 0.95]],
    ["Store connections in use", [0.8, 0.9]],
  ])("draws target and limit of %s", (title, values) => {
    const steps = panels.find((panel) => panel.title === title)?.fieldConfig?.defaults.thresholds?.steps;
    expect(steps?.flatMap(({ value }) => value ?? [])).toEqual(values);
  });

  test.each(dashboards.map(({ file, panels: all }) => [file, all] as const))("%s: no two panels overlap", (_, all) => {
    const cells = all.flatMap(({ id, gridPos: { h, w, x, y } }) =>
      Array.from({ length: h * w }, (_unused, at) => ({ id, cell: `${x + (at % w)} ${y + Math.floor(at / w)}` })),
    );
    expect(new Set(cells.map(({ cell }) => cell)).size).toBe(cells.length);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  });
});
