/** `throughline openapi`: the document that a gateway serves at `/openapi.json`. */

import { describeApi } from "../gateway/openapi.ts";

export function printOpenApi(): void {
  process.stdout.write(`${JSON.stringify(describeApi(), null, 2)}\n`);
}
