import type { AddCommand } from "../commands.ts";
import { withExamples } from "../flags.ts";

export const addOpenApi: AddCommand = (program) => {
  const command = program
    .command("openapi")
    .description("the HTTP API as OpenAPI 3.1, in JSON")
    .action(async () => {
      const { printOpenApi } = await import("../openapi.ts");
      printOpenApi();
    });
  withExamples(command, ["throughline openapi > openapi.json", "for a generator of clients"]);
};
