/**
 * Everything that ends by itself, in one list by time: hidden and delayed messages, and long polls. A binary heap whose
 * items know their places, so that one that is deleted early leaves at once, and a busy queue sets no timer for each.
 */

export abstract class Timed {
  /** On the monotonic clock. */
  dueMs = 0;
  /** Its place in the heap; -1: it waits for nothing. */
  slot = -1;
  /** Its time has come; it is not in the list any more. */
  abstract onDue(): void;
}

export class TimeList {
  readonly #heap: Timed[] = [];
  readonly #onEarlier: (dueMs: number) => void;

  /** `onEarlier`: nothing in the list was due before this. */
  constructor(onEarlier: (dueMs: number) => void) {
    this.#onEarlier = onEarlier;
  }

  get firstDueMs(): number | undefined {
    return this.#heap[0]?.dueMs;
  }

  /** `item` is in no list. */
  add(item: Timed, dueMs: number): void {
    item.dueMs = dueMs;
    this.#heap.push(item);
    this.#rise(item, this.#heap.length - 1);
    if (item.slot === 0) this.#onEarlier(dueMs);
  }

  /** Does nothing when it is not there. */
  remove(item: Timed): void {
    const at = item.slot;
    if (at < 0) return;
    item.slot = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === item) return;
    this.#sink(last, at);
    if (last.slot === at) this.#rise(last, at);
  }

  /** Takes the first that is due by `nowMs`; undefined: there is none. */
  takeDue(nowMs: number): Timed | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.dueMs > nowMs) return undefined;
    this.remove(first);
    return first;
  }

  #rise(item: Timed, from: number): void {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = this.#heap[above];
      if (parent === undefined || parent.dueMs <= item.dueMs) break;
      this.#put(parent, at);
      at = above;
    }
    this.#put(item, at);
  }

  #sink(item: Timed, from: number): void {
    const heap = this.#heap;
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      let child = heap[below];
      const other = heap[below + 1];
      if (child === undefined) break;
      if (other !== undefined && other.dueMs < child.dueMs) {
        child = other;
        below += 1;
      }
      if (item.dueMs <= child.dueMs) break;
      this.#put(child, at);
      at = below;
    }
    this.#put(item, at);
  }

  #put(item: Timed, at: number): void {
    this.#heap[at] = item;
    item.slot = at;
  }
}
