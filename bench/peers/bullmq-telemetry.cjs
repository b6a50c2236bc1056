/** bullmq-otel, when the process is traced. */

const { BullMQOtel } = require("bullmq-otel");

exports.telemetry = process.env.BENCH_TRACED === "1" ? new BullMQOtel("bench") : undefined;
