/** Whether the page is live or paused, and the current time, which stands still while it is paused. */

import { effect, signal } from "@preact/signals";

export const isLive = signal(true);

export function toggleLive(): void {
  isLive.value = !isLive.value;
}

/** The current time, for ages such as "2 min ago". */
export const nowMs = signal(Date.now());

const everyMs = 1000;

effect(() => {
  if (!isLive.value) return;
  nowMs.value = Date.now();
  const timer = setInterval(() => {
    nowMs.value = Date.now();
  }, everyMs);
  return () => clearInterval(timer);
});
