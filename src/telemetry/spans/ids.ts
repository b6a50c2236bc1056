/** Trace and span ids from the system's cryptographic generator, in blocks, because one call per id is slow. */

import type { IdGenerator } from "@opentelemetry/sdk-trace-base";

const blockBytes = 4096;
const digitsOfByte = 2;

export class CryptoIds implements IdGenerator {
  /** Random digits. */
  #block = "";
  #at = 0;
  #reserved: string | undefined;

  generateTraceId = (): string => this.#take(16);

  generateSpanId = (): string => {
    const reserved = this.#reserved;
    this.#reserved = undefined;
    return reserved ?? this.#take(8);
  };

  /**
   * The next span gets this id. So the worker can choose the id of a span that a handler thread makes, and close that
   * span itself when the thread had to be ended.
   */
  reserveSpanId(spanId: string): void {
    this.#reserved = spanId;
  }

  #take(bytes: number): string {
    const digits = bytes * digitsOfByte;
    for (;;) {
      if (this.#at + digits > this.#block.length) {
        this.#block = crypto.getRandomValues(new Uint8Array(blockBytes)).toHex();
        this.#at = 0;
      }
      const id = this.#block.slice(this.#at, this.#at + digits);
      this.#at += digits;
      // All zero means "no id" (W3C Trace Context 3.2.2.3).
      if (/[^0]/.test(id)) return id;
    }
  }
}
