/** The redrives that were ordered from this browser, the newest first: the API has no list of all. */

import { signal } from "@preact/signals";

const storageName = "throughline-redrives";
const maxKept = 8;
const idText = /^[0-9a-f-]{36}$/;

export const knownRedrives = signal<readonly string[]>(read());

function read(): string[] {
  const words = (window.localStorage.getItem(storageName) ?? "").split(" ");
  return words.filter((word) => idText.test(word)).slice(0, maxKept);
}

function keep(ids: readonly string[]): void {
  knownRedrives.value = ids.slice(0, maxKept);
  window.localStorage.setItem(storageName, knownRedrives.value.join(" "));
}

export function noteRedrive(id: string): void {
  keep([id, ...knownRedrives.value.filter((each) => each !== id)]);
}

export function forgetRedrive(id: string): void {
  keep(knownRedrives.value.filter((each) => each !== id));
}
