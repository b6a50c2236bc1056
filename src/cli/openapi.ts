/** `throughline openapi`: the document that a gateway serves at `/openapi.json`. */

import { describeApi } from "../gateway/openapi.ts";

/** Resolves when all of it is out: a pipe takes less than that at once. */
export function printOpenApi(): Promise<void> {
  return new Promise((resolve, reject) => {
    const text = `${JSON.stringify(describeApi(), null, 2)}\n`;
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}
