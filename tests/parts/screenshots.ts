/**
 * `bun run screenshots`: pictures of the console's page for docs/images/, of a system that has had something to do. To
 * look at with care: nobody compares them.
 */

import { join } from "node:path";
import type { Page } from "playwright-core";
import { systemClock } from "../../src/limits/clock.ts";
import { projectFolder } from "../support/executable.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";
import { startChromium } from "./chromium.ts";

interface Shot {
  name: string;
  /** `ids`: of a task of each type that was handed in. */
  path(ids: ReadonlyMap<string, string>): string;
  scheme: "light" | "dark";
  size: { width: number; height: number };
  /** What is there when it is time. */
  isReady(page: Page): Promise<void>;
}

const desk = { width: 1280, height: 800 };
const phone = { width: 390, height: 844 };
const rows = (page: Page): Promise<void> => page.getByRole("table").waitFor();
const figures = (page: Page): Promise<void> => page.getByRole("link", { name: /^Created [1-9]/ }).waitFor();
const roles = (page: Page): Promise<void> => page.getByRole("rowheader", { name: "worker" }).first().waitFor();
const spans = (page: Page): Promise<void> => page.getByRole("treeitem").nth(20).waitFor({ timeout: 30_000 });

const shots: readonly Shot[] = [
  { name: "tasks", path: () => "/tasks", scheme: "light", size: desk, isReady: rows },
  { name: "task", path: (ids) => `/tasks/${ids.get("flaky")}`, scheme: "light", size: desk, isReady: spans },
  { name: "task-dark", path: (ids) => `/tasks/${ids.get("flaky")}`, scheme: "dark", size: desk, isReady: spans },
  { name: "overview", path: () => "/", scheme: "light", size: { width: 1280, height: 1180 }, isReady: figures },
  { name: "overview-phone", path: () => "/", scheme: "dark", size: phone, isReady: figures },
  { name: "dead-letters", path: () => "/dead-letters", scheme: "light", size: desk, isReady: rows },
  { name: "traces", path: () => "/traces", scheme: "dark", size: desk, isReady: rows },
  // On a phone the name of the machine is not shown.
  { name: "system-phone", path: () => "/system", scheme: "dark", size: phone, isReady: roles },
  { name: "tasks-phone", path: () => "/tasks", scheme: "light", size: phone, isReady: rows },
];

const work: readonly { type: string; [field: string]: unknown }[] = [
  ...Array.from({ length: 6 }, (_, at) => ({ type: "echo", payload: { order: at + 1, customer: `c-${at + 17}` } })),
  { type: "flaky", payload: { failures: 2 }, max_attempts: 4 },
  { type: "fail", payload: { message: "550 mailbox unavailable" }, max_attempts: 2 },
  { type: "fail", payload: { message: "card declined", fatal: true } },
  { type: "sleep", payload: { ms: 600_000 }, timeout: "20m" },
  { type: "echo", payload: { later: true }, delay: "2h" },
];

async function handIn(running: TestSystem): Promise<Map<string, string>> {
  const ids = new Map<string, string>();
  for (const task of work) ids.set(task.type, (await running.accept(task)).id);
  await running.task(ids.get("flaky") ?? "", "30s");
  return ids;
}

const workForMs = 60_000;
const pauseMs = 80;

/** So that there is something to be drawn. */
async function keepAtWork(running: TestSystem): Promise<void> {
  const endMs = Date.now() + workForMs;
  for (let count = 0; Date.now() < endMs; count++) {
    const type = count % 7 === 0 ? "flaky" : count % 5 === 0 ? "sleep" : "echo";
    const payload = { echo: { order: count }, flaky: { failures: 1 }, sleep: { ms: (count * 37) % 240 } }[type];
    await running.accept({ type, payload });
    if (count % 40 === 0)
      await running.accept({ type: "fail", payload: { message: `card ${count} declined`, fatal: true } });
    await systemClock.sleep(pauseMs);
  }
}

async function main(): Promise<void> {
  const flags = { role: "all", retryBase: "300ms", retryCap: "300ms", drainTimeout: "2s" };
  await using running = await startTestSystem(flags);
  const ids = await handIn(running);
  await keepAtWork(running);
  await using browser = await startChromium();
  for (const { name, path, scheme, size, isReady } of shots) {
    const page = await browser.newPage({ viewport: size, colorScheme: scheme });
    await page.goto(`${running.system.addresses.console_url}${path(ids)}`);
    await isReady(page);
    const file = join(projectFolder, "docs/images", `console-${name}.png`);
    await page.screenshot({ path: file, animations: "disabled" });
    process.stderr.write(`${file}\n`);
    await page.close();
  }
}

await main();
process.exit(0);
