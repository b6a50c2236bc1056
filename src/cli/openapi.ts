/** `throughline openapi`: the document that a gateway serves at `/openapi.json`. */

import { type AddCommand, withExamples } from "./flags.ts";

export const addOpenApi: AddCommand = (program) => {
  const command = program
    .command("openapi")
    .description("the HTTP API as OpenAPI 3.1, in JSON")
    .action(async () => {
      const { describeApi } = await import("../gateway/openapi.ts");
      process.stdout.write(`${JSON.stringify(describeApi(), null, 2)}\n`);
    });
  withExamples(command, ["throughline openapi > openapi.json", "for a generator of clients"]);
};
