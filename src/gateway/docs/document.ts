/** What the page reads of an OpenAPI document: as much as the one of this API has. */

import { z } from "zod";

const schemaShown = z.object({
  $ref: z.string().optional(),
  type: z.union([z.string(), z.array(z.string())]).optional(),
  format: z.string().optional(),
  description: z.string().optional(),
  const: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  examples: z.array(z.unknown()).optional(),
  pattern: z.string().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
  minItems: z.number().optional(),
  maxItems: z.number().optional(),
  maxProperties: z.number().optional(),
  required: z.array(z.string()).optional(),
  get properties(): z.ZodOptional<z.ZodRecord<z.ZodString, typeof schemaShown>> {
    return z.record(z.string(), schemaShown).optional();
  },
  get items(): z.ZodOptional<typeof schemaShown> {
    return schemaShown.optional();
  },
  get anyOf(): z.ZodOptional<z.ZodArray<typeof schemaShown>> {
    return z.array(schemaShown).optional();
  },
  get additionalProperties(): z.ZodOptional<z.ZodUnion<readonly [z.ZodBoolean, typeof schemaShown]>> {
    return z.union([z.boolean(), schemaShown]).optional();
  },
});

const header = z.object({ $ref: z.string().optional(), description: z.string().optional() });

const parameter = z.object({
  $ref: z.string().optional(),
  name: z.string().optional(),
  in: z.string().optional(),
  description: z.string().optional(),
  required: z.boolean().optional(),
  schema: schemaShown.optional(),
});

const content = z.record(z.string(), z.object({ schema: schemaShown.optional() }));

const operation = z.object({
  operationId: z.string(),
  tags: z.array(z.string()),
  summary: z.string(),
  description: z.string().optional(),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  parameters: z.array(parameter).optional(),
  requestBody: z.object({ content }).optional(),
  responses: z.record(
    z.string(),
    z.object({
      description: z.string(),
      headers: z.record(z.string(), header).optional(),
      content: content.optional(),
    }),
  ),
});

export const documentShown = z.object({
  info: z.object({ title: z.string(), version: z.string(), description: z.string() }),
  tags: z.array(z.object({ name: z.string(), description: z.string() })),
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.object({
    schemas: z.record(z.string(), schemaShown),
    parameters: z.record(z.string(), parameter),
    headers: z.record(z.string(), header),
  }),
});

export type DocumentShown = z.infer<typeof documentShown>;
export type OperationShown = z.infer<typeof operation>;
export type SchemaShown = z.infer<typeof schemaShown>;
export type ContentShown = z.infer<typeof content>;

/** `Task` of `#/components/schemas/Task`. */
export function nameOf(ref: string): string {
  return ref.slice(ref.lastIndexOf("/") + 1);
}
