/** Looks at the queues: the way to them, the rights, what they are set to, and the broker's clock. */

import type { Config } from "../../config.ts";
import { judgeTaskQueue, lookAtQueue, parsePolicy, type QueueLook } from "../../queue/queue-look.ts";
import { awsFailed } from "./aws-error.ts";
import { type Finding, failed, ok, warn } from "./finding.ts";

/** AWS refuses signatures that are older or newer. */
const refusedSkewMs = 5 * 60_000;
const noticedSkewMs = 30_000;

export async function lookAtQueues(config: Config): Promise<Finding[]> {
  if (config.queue === "embedded") return [ok("queues", "embedded: made with each start")];
  const [tasks, deadLetters] = await Promise.all([
    lookAtQueue(config, config.queueName),
    lookAtQueue(config, config.dlqName),
  ]);
  return [
    judge(tasks, config),
    judge(deadLetters, config),
    ...(tasks.state === "there" ? judgeSettings(tasks, config) : []),
    ...judgeClock(tasks),
  ];
}

function judge({ name, state, error }: QueueLook, config: Config): Finding {
  const check = `queue ${name}`;
  switch (state) {
    case "there":
      return ok(check, "is there, and answers");
    case "missing":
      return config.createQueues
        ? ok(check, "is not there yet: it is made at the first start")
        : failed(check, "is not there, and --create-queues is false", "make it, or let the first start make it");
    case "refused":
      return awsFailed(check, error, "AWS_ENDPOINT_URL_SQS");
  }
}

/** The net under a task that ends every worker it meets, and what else the user has set. */
function judgeSettings(look: QueueLook, config: Config): Finding[] {
  const troubles = judgeTaskQueue(look, config);
  const policy = parsePolicy(look.attributes.RedrivePolicy);
  const isWell = policy && troubles.every(({ about }) => about !== "redrive policy");
  return [
    ...(isWell ? [ok("redrive policy", `to ${config.dlqName} after ${policy.receives} receives`)] : []),
    ...troubles.map(({ about, detail, mend }) => warn(about, detail, mend)),
  ];
}

function judgeClock({ skewMs }: QueueLook): Finding[] {
  if (skewMs === undefined) return [];
  const seconds = `${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? "behind" : "ahead of"} the broker's`;
  const mend = "let a time service set this machine's clock";
  if (Math.abs(skewMs) > refusedSkewMs) return [failed("clock", `is ${seconds}: signed calls are refused`, mend)];
  if (Math.abs(skewMs) > noticedSkewMs) return [warn("clock", `is ${seconds}: leases and ages are off`, mend)];
  return [ok("clock", "goes with the broker's")];
}
