/**
 * The HTTP API of a running system, as the command line calls it. Promises that the key is sent and never told, that no
 * call hangs, and that whatever goes wrong becomes a `TaskError` whose message says what to do next.
 */

import { readRemote } from "../config.ts";
import { keepOffProxies } from "../http/fetch.ts";
import { productVersion } from "../version.ts";
import { toTaskError } from "../words/errors.ts";
import { toApiError, toUnreachable } from "./api-errors.ts";

/** For an answer that is not held on purpose: the gateway itself gives up earlier. */
const answerLimitMs = 30_000;

export interface ApiCall {
  /** Parameters that are undefined are left out. */
  query?: Record<string, string | undefined>;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  /** For how long the server was asked to hold the answer. */
  heldMs?: number;
  signal?: AbortSignal;
}

export interface ApiAnswer<T> {
  /** As the API gave it; of a version that we know, so its shape is taken on trust. */
  body: T;
  /** The same, unread, for `--json`. */
  text: string;
  status: number;
  headers: Headers;
}

export interface ApiClient {
  /** Where the API is, for people. */
  url: string;
  /** `path` below `/v1`, such as `/tasks`. Rejects with `TaskError`, unless the status is 2xx. */
  call<T>(method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE", path: string, call?: ApiCall): Promise<ApiAnswer<T>>;
  /** The same, with the answer's body unread: for a stream of events. */
  open(path: string, call?: ApiCall): Promise<Response>;
}

/** `urlFlag` over `THROUGHLINE_URL` over the default; the key of `THROUGHLINE_API_KEY`. Throws `ConfigError`. */
export function connectApi(urlFlag?: string, env?: Record<string, string | undefined>): ApiClient {
  const { url, apiKey, traceHeaders } = readRemote(urlFlag, env);
  keepOffProxies([url]);
  const own = {
    accept: "application/json, application/problem+json",
    "user-agent": `throughline/${productVersion}`,
    ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
    ...traceHeaders,
  };

  const send = async (method: string, path: string, signal: AbortSignal, call: ApiCall): Promise<Response> => {
    const { query, body, headers } = call;
    try {
      return await fetch(`${url}/v1${path}${toSearch(query)}`, {
        method,
        headers: { ...own, ...(body !== undefined && { "content-type": "application/json" }), ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal,
        // A redirect would carry the key to another place.
        redirect: "manual",
      });
    } catch (error) {
      throw toUnreachable(error, url, call.signal);
    }
  };

  return {
    url,
    call: async <T>(method: string, path: string, call: ApiCall = {}) => {
      const limit = AbortSignal.timeout(answerLimitMs + (call.heldMs ?? 0));
      const answer = await send(method, path, call.signal ? AbortSignal.any([limit, call.signal]) : limit, call);
      const text = await readText(answer, url, call.signal);
      const body = parseAnswer(text, answer, url);
      // The border: see `ApiAnswer`.
      return { body: body as T, text, status: answer.status, headers: answer.headers };
    },
    open: async (path, call = {}) => {
      const answer = await send("GET", path, call.signal ?? new AbortController().signal, call);
      if (!answer.ok) throw toApiError(answer, await readText(answer, url, call.signal), url);
      return answer;
    },
  };
}

function toSearch(query: ApiCall["query"] = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, value);
  return search.size === 0 ? "" : `?${search}`;
}

async function readText(answer: Response, url: string, signal: AbortSignal | undefined): Promise<string> {
  try {
    return await answer.text();
  } catch (error) {
    throw toUnreachable(error, url, signal);
  }
}

function parseAnswer(text: string, answer: Response, url: string): unknown {
  if (!answer.ok) throw toApiError(answer, text, url);
  // "No Content": it is done, and there is nothing to say (RFC 9110, 15.3.5).
  if (answer.status === 204) return null;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw toApiError(answer, text, url, toTaskError(error));
  }
}
