/** What the start of a real system warns of. */

import { describe, expect, test } from "bun:test";
import { startTestSystem } from "../support/system.ts";

const startingMs = 60_000;

describe("a gateway that other machines can reach", () => {
  test("does not start without keys, and leaves nothing behind", async () => {
    const refused = await startTestSystem({ gatewayListen: "0.0.0.0:0" }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "invalid_argument" });
    expect(String(refused)).toContain("--allow-unauthenticated=true");
  });

  test(
    "starts when it is told so, and other addresses that are open are told of when it is not",
    async () => {
      const isWarning = ({ msg }: { msg: string }): boolean => msg.includes("an address without authentication");
      await using told = await startTestSystem({ gatewayListen: "0.0.0.0:0", allowUnauthenticated: "true" });
      expect(told.lines.filter(isWarning)).toEqual([]);
      await using silent = await startTestSystem({ adminListen: "0.0.0.0:0", grpcListen: "0.0.0.0:0" });
      expect(silent.lines.filter(isWarning).map(({ flag, level }) => [level, flag])).toEqual([
        ["warn", "--grpc-listen"],
        ["warn", "--admin-listen"],
      ]);
    },
    startingMs,
  );
});

test(
  "a variable of OpenTelemetry that has no effect is named at the start",
  async () => {
    const env = { OTEL_METRICS_EXPORTER: "prometheus", OTEL_PROPAGATORS: "jaeger", OTEL_TRACES_EXPORTER: "none" };
    await using started = await startTestSystem({}, env);
    const isWarning = ({ msg }: { msg: string }): boolean => msg === "a variable of OpenTelemetry has no effect";
    const warnings = started.lines.filter(isWarning);
    expect(warnings.map(({ level, variable, value }) => [level, variable, value])).toEqual([
      ["warn", "OTEL_METRICS_EXPORTER", "prometheus"],
      ["warn", "OTEL_PROPAGATORS", "jaeger"],
    ]);
    expect(String(warnings[0]?.instead)).toContain("/metrics");
  },
  startingMs,
);
