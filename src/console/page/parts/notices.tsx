/** Notices of what was done or has failed: at the edge of the page, read aloud, gone after a while. */

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";

interface Notice {
  number: number;
  kind: "good" | "bad";
  text: ComponentChildren;
}

const shownMs = 6000;
const maxNotices = 4;
const notices = signal<readonly Notice[]>([]);
let lastNumber = 0;

export function tell(text: ComponentChildren, kind: Notice["kind"] = "good"): void {
  const notice = { number: ++lastNumber, kind, text };
  notices.value = [...notices.value, notice].slice(-maxNotices);
  setTimeout(() => {
    notices.value = notices.value.filter((each) => each !== notice);
  }, shownMs);
}

/** Of something that went wrong. */
export function tellError(thrown: unknown): void {
  tell(thrown instanceof Error ? thrown.message : String(thrown), "bad");
}

export function Notices() {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map(({ number, kind, text }) => (
        <p key={number} class={`notice ${kind}`}>
          {text}
        </p>
      ))}
    </div>
  );
}
