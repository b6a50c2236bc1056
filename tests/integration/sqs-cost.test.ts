/** What a task costs in requests to SQS, counted on the calls themselves. */

import { expect, test } from "bun:test";
import { startBrokerDoor } from "../support/broker-door.ts";
import { eventually } from "../support/eventually.ts";
import { httpApi } from "../support/http-api.ts";
import { freePorts, startThroughline } from "../support/process.ts";

const limitMs = 60_000;
const spent = ["SendMessageBatch", "ReceiveMessage", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"];

test(
  "a task costs a send, a receive and a delete; many together share them by ten",
  async () => {
    await using door = await startBrokerDoor();
    await using process = await startThroughline(["--queue=sqs", ...freePorts], { env: door.env });
    const api = httpApi(process.addresses.gateway_url);
    const counts = (): number[] => spent.map((action) => door.calls.get(action) ?? 0);
    const costOf = async (count: number): Promise<number[]> => {
      const before = counts();
      const accepted = await Promise.all(Array.from({ length: count }, () => api.submit({ type: "echo", payload: 1 })));
      await Promise.all(accepted.map(({ id }) => api.ended(id)));
      const perTask = (): number[] => counts().map((each, index) => (each - (before[index] ?? 0)) / count);
      // A message is deleted after its task has ended.
      await eventually(() => (perTask()[2] ?? 0) > 0);
      return perTask();
    };
    const [send = 0, receive = 0, settle = 0, hide = 0] = await costOf(1);
    expect([send, settle, hide]).toEqual([1, 1, 0]);
    // The poll that waits next may have been sent by then.
    expect(receive).toBeLessThanOrEqual(2);

    const many = await costOf(200);
    expect(Math.max(...many)).toBeLessThanOrEqual(1);
    expect(many[0]).toBeLessThan(0.7);
    expect(many[3]).toBe(0);
  },
  limitMs,
);
