/** Files that are dropped on the page, and texts that are pasted where nobody types. */

import { useEffect, useRef, useState } from "preact/hooks";

export interface DropActs {
  onFile(file: File): void;
  onText(text: string): void;
}

/** Whether something is held over the page just now. */
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
