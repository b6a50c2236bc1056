/** One signal to two places: the user's, whose results count, and a copy to the console's, which may be lost. */

import type { Exporter } from "./export-reason.ts";

export interface CopyExporter<T> {
  export(items: T[], done: () => void): void;
  shutdown(): Promise<void>;
}

/** `exporter` as it is when there is no copy to be made. The copy never holds up, nor fails, an export. */
export function withCopy<T>(exporter: Exporter<T>, copy: CopyExporter<T> | undefined): Exporter<T> {
  if (!copy) return exporter;
  return {
    export: (items, done) => {
      try {
        copy.export(items, () => {});
      } catch {
        // The console is for looking on: what it misses is told by nobody.
      }
      exporter.export(items, done);
    },
    forceFlush: () => exporter.forceFlush(),
    shutdown: async () => {
      await Promise.all([exporter.shutdown(), copy.shutdown().catch(() => {})]);
    },
  };
}
