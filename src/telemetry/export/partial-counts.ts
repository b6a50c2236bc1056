/**
 * The SDK's counters of exported items, for a batch of which the collector took only a part. The SDK counts each batch
 * as a whole, and counts it as exported before it reads the answer; here the rejected items get an `error.type` of their
 * own (semantic conventions, "OpenTelemetry SDK metrics": `rejected`).
 */

import type { Attributes, Counter, Meter, MeterProvider } from "@opentelemetry/api";
import { key } from "../names.ts";
import type { AnsweredResult } from "./export-answer.ts";
import { reasonOf } from "./export-reason.ts";

/** A batch that the SDK counts as a success. */
interface Counted {
  counter: Counter;
  value: number;
  attributes: Attributes;
}

/** Of one exporter and the processor before it, which get `meters` in place of the provider's own. */
export class PartialCounts {
  readonly meters: MeterProvider;
  readonly #counted: Counted[] = [];

  constructor(provider: MeterProvider) {
    this.meters = {
      getMeter: (name, version, options) => {
        const meter = provider.getMeter(name, version, options);
        // Every other instrument is the meter's own.
        const split: Meter = Object.create(meter, {
          createCounter: {
            value: (...of: Parameters<Meter["createCounter"]>) => this.#split(meter.createCounter(...of)),
          },
        });
        return split;
      },
    };
  }

  #split(counter: Counter): Counter {
    return {
      add: (value, attributes = {}, context) => {
        if (key.errorType in attributes) counter.add(value, attributes, context);
        else this.#counted.push({ counter, value, attributes });
      },
    };
  }

  /** Gives a batch its result by `done`, and counts its items by it. */
  finish({ partial, error }: AnsweredResult, done: () => void): void {
    done();
    for (const { counter, value, attributes } of this.#counted.splice(0)) {
      const failed = error ? value : (partial?.rejected ?? 0);
      if (value > failed) counter.add(value - failed, attributes);
      if (failed > 0) counter.add(failed, { ...attributes, [key.errorType]: error ? reasonOf(error) : "rejected" });
    }
  }
}
