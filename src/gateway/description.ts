/** The routes that tell of the others: OpenAPI. Made when they are first asked for. */

import { descriptionRoutes } from "./description-routes.ts";
import { addRoute, type Routes } from "./serve-route.ts";

export function addDescriptionRoutes(routes: Routes): void {
  let openapi: Promise<string> | undefined;
  addRoute(routes, descriptionRoutes.openapi, async () => {
    openapi ??= writeOpenApi();
    return new Response(await openapi, { headers: { "content-type": "application/json" } });
  });
}

async function writeOpenApi(): Promise<string> {
  const { describeApi } = await import("./openapi.ts");
  return JSON.stringify(describeApi());
}
