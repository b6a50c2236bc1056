/** One operation as people read it: what it takes, how to ask for it, what it answers. */

import { html } from "hono/html";
import { type ContentShown, type DocumentShown, nameOf, type OperationShown, type SchemaShown } from "./document.ts";
import { exampleOf } from "./example.ts";
import { type Html, showField, showSchema, showText, typeOf } from "./schema.ts";

export interface Placed {
  method: string;
  path: string;
  operation: OperationShown;
}

type Schemas = DocumentShown["components"]["schemas"];

export function showOperation({ method, path, operation }: Placed, schemas: Schemas): Html {
  const { operationId, summary, description, requestBody } = operation;
  const body = requestBody && schemaOf(requestBody.content);
  return html`<article id="${operationId}">
<h3>${summary}</h3>
<p class="address"><span class="method ${method}">${method.toUpperCase()}</span> <code>${path}</code></p>
${description === undefined ? "" : html`<p>${showText(description)}</p>`}
${showScope(operation)}
${showParameters(operation)}
${body ? html`<h4>Body</h4>${showSchema(resolved(body, schemas))}` : ""}
<h4>Try it</h4>
<pre>${curlOf(method, path, body && exampleOf(body, schemas))}</pre>
<h4>Answers</h4>
${showAnswers(operation, schemas)}
</article>`;
}

function showScope({ security }: OperationShown): Html | "" {
  const scope = security.flatMap(({ key = [] }) => key)[0];
  return scope === undefined
    ? ""
    : html`<p class="scope">Where keys are asked for: <code>authorization: Bearer KEY</code>, with <b>${scope}</b>.</p>`;
}

/** Its own; those of every request are described once. */
function showParameters({ parameters = [] }: OperationShown): Html | "" {
  const own = parameters.filter(({ $ref }) => $ref === undefined);
  if (own.length === 0) return "";
  const fields = own.map(({ name = "", in: place = "", description, required, schema }) => {
    return showField(name, { ...schema, description: `In the ${place}. ${description ?? ""}` }, required ?? false);
  });
  return html`<h4>Parameters</h4><dl class="fields">${fields}</dl>`;
}

function showAnswers({ responses }: OperationShown, schemas: Schemas): Html {
  const all = Object.entries(responses);
  const isProblem = ([, { content = {} }]: (typeof all)[number]): boolean => "application/problem+json" in content;
  const good = all.filter((answer) => !isProblem(answer));
  const problems = all.filter(isProblem).map(([status, { description }]) => {
    return html`<dt><code>${status}</code></dt><dd>${showText(description)}</dd>`;
  });
  return html`${good.map(([status, { description, content }]) => showAnswer(status, description, content, schemas))}
<details><summary>Problems</summary><p><a href="#schema-Problem">Problem</a></p><dl class="fields">${problems}</dl></details>`;
}

function showAnswer(status: string, description: string, content: ContentShown = {}, schemas: Schemas): Html {
  const schema = schemaOf(content);
  const isNamed = schema?.$ref !== undefined;
  return html`<p><code class="status">${status}</code> ${showText(description)} ${schema ? typeOf(schema) : ""}</p>
${schema?.properties && !isNamed ? showSchema(schema) : ""}
${
  schema && Object.keys(content)[0] === "application/json"
    ? html`<details><summary>Example</summary><pre>${JSON.stringify(exampleOf(schema, schemas), null, 2)}</pre></details>`
    : ""
}`;
}

function schemaOf(content: ContentShown): SchemaShown | undefined {
  return Object.values(content)[0]?.schema;
}

function resolved(schema: SchemaShown, schemas: Schemas): SchemaShown {
  return (schema.$ref === undefined ? undefined : schemas[nameOf(schema.$ref)]) ?? schema;
}

/** For a shell; the address is where the variable says. */
function curlOf(method: string, path: string, body: unknown): string {
  const address = `"$THROUGHLINE_URL${path.replace("{id}", "$ID")}"`;
  if (body !== undefined) return `curl ${address} --json '${JSON.stringify(body).replaceAll("'", String.raw`'\''`)}'`;
  return method === "get" ? `curl ${address}` : `curl -X ${method.toUpperCase()} ${address}`;
}
