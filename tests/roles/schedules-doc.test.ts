/** What docs/schedules.md says, done as it stands there. */

import { expect, test } from "bun:test";
import { codeBlocks, readDoc, tableBelow } from "../support/markdown.ts";
import { schedulesAt } from "../support/schedules.ts";
import { startShell } from "../support/shell.ts";
import { startTestSystem } from "../support/system.ts";

const doc = await readDoc("docs/schedules.md");
const blocks = codeBlocks(doc, "sh").filter((block) => block.startsWith("curl"));

test.skipIf(Bun.which("curl") === null)(
  "every request of the page is answered as it says, in its order",
  async () => {
    await using system = await startTestSystem();
    const statuses: string[] = [];
    for (const block of blocks) {
      const command = block
        .trim()
        .replaceAll("http://127.0.0.1:8080", system.url)
        .replaceAll(/^curl /gm, "curl --silent --show-error --output /dev/null --write-out '%{http_code} ' ");
      await using shell = startShell(command);
      expect([await shell.exited, block]).toEqual([0, block]);
      statuses.push(...shell.output().trim().split(" "));
    }
    expect(statuses).toEqual(["201", "201", "200", "200", "202", "200", "200", "204"]);
    const { items } = await schedulesAt(system.url).list();
    expect(items.map(({ id, every, overlap }) => [id, every, overlap])).toEqual([["sync", "15m", "buffer_one"]]);
  },
  60_000,
);

test("the page has the fields and the overlap policies of the API", async () => {
  await using system = await startTestSystem();
  const shown = await schedulesAt(system.url).create({ every: "1h", task: { type: "echo" } });
  const told = tableBelow(doc, "What may be said of it").flatMap(([names = ""]) => names.match(/\w+/g) ?? []);
  const answered = new Set(Object.keys(shown));
  expect(told.filter((name) => !answered.has(name))).toEqual([]);
  const notSaid = ["created_at", "updated_at", "trace_id", "next_runs", "last_run", "fired", "skipped", "missed"];
  expect([...told, ...notSaid].toSorted()).toEqual([...answered].toSorted());
  for (const [policy = ""] of tableBelow(doc, "When the run before goes on")) {
    const id = `p-${policy.replaceAll("`", "")}`;
    const made = await schedulesAt(system.url).create({
      id,
      every: "1h",
      overlap: policy.replaceAll("`", ""),
      task: { type: "echo" },
    });
    expect(`\`${made.overlap}\``).toBe(policy);
  }
}, 60_000);
