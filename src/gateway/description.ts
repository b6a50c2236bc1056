/** The routes that describe the others: OpenAPI, and the page made of it. Each is written when it is first asked for. */

import { z } from "zod";
import { declareRoute } from "./route.ts";
import { addRoute, type Routes } from "./serve-route.ts";

const common = { tag: "description", method: "get", isUnversioned: true, scope: null } as const;

export const descriptionRoutes = {
  openapi: declareRoute({
    ...common,
    operationId: "getOpenApi",
    path: "/openapi.json",
    summary: "This document",
    answers: { 200: { description: "OpenAPI 3.1.", schema: z.looseObject({ openapi: z.string() }) } },
  }),

  docs: declareRoute({
    ...common,
    operationId: "getDocs",
    path: "/docs",
    summary: "This document as a page",
    answers: { 200: { description: "For a browser.", schema: z.string(), contentType: "text/html" } },
  }),
};

export function addDescriptionRoutes(routes: Routes): void {
  const openapi = once(async () => {
    const { describeApi } = await import("./openapi.ts");
    return JSON.stringify(describeApi(routes.places.routes));
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
