/** Looks at the queues of a deployment from outside, and changes nothing: for `throughline doctor`, and at a worker's start. */

import { GetQueueAttributesCommand, GetQueueUrlCommand, QueueDoesNotExist, type SQSClient } from "@aws-sdk/client-sqs";
import type { Config } from "../config.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import { createClient } from "./sqs.ts";

export interface QueueLook {
  name: string;
  /** Undefined: it could not be asked. `missing`: there is no such queue. */
  state: "there" | "missing" | "refused";
  /** What the broker, or the way to it, said instead. */
  error: Error | undefined;
  /** SQS's names. */
  attributes: Readonly<Record<string, string>>;
  /** How far the broker's clock is ahead of ours, to a second; undefined when it does not tell its time. */
  skewMs: number | undefined;
}

const limitMs = 5000;

export async function lookAtQueue(config: Config, name: string): Promise<QueueLook> {
  const client = createClient(config);
  const dates = collectDates(client);
  const look = (state: QueueLook["state"], rest: Partial<QueueLook> = {}): QueueLook => {
    return { name, state, error: undefined, attributes: {}, skewMs: dates.skewMs(), ...rest };
  };
  try {
    const abortSignal = AbortSignal.timeout(limitMs);
    const { QueueUrl } = await client.send(new GetQueueUrlCommand({ QueueName: name }), { abortSignal });
    const asked = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] });
    const { Attributes } = await client.send(asked, { abortSignal });
    return look("there", { attributes: Attributes ?? {} });
  } catch (thrown) {
    if (thrown instanceof QueueDoesNotExist) return look("missing");
    return look("refused", { error: thrown instanceof Error ? thrown : new Error(String(thrown)) });
  } finally {
    client.destroy();
  }
}

/** A setting of the user's own queue that will hurt. */
export interface QueueTrouble {
  about: "redrive policy" | "delay";
  detail: string;
  /** What to do. */
  mend: string;
}

/** Receives that busy workers may need for a task that is well. */
const fewReceives = 20;

/** Each attempt of a task is a receive of its message, and so is each copy that comes while the task runs elsewhere. */
export function judgeTaskQueue({ name, attributes }: QueueLook, { dlqName, maxAttempts }: Config): QueueTrouble[] {
  const policy = parsePolicy(attributes.RedrivePolicy);
  const mend = `give ${name} a redrive policy to ${dlqName}, maxReceiveCount 100`;
  const about = "redrive policy" as const;
  const delay = judgeDelay(name, attributes.DelaySeconds);
  if (!policy) {
    return [{ about, detail: `${name} has none: a task that ends every worker is received for ever`, mend }, ...delay];
  }
  if (!policy.target.endsWith(`:${dlqName}`)) {
    return [{ about, detail: `${name} leads to ${policy.target}`, mend }, ...delay];
  }
  if (policy.receives < Math.max(fewReceives, maxAttempts)) {
    const detail = `${name} gives a message up after ${policy.receives} receives; each attempt of a task is one, and busy workers need further ones, so a task may be dead (receive_limit) before its attempts are used up`;
    return [{ about, detail, mend }, ...delay];
  }
  return delay;
}

function judgeDelay(name: string, seconds: string | undefined): QueueTrouble[] {
  if (!(Number(seconds) > 0)) return [];
  const detail = `${name} delays every message by ${seconds} s (DelaySeconds): each task begins that much later, and each attempt that is sent anew`;
  return [{ about: "delay", detail, mend: `set DelaySeconds of ${name} to 0; a task has a delay of its own` }];
}

export function parsePolicy(text: string | undefined): { target: string; receives: number } | undefined {
  try {
    const { deadLetterTargetArn, maxReceiveCount } = JSON.parse(text ?? "");
    return { target: String(deadLetterTargetArn), receives: Number(maxReceiveCount) };
  } catch {
    // One that cannot be read is none.
    return undefined;
  }
}

/** Once, at the start. A queue that cannot be read is reported by the calls that need it. */
export async function warnOfTaskQueue(config: Config, log: Logger): Promise<void> {
  if (config.queue === "embedded") return;
  const look = await lookAtQueue(config, config.queueName);
  for (const { about, detail, mend } of look.state === "there" ? judgeTaskQueue(look, config) : []) {
    log.warn(`the queue's ${about} will hurt`, { detail, mend });
  }
}

/** Every answer of a server tells its time (RFC 9110, `Date`). */
function collectDates(client: SQSClient): { skewMs(): number | undefined } {
  let skewMs: number | undefined;
  client.middlewareStack.add(
    (next) => async (args) => {
      const answer = await next(args);
      const { headers } = answer.response as { headers?: Record<string, string> };
      const dateMs = Date.parse(headers?.date ?? "");
      if (!Number.isNaN(dateMs)) skewMs = dateMs - Date.now();
      return answer;
    },
    { step: "deserialize", priority: "low" },
  );
  return { skewMs: () => skewMs };
}
