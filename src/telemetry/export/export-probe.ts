/** Sends an empty export of spans, with the settings that real ones would have, to see whether anybody takes it. */

import { ExportResultCode } from "@opentelemetry/core";
import { withReasons } from "./export-reason.ts";
import { createItemExporter } from "./otlp-exporter.ts";

/** Resolves with nothing when it was taken, else with why not. */
export async function probeExport(url: string, timeoutMs: number): Promise<Error | undefined> {
  const exporter = withReasons(createItemExporter("traces", { url, timeoutMillis: timeoutMs }));
  const probed = Promise.withResolvers<Error | undefined>();
  exporter.export([], ({ code, error }) =>
    probed.resolve(code === ExportResultCode.SUCCESS ? undefined : (error ?? new Error("the export failed"))),
  );
  try {
    return await probed.promise;
  } finally {
    await exporter.shutdown();
  }
}
