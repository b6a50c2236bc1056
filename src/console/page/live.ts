/** Whether the page follows what happens or stands still to be read, and the time, which then stands still too. */

import { effect, signal } from "@preact/signals";

export const isLive = signal(true);

export function toggleLive(): void {
  isLive.value = !isLive.value;
}

/** The time, for what says how long ago something was. */
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
