/** The console's page as its users meet it: the compiled executable, in a real Chromium. */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { toFileText } from "../../src/access/api-key-file.ts";
import { hashApiKey, newApiKey } from "../../src/access/api-keys.ts";
import { toOtlpJson } from "../../src/otlp/json.ts";
import { startChromium } from "../parts/chromium.ts";
import { openPage, seriousFaults } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts, startThroughline, type ThroughlineProcess } from "../support/process.ts";
import { describeWith } from "../support/requires.ts";
import { span } from "../support/spans.ts";
import type { HttpTask } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 60_000;
/** With a schema as libraries give it (Standard JSON Schema). */
const handler = `export default {
  payload: { "~standard": {
    version: 1,
    vendor: "own",
    validate: (value) => ({ value }),
    jsonSchema: { input: () => ({ type: "object", properties: { rows: { type: "integer" } } }), output: () => ({}) },
  } },
  async run(task, ctx) {
    ctx.log.info("counting the rows", { rows: task.payload.rows });
    return { counted: task.payload.rows };
  },
};
`;

describeWith("chromium")("the console's page", () => {
  let browser: Browser;
  let running: ThroughlineProcess;
  let site = "";
  const stack = new AsyncDisposableStack();

  beforeAll(async () => {
    const folder = stack.use(await tempFolder());
    await Bun.write(join(folder.path, "handlers/count-rows.js"), handler);
    const flags = ["--role=all", `--handlers=${join(folder.path, "handlers")}`, "--threads=2"];
    running = stack.use(await startThroughline([...flags, ...freePorts]));
    site = running.addresses.console_url ?? "";
    browser = await startChromium();
    stack.defer(() => browser.close());
  }, limitMs);
  afterAll(() => stack.disposeAsync(), limitMs);

  async function submit(body: unknown): Promise<HttpTask> {
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    return (await fetch(`${running.addresses.gateway_url}/v1/tasks`, init)).json();
  }

  test(
    "takes a task, shows it run, its waterfall, and the log line of its handler",
    async () => {
      await using own = await openPage(browser, `${site}/tasks`);
      const { page } = own;
      await page.getByRole("button", { name: "New task" }).click();
      const dialog = page.getByRole("dialog", { name: "New task" });
      await dialog.getByLabel("Type").fill("count-rows");
      await page.getByLabel("Payload, JSON").fill('{"rows": ');
      await page.getByText("No JSON").waitFor();
      expect(await page.getByRole("button", { name: "Submit task" }).isDisabled()).toBe(true);
      await page.getByLabel("Payload, JSON").fill('{"rows": "seven"}');
      await page.getByText("/payload/rows: Instance type").waitFor();
      await page.getByLabel("Payload, JSON").fill('{"rows": 7}');
      await page.getByRole("button", { name: "Submit task" }).click();
      await page.waitForURL(/\/tasks\/[0-9a-f-]{36}$/);
      await page.getByRole("heading", { name: "count-rows succeeded" }).waitFor();
      await page.getByText('"counted": 7').waitFor();
      const tree = page.getByRole("tree", { name: "Spans" });
      await tree.getByText("run count-rows").waitFor({ timeout: 30_000 });
      for (const row of ["POST /v1/tasks", "INSERT tasks", "send task-events", "process task-events", "wait"]) {
        await tree.getByText(row, { exact: true }).waitFor();
      }
      await page.getByLabel("Search the trace").fill("counting rows 7");
      await page.getByText("1 found").waitFor();
      await page.getByLabel("Search the trace").press("Enter");
      const details = page.getByRole("complementary", { name: "The row" });
      await details.getByRole("heading", { name: "counting the rows" }).waitFor();
      const link = page.url();
      expect(link).toContain("?span=");
      await page.goto(link);
      await details.getByRole("heading", { name: "counting the rows" }).waitFor();
      expect(own.complaints).toEqual([]);
    },
    limitMs,
  );

  test(
    "shows a task whose handler's thread ends, to its death, and leads to the error",
    async () => {
      const { id } = await submit({ type: "crash", max_attempts: 1 });
      await using own = await openPage(browser, `${site}/tasks/${id}`);
      const { page } = own;
      await page.getByRole("heading", { name: "crash dead" }).waitFor({ timeout: 30_000 });
      await page.getByRole("button", { name: /^\d errors?$/ }).click({ timeout: 30_000 });
      const details = page.getByRole("complementary", { name: "The row" });
      await eventually(async () => (await details.textContent())?.includes("error") === true);
      await page.goto(`${site}/tasks?status=dead`);
      await page.getByRole("row", { name: /crash/ }).waitFor();
      expect(own.complaints).toEqual([]);
    },
    limitMs,
  );

  test(
    "does all of it by the keyboard alone",
    async () => {
      await using own = await openPage(browser, site);
      const { page } = own;
      const { keyboard } = page;
      await page.getByRole("heading", { name: "Overview" }).waitFor();
      await keyboard.press("g");
      await keyboard.press("t");
      await page.getByRole("heading", { name: "Tasks" }).waitFor();
      await keyboard.press("?");
      await page.getByRole("dialog", { name: "Keyboard" }).getByText("New task").waitFor();
      await keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      await keyboard.press("n");
      await page.getByRole("dialog", { name: "New task" }).waitFor();
      await keyboard.press("Control+a");
      await keyboard.type("sleep");
      await keyboard.press("Tab");
      await keyboard.press("Control+a");
      await keyboard.type('{"ms": 600000}');
      await keyboard.press("Control+Enter");
      await page.getByRole("heading", { name: "sleep running" }).waitFor();
      const { pathname } = new URL(page.url());
      await keyboard.press("g");
      await keyboard.press("t");
      await page.getByRole("row", { name: /sleep/ }).waitFor();
      await keyboard.press("/");
      await keyboard.type("600000");
      await page
        .getByRole("row", { name: /echo|count-rows/ })
        .first()
        .waitFor({ state: "detached" });
      await keyboard.press("Escape");
      await keyboard.press("j");
      await keyboard.press("x");
      await page.getByRole("button", { name: "Cancel 1" }).waitFor();
      await keyboard.press("Enter");
      await page.waitForURL(`${site}${pathname}`);
      await page.getByRole("button", { name: "Cancel", exact: true }).focus();
      await keyboard.press("Enter");
      await page.getByRole("heading", { name: "sleep canceled" }).waitFor();
      await page.getByRole("tree").waitFor({ timeout: 30_000 });
      await keyboard.press("j");
      await eventually(() => page.url().includes("?span="));
      expect(own.complaints).toEqual([]);
    },
    limitMs,
  );

  test(
    "keeps its filter in the address, and stands still when it is told to",
    async () => {
      const { id } = await submit({ type: "echo", payload: "needle in a haystack" });
      await using own = await openPage(browser, `${site}/tasks?type=echo&q=needle`);
      const { page } = own;
      const rows = page.locator("tbody tr");
      await page.getByRole("row", { name: new RegExp(id.slice(-8)) }).waitFor();
      expect(await rows.count()).toBe(1);
      await page.getByRole("button", { name: "Live" }).click();
      await page.getByRole("button", { name: "Paused" }).waitFor();
      await submit({ type: "echo", payload: "another needle" });
      await page.getByRole("link", { name: /^Succeeded/i }).click();
      expect(new URL(page.url()).search).toBe("?type=echo&q=needle&status=succeeded");
      await page.getByRole("button", { name: "Paused" }).click();
      await eventually(async () => (await rows.count()) === 2);
      await page.goBack();
      expect(new URL(page.url()).search).toBe("?type=echo&q=needle");
      expect(own.complaints).toEqual([]);
    },
    limitMs,
  );

  test(
    "shows everything as text",
    async () => {
      const nasty = `<img src=x onerror="document.title='taken'"><script>1</script>`;
      const { id } = await submit({
        type: "fail",
        payload: { message: nasty, fatal: true },
        metadata: { [nasty]: nasty },
      });
      await using own = await openPage(browser, `${site}/tasks/${id}`);
      const { page } = own;
      await page.getByRole("heading", { name: "fail dead" }).waitFor({ timeout: 30_000 });
      await page.getByText(nasty).first().waitFor();
      await page.getByRole("tree").waitFor({ timeout: 30_000 });
      expect(await page.locator("img, #app script").count()).toBe(0);
      expect(await page.title()).toBe(`${id} · Throughline`);
      expect(own.complaints).toEqual([]);
    },
    limitMs,
  );

  test(
    "scrolls through ten thousand spans, and draws those in sight",
    async () => {
      const { id, trace_id: traceId } = await submit({ type: "echo" });
      const many = Array.from({ length: 10_000 }, (_, index) =>
        span((index + 1).toString(16).padStart(16, "0"), `shop-${index % 5}`, `step ${index}`, {
          at: index,
          ms: 5,
          traceId,
          attributes: { task_id: id },
          resource: { "service.name": `shop-${index % 5}` },
          ...(index > 0 && { parentSpanId: "0000000000000001" }),
        }),
      );
      for (let from = 0; from < many.length; from += 2000) {
        const body = JSON.stringify(toOtlpJson(many.slice(from, from + 2000), []));
        const init = { method: "POST", headers: { "content-type": "application/json" }, body };
        expect((await fetch(`${running.addresses.otlp_url}/v1/traces`, init)).status).toBe(200);
      }
      await using own = await openPage(browser, `${site}/tasks/${id}`);
      const { page } = own;
      await page.getByText(/^100\d\d rows/).waitFor({ timeout: 30_000 });
      const rows = page.getByRole("treeitem");
      expect(await rows.count()).toBeLessThan(100);
      await page.getByLabel("Search the trace").fill("step 9999");
      await page.getByText("1 found").waitFor();
      await page.getByLabel("Search the trace").press("Enter");
      await page.getByRole("treeitem", { name: /step 9999/, selected: true }).waitFor();
      expect(await rows.count()).toBeLessThan(100);
      await page.getByRole("tree").focus();
      await page.keyboard.press("Home");
      await page.getByRole("treeitem", { name: /step 0/, selected: true }).waitFor();
      expect(await rows.count()).toBeLessThan(100);
      expect(own.complaints).toEqual([]);
    },
    2 * limitMs,
  );

  test.each(["light", "dark"] as const)(
    "has nothing that axe finds serious: %s",
    async (colorScheme) => {
      const { id } = await submit({ type: "flaky", payload: { failures: 1 } });
      await using own = await openPage(browser, `${site}/tasks`, { colorScheme, bypassCSP: true });
      const { page } = own;
      await page.getByRole("row", { name: /flaky/ }).first().waitFor();
      expect(await seriousFaults(page)).toEqual([]);
      await page.keyboard.press("n");
      await page.getByRole("dialog", { name: "New task" }).waitFor();
      expect(await seriousFaults(page)).toEqual([]);
      await page.goto(`${site}/tasks/${id}`);
      await page.getByRole("tree").getByText("run flaky").first().waitFor({ timeout: 30_000 });
      expect(await seriousFaults(page)).toEqual([]);
      await page.goto(`${site}/tasks?q=nobody-has-this`);
      await page.getByText("No task fits").waitFor();
      expect(await seriousFaults(page)).toEqual([]);
      expect(own.complaints).toEqual([]);
    },
    limitMs,
  );

  test(
    "fits a phone",
    async () => {
      await using own = await openPage(browser, `${site}/tasks`, { viewport: { width: 360, height: 740 } });
      const { page } = own;
      await page.getByRole("table").waitFor();
      const isWide = (): Promise<boolean> =>
        page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      expect(await isWide()).toBe(false);
      await page.locator("[data-row]").first().click();
      await page.getByRole("tree").waitFor({ timeout: 30_000 });
      expect(await isWide()).toBe(false);
    },
    limitMs,
  );

  test(
    "keeps the theme that was chosen",
    async () => {
      await using own = await openPage(browser, site, { colorScheme: "light" });
      const { page } = own;
      const background = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = await background();
      const button = page.getByRole("button", { name: /^Theme/ });
      await button.click();
      expect(await background()).toBe(light);
      await button.click();
      const dark = await background();
      expect(dark).not.toBe(light);
      await page.reload();
      expect(await background()).toBe(dark);
    },
    limitMs,
  );

  test(
    "asks for a key where keys are wanted, says what is wrong with one, and forgets it with the tab",
    async () => {
      await using folder = await tempFolder();
      const key = newApiKey();
      const path = join(folder.path, "keys.json");
      const scopes: ("submit" | "read")[] = ["submit", "read"];
      await Bun.write(path, toFileText([{ id: "eyes", sha256: hashApiKey(key).toString("hex"), scopes }]));
      await using guarded = await startThroughline([
        "--role=all",
        `--api-keys-file=${path}`,
        "--threads=1",
        ...freePorts,
      ]);
      await using own = await openPage(browser, `${guarded.addresses.console_url}/tasks`);
      const { page } = own;
      const dialog = page.getByRole("dialog", { name: "API key" });
      await dialog.getByLabel("Key").fill("tl_wrong");
      await page.keyboard.press("Enter");
      await dialog.getByText("there is no such API key").waitFor();
      await dialog.getByLabel("Key").fill(key);
      await page.keyboard.press("Enter");
      await page.getByText("No tasks yet").waitFor();
      await page.reload();
      await page.getByText("No tasks yet").waitFor();
      const another = await page.context().newPage();
      await another.goto(page.url());
      await another.getByRole("dialog", { name: "API key" }).waitFor();
      expect(await page.context().cookies()).toEqual([]);
      await page.getByRole("button", { name: "Forget the API key" }).click();
      await dialog.waitFor();
      // The browser itself tells of each refusal.
      expect(own.complaints.filter((complaint) => !complaint.includes("401"))).toEqual([]);
    },
    limitMs,
  );
});
