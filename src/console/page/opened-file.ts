/** The trace file that is open in this tab; the page reads it, and sends it nowhere. */

import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
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

export interface DropActs {
  onFile(file: File): void;
  onText(text: string): void;
}

/** Takes files that are dropped on the page, and texts that are pasted outside a field; whether a file is held over it. */
export function useDroppedFile(acts: DropActs): boolean {
  const [isOver, setOver] = useState(false);
  const newest = useRef(acts);
  newest.current = acts;
  useEffect(() => {
    const over = new AbortController();
    const { signal } = over;
    const hold = (event: DragEvent): void => {
      event.preventDefault();
      setOver(true);
    };
    const drop = (event: DragEvent): void => {
      event.preventDefault();
      setOver(false);
      const file = event.dataTransfer?.files[0];
      if (file) newest.current.onFile(file);
    };
    const paste = (event: ClipboardEvent): void => {
      if (event.target instanceof Element && event.target.closest("input, textarea")) return;
      const file = event.clipboardData?.files[0];
      const text = event.clipboardData?.getData("text/plain") ?? "";
      if (file) newest.current.onFile(file);
      else if (/^\s*[[{]/.test(text)) newest.current.onText(text);
    };
    document.addEventListener("dragover", hold, { signal });
    document.addEventListener("drop", drop, { signal });
    document.addEventListener("dragleave", (event) => event.relatedTarget === null && setOver(false), { signal });
    document.addEventListener("paste", paste, { signal });
    return () => over.abort();
  }, []);
  return isOver;
}
