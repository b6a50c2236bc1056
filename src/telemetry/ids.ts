/** Trace and span ids from the system's cryptographic generator, in blocks, because one call per id is slow. */

import type { IdGenerator } from "@opentelemetry/sdk-trace-base";

const blockBytes = 4096;

export class CryptoIds implements IdGenerator {
  #block: Buffer = Buffer.alloc(0);
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
    for (;;) {
      if (this.#at + bytes > this.#block.length) {
        this.#block = Buffer.from(crypto.getRandomValues(new Uint8Array(blockBytes)).buffer);
        this.#at = 0;
      }
      const id = this.#block.toString("hex", this.#at, this.#at + bytes);
      this.#at += bytes;
      // All zero means "no id" (W3C Trace Context 3.2.2.3).
      if (/[^0]/.test(id)) return id;
    }
  }
}
