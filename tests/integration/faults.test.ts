/**
 * The roles in two processes, and between them and ElasticMQ a network that is slow, resets connections, swallows
 * answers or is gone, one after the other in one system, under a steady load. No speed is asserted here; bench/faults.ts
 * measures it.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Fault } from "../parts/toxiproxy.ts";
import { eventually } from "../support/eventually.ts";
import { type FaultySystem, startFaultySystem } from "../support/faulty-system.ts";
import { type HttpApi, httpApi } from "../support/http-api.ts";
import { describeWith } from "../support/requires.ts";

const startLimitMs = 120_000;
const testLimitMs = 180_000;

/** One task each. */
const paceMs = 100;
const echo = { type: "echo", payload: "over a bad line" };
const flaky = { type: "flaky", payload: { failures: 1 } };

/** What has ended by then was sent by nobody's sweep: that comes after thirty seconds. */
const normalWay = "20s";

const faults: [what: string, fault: Fault, forMs: number, isSendLost: boolean][] = [
  ["gone", { kind: "down" }, 20_000, true],
  ["accepts everything and answers nothing", { kind: "half_open" }, 12_000, true],
  ["resets connections in place of an answer", { kind: "reset" }, 5000, true],
  ["slow and unsteady", { kind: "latency", latencyMs: 200, jitterMs: 100 }, 5000, false],
];

describeWith("elasticmq", "toxiproxy")("a broker that is", () => {
  let system: FaultySystem;
  let api: HttpApi;
  const accepted: string[] = [];
  beforeAll(async () => {
    system = await startFaultySystem(["--threads=1", "--retry-base=10ms", "--log-level=info,task-service=debug"]);
    api = httpApi(system.gatewayUrl);
  }, startLimitMs);
  afterAll(() => system?.[Symbol.asyncDispose](), startLimitMs);

  test.each(faults)(
    "%s keeps no caller from a 202, and new tasks run as before when that is over",
    async (_, fault, forMs, isSendLost) => {
      await submitAndSeeEnd();
      const lostBefore = lostSends();
      await system.network.add(fault);
      // Ends with the last answer, and so before the fault does.
      expect(await submitSteadily(forMs)).toEqual([]);
      expect(lostSends() > lostBefore).toBe(isSendLost);
      await system.network.remove(fault.kind);

      // Until the circuit breaker has seen that the broker is back, tasks are left to the sweeper.
      await eventually(() => submitAndSeeEnd(echo, "3s"), { timeoutMs: 60_000 });
      await Promise.all([flaky, echo, flaky, echo].map((body) => submitAndSeeEnd(body)));
    },
    testLimitMs,
  );

  test(
    "bad in any of these ways loses no task that was accepted, and has none run once more than it should",
    async () => {
      const ended = await Promise.all(accepted.map(api.ended));
      const wrong = ended.filter(
        ({ type, status, attempts }) =>
          status !== "succeeded" || attempts.map(({ outcome }) => outcome).join() !== expectedOutcomes(type),
      );
      expect(wrong).toEqual([]);
    },
    testLimitMs,
  );

  async function submit(body: unknown): Promise<string> {
    const { id } = await api.submit(body);
    accepted.push(id);
    return id;
  }

  /** One task every tenth of a second; when all are answered it gives the answers that were no 202. */
  async function submitSteadily(forMs: number): Promise<Error[]> {
    const refusals: Error[] = [];
    const submitting: Promise<unknown>[] = [];
    for (const endMs = performance.now() + forMs; performance.now() < endMs; await Bun.sleep(paceMs)) {
      const body = submitting.length % 5 === 0 ? flaky : echo;
      submitting.push(submit(body).catch((error: Error) => refusals.push(error)));
    }
    await Promise.all(submitting);
    return refusals;
  }

  /** Throws unless the task ends on its normal way. */
  async function submitAndSeeEnd(body: unknown = echo, wait = normalWay): Promise<true> {
    const id = await submit(body);
    expect(await api.task(`${id}?wait=${wait}`)).toMatchObject({ id, status: "succeeded" });
    return true;
  }

  function lostSends(): number {
    return system.front.logs().filter(({ msg }) => msg === "send failed, the sweeper will repeat it").length;
  }
});

function expectedOutcomes(type: string): string {
  return type === "flaky" ? "failed,succeeded" : "succeeded";
}
