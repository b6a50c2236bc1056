/** Looks at the two queues of a deployment from outside, and changes nothing: for `throughline doctor`. */

import { GetQueueAttributesCommand, GetQueueUrlCommand, QueueDoesNotExist, type SQSClient } from "@aws-sdk/client-sqs";
import type { Config } from "../config.ts";
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
