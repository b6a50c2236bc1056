/** Loaded first by a peer's process when it is traced: as OpenTelemetry's documents advise for Node. */

const { registerInstrumentations } = require("@opentelemetry/instrumentation");
const { AwsInstrumentation } = require("@opentelemetry/instrumentation-aws-sdk");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");

// Room for a second at full speed: with the default of 2,048 most spans would be dropped, and cost nothing.
const processor = new BatchSpanProcessor(new OTLPTraceExporter(), { maxQueueSize: 65_536, scheduledDelayMillis: 1000 });
const provider = new NodeTracerProvider({ spanProcessors: [processor] });
provider.register();
// Without spans of the connections that a client of the AWS or of OTLP opens: those would only slow it.
const http = new HttpInstrumentation({ ignoreOutgoingRequestHook: () => true });
registerInstrumentations({ instrumentations: [http, new AwsInstrumentation()], tracerProvider: provider });
process.once("SIGTERM", async () => {
  await provider.shutdown();
  process.exit();
});
