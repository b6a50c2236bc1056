/**
 * How many more tasks may be taken. A place is reserved before a message is received, and given up when its task starts
 * or is not run after all: so no more is claimed than can start at once.
 */

export interface Room {
  /** How many more tasks would start at once. */
  vacant(): number;
  /** How many run or wait. */
  taken(): number;
}

/** `single`: one task at a time. */
type IntakeMode = "open" | "single" | "closed";

export class Intake {
  readonly #room: Room;
  readonly #sleepers = new Set<() => void>();
  #reserved = 0;
  #mode: IntakeMode = "open";

  constructor(room: Room) {
    this.#room = room;
  }

  /** How many more tasks may be taken now. */
  free(): number {
    if (this.#mode === "closed") return 0;
    const vacant = Math.max(0, this.#room.vacant() - this.#reserved);
    if (this.#mode === "open") return vacant;
    return this.#room.taken() + this.#reserved > 0 ? 0 : Math.min(1, vacant);
  }

  /** Resolves when `free()` is above 0, or at once when the signal aborts. */
  async whenFree(signal: AbortSignal): Promise<void> {
    if (this.free() > 0 || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wakeUp = (): void => resolve();
    this.#sleepers.add(wakeUp);
    signal.addEventListener("abort", wakeUp);
    await promise;
    this.#sleepers.delete(wakeUp);
    signal.removeEventListener("abort", wakeUp);
  }

  reserve(count: number): void {
    this.#reserved += count;
  }

  release(count: number): void {
    this.#reserved = Math.max(0, this.#reserved - count);
    this.wake();
  }

  /** A reserved place is taken by a task that runs or waits from now on. */
  use(): void {
    this.#reserved = Math.max(0, this.#reserved - 1);
  }

  setMode(mode: IntakeMode): void {
    this.#mode = mode;
    this.wake();
  }

  /** To be called when there may be more room. */
  wake(): void {
    if (this.#sleepers.size > 0 && this.free() > 0) for (const wakeUp of this.#sleepers) wakeUp();
  }
}
