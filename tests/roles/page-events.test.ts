/** How docs/operations.md has a page read a stream of events with a key, done as it stands there. */

import { expect, test } from "bun:test";
import { join } from "node:path";
import { toFileText } from "../../src/access/api-key-file.ts";
import { hashApiKey, newApiKey } from "../../src/access/api-keys.ts";
import { eventually } from "../support/eventually.ts";
import { codeBlocks, readDoc } from "../support/markdown.ts";
import { rejectionOf } from "../support/rejection.ts";
import { startTestSystem } from "../support/system.ts";
import { tempFolder } from "../support/temp-folder.ts";

interface PageEvent {
  id: string;
  event: string;
  data: { to?: string };
}

type FollowTask = (url: string, id: string, key: string, onEvent: (event: PageEvent) => void) => Promise<void>;

const limitMs = 60_000;

test(
  "a page follows a task by fetch with its key, and goes on after the gateway was away",
  async () => {
    await using folder = await tempFolder();
    const [block = ""] = codeBlocks(await readDoc("docs/operations.md"), "js").filter((js) =>
      js.includes("followTask"),
    );
    await Bun.write(join(folder.path, "follow-task.js"), block);
    const { followTask }: { followTask: FollowTask } = await import(join(folder.path, "follow-task.js"));
    const key = newApiKey();
    const entry = { id: "page", sha256: hashApiKey(key).toString("hex"), scopes: ["read" as const] };
    const apiKeysFile = join(folder.path, "keys.json");
    await Bun.write(apiKeysFile, toFileText([entry]));

    await using running = await startTestSystem();
    const flags = { taskServiceUrl: running.system.addresses.task_service_url ?? "", apiKeysFile };
    const { id } = await running.accept({ type: "echo", delay: "1h" });
    const seen: PageEvent[] = [];
    const first = await startTestSystem(flags);
    expect((await fetch(`${first.url}/v1/tasks/${id}/events`)).status).toBe(401);
    expect(await rejectionOf(followTask(first.url, id, newApiKey(), () => {}))).toBeInstanceOf(Error);
    const following = followTask(first.url, id, key, (event) => seen.push(event));
    await eventually(() => seen.length === 1);
    await first[Symbol.asyncDispose]();

    await fetch(`${running.url}/v1/tasks/${id}/cancel`, { method: "POST" });
    await using _second = await startTestSystem({ ...flags, gatewayListen: new URL(first.url).host });
    await following;
    expect(seen.map((event) => [event.id, event.event, event.data.to])).toEqual([
      ["1", "state", "scheduled"],
      ["2", "state", "canceled"],
    ]);
  },
  limitMs,
);
