/** `throughline task watch` on the compiled executable: the events of a task, none missed and none told twice. */

import { describe, expect, test } from "bun:test";
import { runThroughline } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { spawnThroughline } from "../support/process.ts";
import { servedExecutable } from "../support/served.ts";

const limitMs = 60_000;
const { run, api, url } = servedExecutable();

/** The states that were told, in their order. */
function states(stdout: string): string[] {
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ {2,}/)[1] ?? "");
}

/** The stream up to the end of its first event, however much of it arrives at once. */
async function firstEvent(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    text += part;
    const [event] = /^[\s\S]*?^data:.*\n\n/m.exec(text) ?? [];
    if (event !== undefined) return event;
  }
  throw new Error(`the stream ended without an event: ${text}`);
}

describe("task watch", () => {
  test(
    "tells every change until the end, 0 of a success and 1 of a death",
    async () => {
      const { id } = await api().submit({ type: "flaky", payload: { failures: 1 } });
      const good = await run(["task", "watch", id]);
      expect([good.exitCode, good.errors, states(good.stdout)]).toEqual([
        0,
        [],
        ["queued", "running", "retrying", "running", "succeeded"],
      ]);
      expect(good.stdout).toMatch(/ retrying {3}attempt 1 {2}worker +Error: failure 1 of 1, as asked$/m);
      const json = await run(["task", "watch", id, "--json"]);
      const told = json.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      expect(told.map(({ to }) => to)).toEqual(states(good.stdout));

      const dead = await api().submit({ type: "fail", max_attempts: 1 });
      const bad = await run(["task", "watch", dead.id]);
      expect([bad.exitCode, states(bad.stdout).at(-1)]).toEqual([1, "dead"]);
      expect((await run(["task", "watch", "nobody"])).errors).toEqual(['throughline: there is no task "nobody"']);
    },
    limitMs,
  );

  test(
    "goes on behind the last event where the connection broke",
    async () => {
      const seen: (string | null)[] = [];
      // Between the two, a door that closes the first connection after its first event.
      const door = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        idleTimeout: 0,
        fetch: async (request) => {
          const { pathname } = new URL(request.url);
          seen.push(request.headers.get("last-event-id"));
          const answer = await fetch(`${url()}${pathname}`, { headers: request.headers });
          if (seen.length > 1 || !answer.body) return answer;
          return new Response(await firstEvent(answer.body), { headers: { "content-type": "text/event-stream" } });
        },
      });
      try {
        const { id } = await api().submit({ type: "echo", delay: "700ms" });
        const { stdout, exitCode } = await runThroughline(["task", "watch", id], { THROUGHLINE_URL: door.url.href });
        expect([exitCode, states(stdout)]).toEqual([0, ["scheduled", "queued", "running", "succeeded"]]);
        expect(seen).toEqual([null, expect.any(String)]);
      } finally {
        await door.stop(true);
      }
    },
    limitMs,
  );

  test(
    "ends at Ctrl-C, and the task goes on",
    async () => {
      const { id } = await api().submit({ type: "echo", delay: "1h" });
      await using watching = await spawnThroughline(["task", "watch", id], { env: { THROUGHLINE_URL: url() } });
      await eventually(() => watching.lines.length === 1);
      watching.kill("SIGINT");
      expect([await watching.exited, watching.errors()]).toEqual([0, ""]);
      expect(await api().task(id)).toMatchObject({ status: "scheduled" });
    },
    limitMs,
  );
});
