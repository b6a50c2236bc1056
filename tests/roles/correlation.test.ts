/** Who asks and in which trace: what the HTTP edge takes from its caller, and what it makes anew. */

import { describe, expect, test } from "bun:test";
import { eventually } from "../support/eventually.ts";
import { traceresponse, uuid } from "../support/gateway-answer.ts";
import { sharedSystem } from "../support/shared-system.ts";
import { type HttpTask, startTestSystem } from "../support/system.ts";

const startingMs = 30_000;

const system = sharedSystem();

describe("who asks and in which trace", () => {
  test("is kept from the caller's headers, on the answer, the task and its log lines", async () => {
    const headers = { "x-request-id": "request/1", "x-correlation-id": "Order_7.b-2" };
    const answer = await system().submit({ type: "echo" }, headers);
    const { id, trace_id: traceId }: HttpTask = await answer.json();
    expect(answer.headers.get("x-request-id")).toBe("request/1");
    expect(answer.headers.get("x-correlation-id")).toBe("Order_7.b-2");
    expect(await system().task(id, "20s")).toMatchObject({ correlation_id: "Order_7.b-2" });
    const about = await eventually(() => {
      const lines = system().lines.filter((line) => line.task_id === id);
      return lines.length >= 3 && lines;
    });
    expect(about.map(({ service, msg }) => `${service}: ${msg}`)).toEqual([
      "task-service: task created",
      "worker: task started",
      "worker: task succeeded",
    ]);
    for (const line of about) expect(line).toMatchObject({ correlation_id: "Order_7.b-2", trace_id: traceId });
  });

  test.each([
    ["x-request-id", "two words"],
    ["x-request-id", "r".repeat(129)],
    ["x-correlation-id", "a/b"],
    ["x-correlation-id", "c".repeat(65)],
    ["x-correlation-id", "ä"],
  ])("is made anew when %s is %p", async (header, value) => {
    const answer = await system().submit({ type: "echo" }, { [header]: value });
    expect(answer.status).toBe(202);
    expect(answer.headers.get(header)).toMatch(uuid);
  });

  test("continues the caller's trace, and keeps to its decision on sampling", async () => {
    for (const flags of ["01", "00"]) {
      const traceId = crypto.randomUUID().replaceAll("-", "");
      const answer = await system().submit(
        { type: "echo" },
        { traceparent: `00-${traceId}-00f067aa0ba902b7-${flags}` },
      );
      const task: HttpTask = await answer.json();
      expect(task.trace_id).toBe(traceId);
      const [, answered, spanId, answeredFlags] = traceresponse.exec(answer.headers.get("traceresponse") ?? "") ?? [];
      expect({ answered, answeredFlags }).toEqual({ answered: traceId, answeredFlags: flags });
      expect(spanId).not.toBe("00f067aa0ba902b7");
      const { attempts } = await system().task(task.id, "20s");
      expect(attempts.map(({ trace_id }) => trace_id)).toEqual([traceId]);
    }
  });

  test("starts a new trace when the caller's cannot be read", async () => {
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const task = await system().accept({ type: "echo" }, { traceparent: `00-${traceId}-short-01` });
    expect(task.trace_id).toMatch(/^[0-9a-f]{32}$/);
    expect(task.trace_id).not.toBe(traceId);
  });
});

test(
  "an outside trace is not continued when it is not trusted",
  async () => {
    await using untrusting = await startTestSystem({ trustTraceContext: "false" });
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const task = await untrusting.accept({ type: "echo" }, { traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
    expect(task.trace_id).toMatch(/^[0-9a-f]{32}$/);
    expect(task.trace_id).not.toBe(traceId);
    const { attempts } = await untrusting.task(task.id, "20s");
    expect(attempts.map(({ trace_id }) => trace_id)).toEqual([task.trace_id]);
  },
  startingMs,
);
