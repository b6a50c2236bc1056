/** The docs say what the code says: each table that repeats the code is held equal to it, each name in them exists. */

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { withCommands, withTables } from "../../scripts/docs.ts";
import { fallbackOf, flagOf, meaningOf, type SettingName, settingNames, variableOf } from "../../src/config.ts";
import { indexedAttributes } from "../../src/store/dynamo/item.ts";
import { laneIndex, shardCount } from "../../src/store/dynamo/lanes.ts";
import { domainEvents } from "../../src/telemetry/events.ts";
import { type Instrument, instruments } from "../../src/telemetry/metrics/instruments.ts";
import { labelOf } from "../../src/telemetry/metrics/prometheus.ts";
import { key, ownKey } from "../../src/telemetry/names.ts";
import { taskStatuses, transitions } from "../../src/words/task.ts";
import { projectFolder } from "../support/executable.ts";
import {
  anchorsOf,
  codeBlocks,
  codeWords,
  linkTargets,
  readDoc,
  sectionBelow,
  tableBelow,
} from "../support/markdown.ts";
import { startTestMeter } from "../support/test-meter.ts";

const paths = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  ...[...new Bun.Glob("docs/*.md").scanSync(projectFolder)].sort(),
];
const docs = await Promise.all(paths.map(async (path) => ({ path, text: await readDoc(path) })));
const architecture = await readDoc("docs/architecture.md");
const telemetryDoc = await readDoc("docs/telemetry.md");

/** A cell without its backquotes. */
function plain(cell = ""): string {
  return cell.replaceAll("`", "");
}

function inProject(path: string): string {
  return join(projectFolder, path);
}

describe("names in the docs", () => {
  test("that link to files or headings of this project lead there", async () => {
    const broken: string[] = [];
    for (const { path, text } of docs) {
      for (const target of linkTargets(text).filter((link) => !link.startsWith("https://"))) {
        const [file = "", anchor] = target.split("#");
        const linked = file === "" ? path : join(dirname(path), file);
        const isThere = existsSync(inProject(linked));
        const hasAnchor = anchor === undefined || (isThere && anchorsOf(await readDoc(linked)).includes(anchor));
        if (!isThere || !hasAnchor) broken.push(`${path}: ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  test("that are paths of this project exist", () => {
    const isPath = (word: string): boolean => /^(src|tests|docs|examples|proto|deploy|\.ci)\/[\w./-]*$/.test(word);
    const missing = docs.flatMap(({ path, text }) =>
      codeWords(text)
        .filter((word) => isPath(word) && !existsSync(inProject(word)))
        .map((word) => `${path}: ${word}`),
    );
    expect(missing).toEqual([]);
  });

  test("that are scripts are those of package.json", async () => {
    const manifest: { scripts: Record<string, string> } = await Bun.file(inProject("package.json")).json();
    const named = docs.flatMap(({ text }) =>
      [...text.matchAll(/\bbun(?:@[\d.]+)? run (\w+)/g)].map(([, name = ""]) => name),
    );
    expect(named.filter((name) => manifest.scripts[name] === undefined)).toEqual([]);
  });
});

describe("README.md", () => {
  const readme = readDoc("README.md");

  test("has less than 150 lines", async () => {
    expect((await readme).split("\n").length).toBeLessThan(150);
  });

  test("shows the handler of the examples as it is", async () => {
    const file = await readDoc("examples/handlers/send-email.ts");
    // The comment at the top tells what the README tells in its text.
    expect(codeBlocks(await readme, "ts")).toEqual([file.replace(/^\/\*\*.*?\*\/\n+/s, "")]);
  });
});

describe("docs/architecture.md", () => {
  const steps = tableBelow(architecture, "Reading order");

  test("has a reading order from the command line to the dead", () => {
    expect(steps.length).toBeGreaterThan(20);
    expect([plain(steps[0]?.[1]), plain(steps.find(([step]) => step === "the task is dead")?.[1])]).toEqual([
      "src/main.ts",
      "src/store/sqlite/dead-letters.ts",
    ]);
  });

  test.each(steps.map((cells) => [plain(cells[1]), plain(cells[2])]))("%s has %s", async (file = "", symbol = "") => {
    const source = await Bun.file(inProject(file)).text();
    expect(source).toMatch(usageOf(symbol, file === "src/main.ts"));
  });

  test("names a test that exists for each promise", () => {
    const promises = tableBelow(architecture, "What is promised");
    expect(promises.length).toBeGreaterThan(5);
    const held = promises.map(([promise, tests = ""]) => [
      promise,
      codeWords(tests).filter((word) => word.startsWith("tests/")),
    ]);
    expect(held.filter(([, tests]) => tests?.length === 0)).toEqual([]);
    expect(held.flatMap(([, tests]) => tests ?? []).filter((path) => !existsSync(inProject(path)))).toEqual([]);
  });
});

/** Where `symbol` is declared as a function, constant, class or method; for the program's first file, where it is called. */
function usageOf(symbol: string, isCall: boolean): RegExp {
  if (isCall) return new RegExp(String.raw`\bawait ${symbol}\(`);
  const declared = String.raw`^\s*(export )?(async )?(function|const|class) ${symbol}\b`;
  const method = String.raw`^\s+(async )?${symbol}(<[^>]*>)?\(.*\{$`;
  return new RegExp(`${declared}|${method}`, "m");
}

describe("docs/cli.md", () => {
  test("has every command as its help tells it", async () => {
    const page = await readDoc("docs/cli.md");
    expect(page).toBe(withCommands(page));
  });
});

describe("docs/task-states.md", () => {
  test("has the transitions of the code", async () => {
    const rows = tableBelow(await readDoc("docs/task-states.md"), "The states of a task");
    const told = rows.map(([from, to = ""]) => [plain(from), codeWords(to)]);
    expect(told.map(([from]) => from).toSorted()).toEqual([...taskStatuses].sort());
    expect(Object.fromEntries(told)).toEqual({ ...transitions });
  });

  test("explains each state", async () => {
    const text = await readDoc("docs/task-states.md");
    const unexplained = taskStatuses.filter((status) => sectionBelow(text, status).trim().length < 60);
    expect(unexplained).toEqual([]);
  });
});

describe("docs/operations.md", () => {
  /** Defaults that depend on the machine, in words. */
  const inWords: Partial<Record<SettingName, string>> = {
    handlers: "./handlers if it exists",
    memoryLimit: "80% of the memory",
    threads: "number of cores",
  };

  test("has the settings of the code", async () => {
    const rows = tableBelow(await readDoc("docs/operations.md"), "Settings");
    expect(rows.map((cells) => cells.map(plain))).toEqual(
      settingNames.map((name) => [flagOf(name), variableOf(name), inWords[name] ?? fallbackOf(name), meaningOf(name)]),
    );
  });
});

describe("the table on DynamoDB", () => {
  test("has the shards, the index and its attributes of the code", async () => {
    const section = sectionBelow(await readDoc("docs/operations.md"), "The table on DynamoDB");
    expect(section).toContain(`spread over ${shardCount} shards`);
    expect(codeWords(section)).toEqual(expect.arrayContaining([laneIndex, ...indexedAttributes]));
  });
});

describe("docs/telemetry.md", () => {
  test("names every key that spans, logs and resources carry", () => {
    const words = new Set(codeWords(telemetryDoc));
    expect([...Object.values(key), ...Object.values(ownKey)].filter((name) => !words.has(name))).toEqual([]);
  });

  test("has the tables of the code: every span's attributes, every metric", () => {
    expect(telemetryDoc).toBe(withTables(telemetryDoc));
  });

  test("has the metrics as /metrics has them", async () => {
    const told = tableBelow(telemetryDoc, "Metrics").map(([name, type, labels = "", unit = "", means]) => {
      return { name: plain(name), type, labels: codeWords(labels), unit: plain(unit), means };
    });
    expect<unknown>(told).toEqual(await Promise.all(Object.values(instruments).map(toRow)));
  });

  test("has the buckets of the code", () => {
    const words = new Set(codeWords(sectionBelow(telemetryDoc, "Metrics")));
    const all: Instrument[] = Object.values(instruments);
    const buckets = all.flatMap((instrument) => instrument.buckets?.join(" ") ?? []);
    expect(buckets.filter((list) => !words.has(list))).toEqual([]);
  });
});

describe("docs/telemetry.md on events and variables", () => {
  test("has the events of the code", () => {
    expect(
      tableBelow(telemetryDoc, "Domain events")
        .map(([event]) => plain(event))
        .toSorted(),
    ).toEqual([...domainEvents].toSorted());
  });

  test("names the line of each event as the code has it", async () => {
    const files = [
      "src/task-service/news.ts",
      "src/worker/attempts/run.ts",
      "src/worker/attempts/report.ts",
      "src/dlq/letters.ts",
      "src/dlq/redrive.ts",
    ];
    const text = (await Promise.all(files.map((path) => Bun.file(inProject(path)).text()))).join();
    const lines = tableBelow(telemetryDoc, "Domain events").flatMap(([, , line = ""]) => codeWords(line));
    expect(lines.length).toBeGreaterThan(7);
    expect(lines.filter((line) => !text.includes(`"${line}"`))).toEqual([]);
  });
});

/** An instrument as it stands in a scrape, once it was measured with all of its labels. */
async function toRow(instrument: Instrument) {
  const { meter, families } = startTestMeter("worker");
  const labels = instrument.labels.map(() => "any");
  if (isOf(instrument, "counter")) meter.counter(instrument).add(1, ...labels);
  else if (isOf(instrument, "histogram")) meter.histogram(instrument).record(1, undefined, ...labels);
  else meter.observe(observable(instrument), (observe) => observe(1, ...labels));
  const [family] = await families();
  return {
    name: family?.type === "counter" ? `${family.name}_total` : family?.name,
    type: family?.type === "unknown" ? "gauge" : family?.type,
    labels: instrument.labels.map(labelOf),
    unit: instrument.unit,
    means: family?.help,
  };
}

function isOf<K extends Instrument["kind"]>(instrument: Instrument, kind: K): instrument is Instrument<K> {
  return instrument.kind === kind;
}

function observable(instrument: Instrument): Instrument<"observed_counter" | "up_down" | "gauge"> {
  for (const kind of ["observed_counter", "up_down", "gauge"] as const) {
    if (isOf(instrument, kind)) return instrument;
  }
  throw new Error(`"${instrument.name}" is of no kind that is observed`);
}
