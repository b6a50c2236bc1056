/** The routes that tell of the others. */

import { z } from "zod";
import { declareRoute } from "./route.ts";

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
