/** Whether the page follows what happens, or stands still to be read. */

import { signal } from "@preact/signals";

export const isLive = signal(true);

export function toggleLive(): void {
  isLive.value = !isLive.value;
}
