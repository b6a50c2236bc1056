import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { Consumer } from "sqs-consumer";

async function welcome({ to }) {
  const headers = {};
  propagation.inject(context.active(), headers);
  const answer = await fetch(process.env.PROVIDER_URL, { method: "POST", headers, body: JSON.stringify({ to }) });
  if (!answer.ok) throw new Error(`the provider answered ${answer.status}`);
}

/** The message's trace goes on here, as far as one gets by hand: retries and the dead letter are not in it. */
async function handleMessage(message) {
  const entries = Object.entries(message.MessageAttributes ?? {});
  const carrier = Object.fromEntries(entries.map(([name, { StringValue }]) => [name, StringValue]));
  const parent = propagation.extract(context.active(), carrier);
  const span = trace.getTracer("welcome").startSpan("process welcome", { kind: SpanKind.CONSUMER }, parent);
  try {
    await context.with(trace.setSpan(parent, span), () => welcome(JSON.parse(message.Body)));
    return message;
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    throw error;
  } finally {
    span.end();
  }
}

const consumer = Consumer.create({
  queueUrl: process.env.QUEUE_URL,
  messageAttributeNames: ["All"],
  batchSize: 10,
  visibilityTimeout: 30,
  heartbeatInterval: 10,
  terminateVisibilityTimeout: 1,
  handleMessage,
});
consumer.on("error", (error) => process.stderr.write(`${error.message}\n`));
consumer.on("processing_error", (error) => process.stderr.write(`${error.message}\n`));
consumer.start();
process.on("SIGTERM", () => consumer.stop());
