/** Looks at the queues: the way to them, the rights, what they are set to, and the broker's clock. */

import type { Config } from "../../config.ts";
import { lookAtQueue, type QueueLook } from "../../queue/queue-look.ts";
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
    ...(tasks.state === "there" ? [judgeRedrive(tasks, config)] : []),
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

/** The net under a task that ends every worker it meets. */
function judgeRedrive({ attributes }: QueueLook, { queueName, dlqName }: Config): Finding {
  const check = "redrive policy";
  const policy = parsePolicy(attributes.RedrivePolicy);
  const mend = `give ${queueName} a redrive policy to ${dlqName}, maxReceiveCount 100`;
  if (!policy) return warn(check, `${queueName} has none: a task that ends every worker is received for ever`, mend);
  if (!policy.target.endsWith(`:${dlqName}`)) return warn(check, `${queueName} leads to ${policy.target}`, mend);
  if (policy.receives < 20) {
    const detail = `after ${policy.receives} receives, which busy workers may need for a task that is well`;
    return warn(check, detail, mend);
  }
  return ok(check, `to ${dlqName} after ${policy.receives} receives`);
}

function parsePolicy(text: string | undefined): { target: string; receives: number } | undefined {
  if (!text) return undefined;
  const { deadLetterTargetArn, maxReceiveCount } = JSON.parse(text);
  return { target: String(deadLetterTargetArn), receives: Number(maxReceiveCount) };
}

function judgeClock({ skewMs }: QueueLook): Finding[] {
  if (skewMs === undefined) return [];
  const seconds = `${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? "behind" : "ahead of"} the broker's`;
  const mend = "let a time service set this machine's clock";
  if (Math.abs(skewMs) > refusedSkewMs) return [failed("clock", `is ${seconds}: signed calls are refused`, mend)];
  if (Math.abs(skewMs) > noticedSkewMs) return [warn("clock", `is ${seconds}: leases and ages are off`, mend)];
  return [ok("clock", "goes with the broker's")];
}
