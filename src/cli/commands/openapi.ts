import type { AddCommand } from "../commands.ts";

export const addOpenApi: AddCommand = (program) => {
  program
    .command("openapi")
    .description("the HTTP API as OpenAPI 3.1, in JSON")
    .addHelpText("after", "\nExample:\n  throughline openapi > openapi.json")
    .action(async () => {
      const { printOpenApi } = await import("../openapi.ts");
      await printOpenApi();
    });
};
