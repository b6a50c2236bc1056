/**
 * The shortcuts in force: listed by `?`, and run. A key belongs to the page only while no field has the focus
 * and no dialog is open; `Escape` leaves a field first. Lists need nothing for `j` and `k` but `data-row` on each row.
 */

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

export interface Shortcut {
  /** As `KeyboardEvent.key` has it; of two one after the other, `g t`. */
  keys: string;
  /** For the help; a shortcut without it is not listed. */
  title?: string;
  act(): void;
}

/** Of two with the same keys the later one wins. */
const mounted = signal<readonly (readonly Shortcut[])[]>([]);
/** How long the first of two keys waits for the second. */
const pairLimitMs = 1500;

export function currentShortcuts(): Shortcut[] {
  const byKeys = new Map(mounted.value.flat().map((shortcut) => [shortcut.keys, shortcut]));
  return [...byKeys.values()].filter(({ title }) => title !== undefined);
}

/**
 * There for as long as the component is. Their keys must not change meanwhile; what they do may. `isBase`: those of others
 * win, whichever was there first.
 */
export function useShortcuts(shortcuts: readonly Shortcut[], { isBase = false }: { isBase?: boolean } = {}): void {
  const newest = useRef(shortcuts);
  newest.current = shortcuts;
  useEffect(() => {
    const own = newest.current.map((shortcut, index) => ({ ...shortcut, act: () => newest.current[index]?.act() }));
    mounted.value = isBase ? [own, ...mounted.peek()] : [...mounted.peek(), own];
    return () => {
      mounted.value = mounted.peek().filter((each) => each !== own);
    };
  }, []);
}

export function listenToKeys(): void {
  let first: { key: string; atMs: number } | undefined;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const { target } = event;
    if (target instanceof HTMLElement && target.matches("input:not([type=checkbox]), textarea, select")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    const pair = first && event.timeStamp - first.atMs < pairLimitMs ? `${first.key} ${event.key}` : undefined;
    const all = mounted.value.flat().reverse();
    const found = all.find(({ keys }) => keys === pair) ?? all.find(({ keys }) => keys === event.key);
    first = { key: event.key, atMs: event.timeStamp };
    if (!found) return;
    first = undefined;
    event.preventDefault();
    found.act();
  });
}

/** Moves the focus to the next row of what is shown, or the one before. */
export function moveRow(by: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")];
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = at < 0 ? (by === 1 ? rows[0] : rows.at(-1)) : rows[at + by];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
