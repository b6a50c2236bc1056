/** The page's other views as their users meet them: overview, dead letters, traces, system, in a real Chromium. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { startChromium } from "../parts/chromium.ts";
import { openPage, seriousFaults } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts, startThroughline, type ThroughlineProcess } from "../support/process.ts";
import { describeWith } from "../support/requires.ts";
import type { HttpTask } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 90_000;
/** For what comes with the metrics, which the roles send every five seconds. */
const figuresLimitMs = 30_000;

/** Fails until its file is gone, as a handler does whose provider is away; `crash` ends its thread instead. */
const handler = (markPath: string) => `import { existsSync } from "node:fs";
export default {
  maxAttempts: 1,
  async run(task) {
    if (task.payload.card === "good") return { charged: true };
    if (!existsSync(${JSON.stringify(markPath)})) return { charged: true };
    if (task.payload.kill) process.exit(1);
    throw Object.assign(new Error("card " + task.id + " was declined"), { name: "CardDeclined" });
  },
};
`;

describeWith("chromium")("the console's views", () => {
  let browser: Browser;
  let running: ThroughlineProcess;
  let site = "";
  let markPath = "";
  const stack = new AsyncDisposableStack();

  beforeAll(async () => {
    const folder = stack.use(await tempFolder());
    markPath = join(folder.path, "provider-is-away");
    await Bun.write(join(folder.path, "handlers/charge-card.js"), handler(markPath));
    const flags = ["--role=all", `--handlers=${join(folder.path, "handlers")}`, "--threads=2"];
    running = stack.use(await startThroughline([...flags, ...freePorts]));
    site = running.addresses.console_url ?? "";
    browser = await startChromium();
    stack.defer(() => browser.close());
  }, limitMs);
  afterAll(() => stack.disposeAsync(), limitMs);

  async function submit(payload: unknown): Promise<string> {
    const body = JSON.stringify({ type: "charge-card", payload });
    const init = { method: "POST", headers: { "content-type": "application/json" }, body };
    const task: HttpTask = await (await fetch(`${running.addresses.gateway_url}/v1/tasks`, init)).json();
    return task.id;
  }

  async function die(payloads: unknown[]): Promise<string[]> {
    await Bun.write(markPath, "");
    const ids = await Promise.all(payloads.map(submit));
    for (const id of ids) await becomes(id, "dead");
    return ids;
  }

  function becomes(id: string, status: string): Promise<unknown> {
    const look = async () => {
      const task: HttpTask = await (await fetch(`${running.addresses.gateway_url}/v1/tasks/${id}`)).json();
      return task.status === status;
    };
    return eventually(look, { timeoutMs: figuresLimitMs });
  }

  test(
    "bring a group of dead letters back, and tell that all of it succeeded, in one stitched trace each",
    async () => {
      const [id = ""] = await die([{ kill: true }, {}, {}]);
      await using own = await openPage(browser, `${site}/dead-letters`);
      const { page } = own;
      const group = page.getByRole("row", { name: /CardDeclined card <id> was declined/ });
      await group.waitFor();
      expect(await group.getByRole("cell").nth(2).textContent()).toBe("2");
      const killed = page.getByRole("row").filter({ hasNotText: "CardDeclined" }).filter({ hasText: "charge-card" });
      await killed.getByRole("link").first().click();
      await page.getByRole("row", { name: new RegExp(id.slice(-8)) }).waitFor();
      await page.goBack();

      await Bun.file(markPath).delete();
      await page.getByRole("button", { name: /^Redrive all 3/ }).click();
      const dialog = page.getByRole("dialog", { name: /^Redrive all/ });
      await dialog.getByText("3 tasks go back to work").waitFor();
      await dialog.getByLabel("Tasks a second").fill("20");
      await dialog.getByLabel("Reason").fill("the provider is back");
      await dialog.getByRole("button", { name: "Redrive 3" }).click();
      await page.getByText("3 of 3 succeeded").waitFor({ timeout: figuresLimitMs });
      await page.getByText("the provider is back").waitFor();
      await page.goto(`${site}/dead-letters`);
      await page.getByText("Nothing is dead").waitFor();
      await page.getByRole("listitem").filter({ hasText: "3 of 3 succeeded" }).waitFor();

      await page.goto(`${site}/tasks/${id}`);
      await page.getByRole("heading", { name: "charge-card succeeded" }).waitFor();
      const find = page.getByLabel("Search the trace");
      for (const text of ["POST /v1/tasks", "process task-events-dlq", "redrive tasks", "run charge-card"]) {
        await find.fill(text);
        await page.getByText(/^[1-9]\d* found/).waitFor({ timeout: figuresLimitMs });
        await find.fill("nobody says this");
        await page.getByText(/^[1-9]\d* found/).waitFor({ state: "detached" });
      }
      expect(own.complaints).toEqual([]);
    },
    limitMs,
  );

  test(
    "brings chosen ones back, one with its payload edited, and discards one",
    async () => {
      const [first = "", edited = "", discarded = ""] = await die([{ n: 1 }, { n: 2 }, { n: 3 }]);
      await using own = await openPage(browser, `${site}/dead-letters`);
      const { page } = own;
      const { keyboard } = page;
      await page.getByRole("row", { name: /CardDeclined/ }).waitFor();
      await keyboard.press("j");
      await keyboard.press("Enter");
      await page.getByLabel(`Choose ${first}`).check();
      await page.getByRole("button", { name: /^Redrive chosen 1/ }).click();
      await page.getByText("1 task goes back to work").waitFor();
      await keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });

      await page.getByRole("row", { name: new RegExp(edited.slice(-8)) }).click();
      await page.getByRole("heading", { name: "CardDeclined" }).waitFor();
      await keyboard.press("e");
      const payload = page.getByLabel("Payload, JSON");
      await payload.fill('{"card": ');
      expect(await page.getByRole("button", { name: "Redrive with this" }).isDisabled()).toBe(true);
      await payload.fill('{"card": "good"}');
      await page.getByRole("button", { name: "Redrive with this" }).click();
      await page.waitForURL(`${site}/tasks/${edited}`);
      await page.getByRole("heading", { name: "charge-card succeeded" }).waitFor({ timeout: figuresLimitMs });
      await page.getByText('"card": "good"').waitFor();

      await page.goto(`${site}/dead-letters/${discarded}`);
      await page.getByRole("button", { name: "Discard…" }).click();
      await page.getByLabel("Reason").fill("nobody waits for it");
      await page.getByRole("button", { name: "Discard", exact: true }).click();
      await page.getByText("It is not dead any more").waitFor();
      await becomes(discarded, "discarded");
      await becomes(first, "dead");
    },
    limitMs,
  );

  test(
    "draws what happens, and leads from a figure to what is behind it",
    async () => {
      await submit({ card: "good" });
      await using own = await openPage(browser, site);
      const { page } = own;
      const created = page.getByRole("link", { name: /^Created [1-9]/ });
      await created.waitFor({ timeout: figuresLimitMs });
      await page.getByRole("figure").filter({ hasText: "End to end" }).getByText(/ m?s$/).first().waitFor();
      await page.getByRole("slider", { name: "Moment" }).focus();
      await page.keyboard.press("ArrowLeft");
      await page
        .getByRole("figure")
        .filter({ hasText: "created" })
        .getByRole("link", { name: /^created/ })
        .click();
      await page.waitForURL(/\/tasks\?since=.*&until=/);
      await page.getByRole("heading", { name: "Tasks" }).waitFor();
      await page.goto(`${site}/?range=1h`);
      await page.getByRole("link", { name: "1 h", exact: true }).waitFor();
      expect(await page.getByRole("link", { name: "1 h", exact: true }).getAttribute("aria-current")).toBe("true");
      expect(own.complaints).toEqual([]);
    },
    limitMs,
  );

  test(
    "finds traces by what they are asked for, and opens files of them",
    async () => {
      const id = await submit({ card: "good" });
      await using own = await openPage(browser, `${site}/traces`);
      const { page } = own;
      await page.getByLabel("Trace or task id").fill(id);
      const row = page.getByRole("row", { name: new RegExp(`POST /v1/tasks.*${id.slice(-8)}`) });
      await page.waitForURL(`${site}/traces?task_id=${id}`);
      await row.waitFor({ timeout: figuresLimitMs });
      await row.getByRole("link").first().click();
      await page.getByRole("tree").getByText("run charge-card").waitFor({ timeout: figuresLimitMs });
      await page.goto(`${site}/traces?service=nobody`);
      await page.getByText("No trace fits").waitFor();

      const start = 1_700_000_000_000_000;
      const spans = [
        {
          traceID: "abc",
          spanID: "1",
          operationName: "GET /checkout",
          startTime: start,
          duration: 9000,
          processID: "p",
        },
        {
          traceID: "abc",
          spanID: "2",
          operationName: "SELECT orders",
          references: [{ refType: "CHILD_OF", traceID: "abc", spanID: "1" }],
          startTime: start + 1000,
          duration: 3000,
          processID: "p",
        },
      ];
      const jaeger = JSON.stringify({ data: [{ traceID: "abc", spans, processes: { p: { serviceName: "shop" } } }] });
      const file = { name: "checkout.json", mimeType: "application/json", buffer: Buffer.from(jaeger) };
      await page.getByLabel("Trace file").setInputFiles(file);
      await page.getByRole("tree").getByText("SELECT orders").waitFor();
      await page.getByText("From checkout.json, which was read here").waitFor();
      await page.goBack();
      await page.getByLabel("Trace file").setInputFiles({ ...file, buffer: Buffer.from("no trace") });
      await page.getByText("checkout.json cannot be opened: it is no JSON").waitFor();
      expect(own.complaints).toEqual([]);
    },
    limitMs,
  );

  test(
    "says who is there and what is in force",
    async () => {
      await using own = await openPage(browser, `${site}/system`);
      const { page } = own;
      await page.getByText("healthy").first().waitFor();
      for (const role of ["api-gateway", "task-service", "worker", "dlq-processor"]) {
        await page.getByRole("rowheader", { name: role }).first().waitFor({ timeout: figuresLimitMs });
      }
      await page.getByLabel("Search settings").fill("--threads");
      await page.getByRole("row", { name: /--threads 2 flag/ }).waitFor();
      expect(own.complaints).toEqual([]);
    },
    limitMs,
  );

  test.each([
    ["light", 1280],
    ["dark", 360],
  ] as const)(
    "have nothing that axe finds serious, and fit: %s, %p wide",
    async (colorScheme, width) => {
      const [id = ""] = await die([{ n: 4 }]);
      const options = { colorScheme, bypassCSP: true, viewport: { width, height: 740 } };
      await using own = await openPage(browser, site, options);
      const { page } = own;
      const seen: [path: string, text: string | RegExp][] = [
        ["/", "Threads busy"],
        ["/dead-letters", "CardDeclined"],
        [`/dead-letters/${id}`, "CardDeclined"],
        ["/traces", /POST/],
        ["/system", "Settings in force"],
      ];
      for (const [path, text] of seen) {
        await page.goto(`${site}${path}`);
        await page.getByText(text).first().waitFor({ timeout: figuresLimitMs });
        expect(await seriousFaults(page)).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)).toBe(false);
      }
      await page.goto(`${site}/dead-letters`);
      await page.getByRole("button", { name: /^Redrive all/ }).click();
      await page.getByText("back to work").waitFor();
      expect(await seriousFaults(page)).toEqual([]);
    },
    limitMs,
  );
});
