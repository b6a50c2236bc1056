/**
 * The page at `/docs`: the OpenAPI document as people read it, made once on the server. It loads nothing and runs no
 * script, so it needs no network but the server itself, and its policy allows its own style sheet and no more.
 */

import { createHash } from "node:crypto";
import { html, raw } from "hono/html";
import { type DocumentShown, documentShown } from "./document.ts";
import { type Placed, showOperation } from "./operation.ts";
import { showField, showSchema, showText } from "./schema.ts";
import { style } from "./style.ts";

/** Content-Security-Policy, level 3: the hash is of what stands in the style element. */
export const docsPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The page, from an OpenAPI document. */
export async function writeDocsPage(document: unknown): Promise<string> {
  const shown = documentShown.parse(document);
  const { info, components } = shown;
  const groups = groupsOf(shown);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${info.title} HTTP API</title>
<style>${raw(style)}</style>
</head>
<body>
<nav aria-label="Contents">
<p><a href="#top"><b>${info.title}</b> ${info.version}</a></p>
${groups.map(
  ({ name, operations }) =>
    html`<details open><summary>${name}</summary><ul>${operations.map(
      ({ method, operation }) =>
        html`<li><a href="#${operation.operationId}"><span class="method ${method}">${method.toUpperCase()}</span> ${operation.summary}</a></li>`,
    )}</ul></details>`,
)}
<details><summary>shapes</summary><ul>${Object.keys(components.schemas).map(
    (name) => html`<li><a href="#schema-${name}">${name}</a></li>`,
  )}</ul></details>
</nav>
<main id="top">
<h1>${info.title} HTTP API</h1>
${info.description.split("\n\n").map((paragraph) => html`<p>${showText(paragraph)}</p>`)}
<p>For programs: <a href="openapi.json">openapi.json</a>, OpenAPI 3.1.</p>
<h3>Every request may have</h3>
<dl class="fields">${Object.values(components.parameters).map(({ name = "", description, schema }) =>
    showField(name, { ...schema, ...(description !== undefined && { description }) }, false),
  )}</dl>
${groups.map(
  ({ name, description, operations }) =>
    html`<section><h2>${name}</h2><p>${description}</p>${operations.map((placed) =>
      showOperation(placed, components.schemas),
    )}</section>`,
)}
<section><h2>shapes</h2>${Object.entries(components.schemas).map(
    ([name, schema]) =>
      html`<article id="schema-${name}"><h3>${name}</h3><p>${showText(schema.description ?? "")}</p>${showSchema(schema)}</article>`,
  )}</section>
</main>
</body>
</html>
`;
  return String(await page);
}

interface Group {
  name: string;
  description: string;
  operations: Placed[];
}

/** The operations of each tag. */
function groupsOf({ tags, paths }: DocumentShown): Group[] {
  const all = Object.entries(paths).flatMap(([path, methods]) => {
    return Object.entries(methods).map(([method, operation]): Placed => ({ method, path, operation }));
  });
  return tags.map((tag) => ({ ...tag, operations: all.filter(({ operation }) => operation.tags.includes(tag.name)) }));
}
