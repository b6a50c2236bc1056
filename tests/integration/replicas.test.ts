/** Several processes of every role, killed one after the other: no task is lost, and the work is spread. */

import { expect, test } from "bun:test";
import { describeWith } from "../support/requires.ts";
import { runReplicas } from "../torture/replicas.ts";

describeWith("dynamodb", "elasticmq")("two gateways, two task services, three workers and two dlq", () => {
  test("run every accepted task while one after the other is killed, each worker its share, and tell each whole", async () => {
    const tasks = 500;
    const { accepted, kills, ended, shares, calm, whole, broken } = await runReplicas({
      tasks,
      pauseMs: 200,
      rpc: "grpc",
    });
    expect({ accepted, ended }).toEqual({ accepted: tasks, ended: { succeeded: tasks } });
    expect(kills).toBeGreaterThan(1);
    expect(Object.keys(shares).toSorted()).toEqual(["worker-1", "worker-2", "worker-3"]);
    expect({ whole, broken }).toEqual({ whole: calm, broken: undefined });
  }, 300_000);
});
