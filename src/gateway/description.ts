/** The routes that tell of the others: OpenAPI, and the page made of it. Each is written when it is first asked for. */

import { descriptionRoutes } from "./description-routes.ts";
import { addRoute, type Routes } from "./serve-route.ts";

export function addDescriptionRoutes(routes: Routes): void {
  const openapi = once(async () => {
    const { describeApi } = await import("./openapi.ts");
    return JSON.stringify(describeApi());
  });
  addRoute(routes, descriptionRoutes.openapi, async () => {
    return new Response(await openapi(), { headers: { "content-type": "application/json" } });
  });

  const page = once(async () => {
    const { docsPolicy, writeDocsPage } = await import("./docs/page.ts");
    return { text: await writeDocsPage(JSON.parse(await openapi())), policy: docsPolicy };
  });
  addRoute(routes, descriptionRoutes.docs, async () => {
    const { text, policy } = await page();
    const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": policy };
    return new Response(text, { headers });
  });
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
