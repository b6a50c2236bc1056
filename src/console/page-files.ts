/**
 * The page as it is served: the same document at each of its addresses, one script and one style sheet under names that
 * change with what they say. Nothing but these three may be loaded or run there, and no other page may frame it.
 */

import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { script, style } from "../gen/console-page.ts";

/** Content-Security-Policy, level 3. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const pageHeaders = {
  "content-security-policy": policy,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  vary: "accept-encoding",
};

/** Where the page is, itself or with more behind it: src/console/page/views.ts has what it shows there. */
const pagePaths = /^\/(?:(?:tasks|traces|dead-letters|system)(?:\/.*)?)?$/;

interface PageFile {
  type: string;
  text: string;
  /** The same, gzip. */
  small: Uint8Array<ArrayBuffer>;
  cacheControl: string;
  etag: string;
}

const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M2 11.5 6 4.5l3.5 6 2-3.5L14 11.5M2 13.5h12" fill="none" stroke="#5b5bd6" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/></svg>`;
const forEver = "public, max-age=31536000, immutable";

const scriptPath = `/assets/page-${hashOf(script)}.js`;
const stylePath = `/assets/page-${hashOf(style)}.css`;
const iconPath = `/assets/icon-${hashOf(icon)}.svg`;

const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Throughline</title>
<link rel="icon" href="${iconPath}">
<link rel="stylesheet" href="${stylePath}">
<script type="module" src="${scriptPath}"></script>
</head>
<body>
<div id="app"></div>
<noscript>The console needs JavaScript. In a terminal, throughline help shows what there is.</noscript>
</body>
</html>
`;

/** Made for the first request: most processes never serve the page. */
let files: ReadonlyMap<string, PageFile> | undefined;

function pageFiles(): ReadonlyMap<string, PageFile> {
  files ??= new Map([
    // Revalidated each time, so that a new version shows at once.
    ["/", toFile("text/html; charset=utf-8", html, "no-cache")],
    [scriptPath, toFile("text/javascript; charset=utf-8", script, forEver)],
    [stylePath, toFile("text/css; charset=utf-8", style, forEver)],
    [iconPath, toFile("image/svg+xml", icon, forEver)],
  ]);
  return files;
}

/** The answer to `GET` or `HEAD` of one of the page's files; undefined: it is none of them. */
export function answerPageFile(request: Request): Response | undefined {
  const { pathname } = new URL(request.url);
  const file = pageFiles().get(pagePaths.test(pathname) ? "/" : pathname);
  if (!file || !/^(GET|HEAD)$/.test(request.method)) return undefined;
  const headers = { ...pageHeaders, "cache-control": file.cacheControl, etag: file.etag };
  if (request.headers.get("if-none-match") === file.etag) return new Response(null, { status: 304, headers });
  const isSmall = /\bgzip\b/.test(request.headers.get("accept-encoding") ?? "");
  const encoding = isSmall ? { "content-encoding": "gzip" } : {};
  const length = String(isSmall ? file.small.byteLength : Buffer.byteLength(file.text));
  return new Response(request.method === "HEAD" ? null : isSmall ? file.small : file.text, {
    headers: { ...headers, ...encoding, "content-type": file.type, "content-length": length },
  });
}

function toFile(type: string, text: string, cacheControl: string): PageFile {
  return { type, text, small: gzipSync(text, { level: 9 }), cacheControl, etag: `W/"${hashOf(text)}"` };
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
