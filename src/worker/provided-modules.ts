/**
 * Modules that a handler file may import although nothing is installed beside it: the executable carries them. The
 * handler's own copy, where there is one, works as well: OpenTelemetry's API finds its SDK through a global.
 */

import * as openTelemetryApi from "@opentelemetry/api";
import { runtime } from "../runtime.ts";

let isProvided = false;

/** Deno resolves modules before any code of ours could answer: there a handler needs its own import map or npm: URL. */
export function provideModules(): void {
  if (runtime.name !== "bun" || isProvided) return;
  isProvided = true;
  void Bun.plugin({
    name: "throughline-provided-modules",
    setup: (build) => {
      build.module("@opentelemetry/api", () => ({ exports: { ...openTelemetryApi }, loader: "object" }));
    },
  });
}
