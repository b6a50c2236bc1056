/**
 * The short way for the four calls that every task makes: one signed post in the AWS JSON protocol. The SDK's client
 * spends three times the CPU on such a call (0.65 against 0.2 ms here), mostly in its middleware. This way takes only
 * the plain success; whatever else happens (an error, a throttle, a skewed clock, expired credentials, a connection
 * lost) is done again by the SDK's client, which knows what to do about each. A send that arrived all the same is then
 * a second copy, which the claim makes harmless.
 */

import type {
  $Command,
  ServiceInputTypes,
  ServiceOutputTypes,
  SQSClient,
  SQSClientResolvedConfig,
} from "@aws-sdk/client-sqs";
import { SignatureV4 } from "@smithy/signature-v4";

type Action = "SendMessageBatch" | "ReceiveMessage" | "DeleteMessageBatch" | "ChangeMessageVisibilityBatch";

type Command<Input extends ServiceInputTypes, Output extends ServiceOutputTypes> = $Command<
  Input,
  Output,
  SQSClientResolvedConfig,
  ServiceInputTypes,
  ServiceOutputTypes
>;

export interface FastSqs {
  /** Gives what `client.send(command)` would give. */
  send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
    action: Action,
    command: Command<Input, Output>,
    signal: AbortSignal,
  ): Promise<Output>;
}

export interface FastSqsOptions {
  client: SQSClient;
  /** Where the broker listens: the endpoint of the settings, or the queue URL's own host. */
  endpoint: string;
  /** The embedded broker checks no signature. */
  isSigned: boolean;
}

export function createFastSqs({ client, endpoint, isSigned }: FastSqsOptions): FastSqs {
  const { hostname, port, pathname, protocol, host, origin } = new URL(endpoint);
  const url = origin + pathname;
  const signer = new SignatureV4({
    service: "sqs",
    region: client.config.region,
    credentials: client.config.credentials,
    sha256: client.config.sha256,
  });

  const headersOf = async (action: Action, body: string): Promise<Record<string, string>> => {
    const headers = { host, "content-type": "application/x-amz-json-1.0", "x-amz-target": `AmazonSQS.${action}` };
    if (!isSigned) return headers;
    const request = { method: "POST", protocol, hostname, path: pathname, headers, body };
    return (await signer.sign(port ? { ...request, port: Number(port) } : request)).headers;
  };

  /** The answer of a plain success; undefined when the long way has to be taken. */
  const post = async (action: Action, input: ServiceInputTypes, signal: AbortSignal): Promise<unknown> => {
    try {
      const body = JSON.stringify(input);
      const headers = await headersOf(action, body);
      const answer = await fetch(url, { method: "POST", headers, body, signal });
      return answer.ok ? await answer.json() : void (await answer.body?.cancel());
    } catch (error) {
      // An abort or a deadline is the caller's own; everything else is for the SDK's client to try again and to tell.
      if (signal.aborted) throw error;
      return undefined;
    }
  };

  return {
    async send<Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
      action: Action,
      command: Command<Input, Output>,
      signal: AbortSignal,
    ): Promise<Output> {
      const answer = await post(action, command.input, signal);
      if (answer === undefined) return client.send(command, { abortSignal: signal });
      // The protocol's JSON has the very field names of the SDK's output.
      return answer as Output;
    },
  };
}
