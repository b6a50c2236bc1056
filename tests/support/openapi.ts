/** Answers of the HTTP API, held against what its OpenAPI document says of them; more strictly than a caller would. */

import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { describeApi } from "../../src/gateway/openapi.ts";
import { allRoutes } from "../../src/gateway/routes.ts";

interface MediaType {
  schema: object;
}

interface DocumentedResponse {
  headers?: Record<string, { $ref?: string; required?: boolean }>;
  content?: Record<string, MediaType>;
}

interface Operation {
  operationId: string;
  tags: string[];
  security: { key?: string[] }[];
  responses: Record<string, DocumentedResponse>;
}

interface Document {
  openapi: string;
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object>; headers: Record<string, { required?: boolean }> };
}

// The border to the library's type, which knows of `$ref` in places where this document has none.
export const document = JSON.parse(JSON.stringify(describeApi(allRoutes))) as Document;

export const operations = Object.entries(document.paths).flatMap(([path, methods]) => {
  return Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation }));
});

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema(withoutMore(document) as object, "api");

/** Nothing but what is told: a field that the document does not have would be found. */
function withoutMore(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(withoutMore);
  if (typeof part !== "object" || part === null) return part;
  const copy = Object.fromEntries(Object.entries(part).map(([name, value]) => [name, withoutMore(value)]));
  const isClosed = copy.type === "object" && "properties" in copy && !("additionalProperties" in copy);
  return isClosed ? { ...copy, additionalProperties: false } : copy;
}

const validators = new Map<string, ValidateFunction>();

/** The validator of what `pointer` leads to in the document. */
export function validatorOf(...pointer: readonly string[]): ValidateFunction {
  const path = pointer
    .map((part) => `/${encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))}`)
    .join("");
  const known = validators.get(path);
  if (known) return known;
  const compiled = ajv.compile({ $ref: `api#${path}` });
  validators.set(path, compiled);
  return compiled;
}

/** As the document writes it: `/v1/tasks/{id}`; undefined when it has no such path. */
function documentedPath(path: string): string | undefined {
  const found = (asked: string): string | undefined => {
    const fits = (known: string): boolean =>
      new RegExp(`^${known.replaceAll(".", "\\.").replace(/\{\w+\}/g, "[^/]+")}$`).test(asked);
    // A path that is there word by word comes before one with an id (OpenAPI, "Path Templating Matching").
    const known = Object.keys(document.paths).filter(fits);
    return known.find((path) => !path.includes("{")) ?? known[0];
  };
  return found(path) ?? found(`/v1${path}`);
}

/** What is wrong with an answer by the document; empty when nothing is. The answer can still be read. */
export async function contradictions(method: string, path: string, answer: Response): Promise<string[]> {
  const known = documentedPath(path);
  const asked = method === "HEAD" ? "get" : method.toLowerCase();
  const operation = known === undefined ? undefined : document.paths[known]?.[asked];
  if (known === undefined || !operation) return unrouted(method, answer);
  const response = operation.responses[answer.status];
  if (!response) return [`${answer.status} is not told of ${operation.operationId}`];
  const wrong = missingHeaders(response, answer);
  const type = answer.headers.get("content-type")?.split(";")[0] ?? "";
  const content = response.content?.[type];
  if (!content) return response.content ? [...wrong, `${answer.status} came as "${type}"`] : wrong;
  if (method === "HEAD" || !type.endsWith("json")) return wrong;
  return [
    ...wrong,
    ...(await wrongBody(answer, "paths", known, asked, "responses", `${answer.status}`, "content", type, "schema")),
  ];
}

function missingHeaders({ headers = {} }: DocumentedResponse, answer: Response): string[] {
  return Object.entries(headers)
    .filter(([name, header]) => {
      const { required } = document.components.headers[header.$ref?.split("/").at(-1) ?? ""] ?? header;
      return required && !answer.headers.has(name);
    })
    .map(([name]) => `the header ${name} is missing`);
}

/** Where the document has nothing: a problem that says so, or the methods that are there. */
async function unrouted(method: string, answer: Response): Promise<string[]> {
  if (answer.status === 204 && method === "OPTIONS") return [];
  if (answer.status !== 404 && answer.status !== 405) return [`${answer.status} came where no route is`];
  return method === "HEAD" ? [] : wrongBody(answer, "components", "schemas", "Problem");
}

async function wrongBody(answer: Response, ...pointer: readonly string[]): Promise<string[]> {
  const validate = validatorOf(...pointer);
  validate(await answer.clone().json());
  return (validate.errors ?? []).map(({ instancePath, message, params }) => {
    return `${instancePath} ${message} ${JSON.stringify(params)}`;
  });
}

const heldOrigins = new Set<string>();
const plainFetch = globalThis.fetch;

/** From now on, every answer that `fetch` gets from there is held against the document: what contradicts it throws. */
export function holdToDocument(url: string): void {
  heldOrigins.add(new URL(url).origin);
  if (globalThis.fetch === plainFetch) globalThis.fetch = Object.assign(checkedFetch, plainFetch);
}

async function checkedFetch(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
  const answer = await plainFetch(input, init);
  const url = new URL(input instanceof Request ? input.url : input);
  if (!heldOrigins.has(url.origin)) return answer;
  const method = init?.method ?? (input instanceof Request ? input.method : "GET");
  const wrong = await contradictions(method, url.pathname, answer);
  if (wrong.length === 0) return answer;
  throw new Error(`${method} ${url.pathname} is not answered as OpenAPI says: ${wrong.join("; ")}`);
}
