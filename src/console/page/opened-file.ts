/** The trace file that is open in this tab; it is read here, and goes nowhere. */

import { signal } from "@preact/signals";
import { go } from "./location.ts";
import { tellError } from "./parts/notices.tsx";
import { maxFileBytes, parseTraceFile, type TraceFile } from "./trace-file.ts";

export const openedFile = signal<(TraceFile & { name: string }) | undefined>(undefined);

/** Where it is shown: one of its traces by number. */
export const filePath = "/traces/file";

export async function openFile(file: File): Promise<void> {
  if (file.size > maxFileBytes) tellError(`${file.name} cannot be opened: it is larger than 32 MB`);
  else openText(await file.text(), file.name);
}

export function openText(text: string, name: string): void {
  try {
    openedFile.value = { ...parseTraceFile(text), name };
    go(filePath);
  } catch (thrown) {
    tellError(`${name} cannot be opened: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
}
