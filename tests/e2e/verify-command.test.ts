/**
 * `throughline verify` of the compiled executable, against a system whose hops go through real proxies: green while those
 * let everything through, and naming the hop as soon as one takes the trace context away.
 */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { startBrokerDoor } from "../support/broker-door.ts";
import { runThroughline } from "../support/command.ts";
import { freePorts, startThroughline, type ThroughlineProcess } from "../support/process.ts";
import { type StrippingProxy, startStrippingProxy } from "../support/stripping-proxy.ts";
import { tempFolder } from "../support/temp-folder.ts";

const limitMs = 180_000;

const cleanup = new AsyncDisposableStack();
let process: ThroughlineProcess;
let rpc: StrippingProxy;
let queue: StrippingProxy;

beforeAll(async () => {
  const folder = cleanup.use(await tempFolder());
  const broker = cleanup.use(await startBrokerDoor());
  rpc = cleanup.use(startStrippingProxy());
  queue = cleanup.use(startStrippingProxy());
  queue.leadTo(broker.url);
  const flags = [`--data-dir=${folder.path}`, "--threads=1", "--queue=sqs", `--task-service-url=${rpc.url}`];
  process = cleanup.use(
    await startThroughline(["serve", "--role=all", ...freePorts, ...flags], {
      env: { ...broker.env, AWS_ENDPOINT_URL_SQS: queue.url },
    }),
  );
  rpc.leadTo(process.addresses.task_service_url ?? "");
}, limitMs);
afterAll(() => cleanup.disposeAsync(), limitMs);

beforeEach(() => {
  rpc.strip("nothing");
  queue.strip("nothing");
});

function verify(...args: readonly string[]) {
  const { gateway_url: url = "", console_url: consoleUrl = "", admin_url: adminUrl = "" } = process.addresses;
  const env = { THROUGHLINE_URL: url, THROUGHLINE_CONSOLE_URL: consoleUrl };
  return runThroughline(["verify", "--admin-url", adminUrl, ...args], env);
}

interface VerifyJson {
  ok: boolean;
  task_id: string;
  status: string;
  blamed_hop: string | null;
  hops: { hop: string; from: string; to: string; context: string; took_ms: number | null }[];
  clocks: { service: string; skew_ms: number }[];
  dropped: { counts: unknown[]; unread: string[] };
}

async function verifyAsJson(...args: readonly string[]): Promise<{ exitCode: number; report: VerifyJson }> {
  const { exitCode, stdout, errors } = await verify("--json", ...args);
  expect(errors).toEqual([]);
  return { exitCode, report: JSON.parse(stdout) };
}

describe("throughline verify", () => {
  test(
    "is green on a healthy system, and says so to people",
    async () => {
      const { exitCode, stdout, errors } = await verify();
      expect([exitCode, errors]).toEqual([0, []]);
      expect(stdout).toMatch(/^echo succeeded after .*: task [0-9a-f-]{36}, trace [0-9a-f]{32}\n/);
      const hops = [
        "http +probe → api-gateway",
        "rpc +api-gateway → task-service",
        "queue +task-service → worker",
        "thread +worker → handler thread",
      ];
      for (const hop of hops) expect(stdout).toMatch(new RegExp(`^${hop} +continued +[\\d.]+ `, "m"));
      expect(stdout).toContain("\nclocks     api-gateway, task-service, worker go with this machine's\n");
      expect(stdout).toContain("\ntelemetry  nothing was dropped\n");
      expect(stdout).toEndWith("\nevery hop passed the trace context on\n");
    },
    limitMs,
  );

  test(
    "goes to the dead letters and back when asked, and leaves nothing behind",
    async () => {
      const { exitCode, report } = await verifyAsJson("--dead-letter");
      expect([exitCode, report.ok, report.blamed_hop]).toEqual([0, true, null]);
      expect(report.hops.map(({ hop, context }) => `${hop}: ${context}`)).toEqual([
        "http: continued",
        "rpc: continued",
        "queue: continued",
        "thread: continued",
        "dead_letter: continued",
        "redrive: linked",
        "queue_again: continued",
        "thread_again: continued",
      ]);
      expect(report.clocks.map(({ service, skew_ms }) => [service, skew_ms])).toEqual([
        ["api-gateway", 0],
        ["task-service", 0],
        ["worker", 0],
        ["dlq-processor", 0],
      ]);
      const task = await fetch(`${process.addresses.gateway_url}/v1/tasks/${report.task_id}`);
      expect(await task.json()).toMatchObject({ status: "discarded" });
    },
    limitMs,
  );

  test(
    "names the call when a proxy strips traceparent between gateway and task service",
    async () => {
      rpc.strip("headers");
      const { exitCode, report } = await verifyAsJson();
      expect([exitCode, report.ok, report.blamed_hop]).toEqual([1, false, "rpc"]);
      const fates = report.hops.map(({ hop, context }) => `${hop}: ${context}`);
      expect(fates).toEqual(["http: continued", "rpc: lost", "queue: continued", "thread: continued"]);
      const told = await verify();
      expect(told.exitCode).toBe(1);
      expect(told.stdout).toMatch(/^rpc +api-gateway → task-service +LOST /m);
      expect(told.stdout).toMatch(/\nthe trace context is lost between api-gateway and task-service: it was sent in /);
      expect(told.stdout).toEndWith("let the headers traceparent, tracestate and baggage through\n");
    },
    limitMs,
  );

  test(
    "names the queue when message attributes are stripped on the way there",
    async () => {
      queue.strip("attributes");
      const { exitCode, report } = await verifyAsJson();
      expect([exitCode, report.ok, report.blamed_hop]).toEqual([1, false, "queue"]);
      const fates = report.hops.map(({ hop, context }) => `${hop}: ${context}`);
      expect(fates).toEqual(["http: continued", "rpc: continued", "queue: lost", "thread: continued"]);
      const told = await verify();
      expect(told.stdout).toMatch(/\nthe trace context is lost between task-service and worker: it was sent in /);
    },
    limitMs,
  );

  test(
    "says what it cannot know: who is away, and who did not tell",
    async () => {
      const away = await verify("--console-url=http://127.0.0.1:1");
      expect(away).toMatchObject({ exitCode: 1, stdout: "" });
      expect(away.errors).toEqual([
        expect.stringMatching(/^throughline: nothing answers at http:\/\/127.0.0.1:1: is the console running\?/),
      ]);
      const unread = await verify("--admin-url=http://127.0.0.1:1");
      expect(unread.exitCode).toBe(0);
      expect(unread.stdout).toContain("\ntelemetry  nothing was dropped; http://127.0.0.1:1 did not answer\n");
      const wrong = await verify("--admin-url=nonsense", "--wait-limit=soon");
      expect(wrong).toMatchObject({ exitCode: 2, stdout: "" });
      expect(wrong.errors.join("\n")).toContain("nonsense");
    },
    limitMs,
  );
});
