/** The time, for what says how long ago something was. Stands still while the page is paused. */

import { effect, signal } from "@preact/signals";
import { isLive } from "./live.ts";

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
