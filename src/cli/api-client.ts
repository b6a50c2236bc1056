/**
 * The HTTP API and the console's query API of a running system, as the command line calls them. Guarantees that the key
 * is sent and never printed, that no call hangs, and that every failure is a `TaskError` whose message says what to do
 * next.
 */

import { defaultConsoleUrl, defaultRemoteUrl, readApiKey, readConsoleUrl, readRemote } from "../config.ts";
import { keepOffProxies } from "../http/fetch.ts";
import { productVersion } from "../version.ts";
import { type ErrorCode, meanings, TaskError, toTaskError } from "../words/errors.ts";
import { readJson, writeJson } from "../words/json-text.ts";

/** Of an answer that the server does not hold on purpose: the gateway itself gives up earlier. */
const answerLimitMs = 30_000;

interface ApiCall {
  /** Parameters that are undefined are left out. */
  query?: Record<string, string | undefined>;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  /** For how long the server may hold the answer. */
  heldMs?: number;
  signal?: AbortSignal;
}

export interface ApiAnswer<T> {
  /** As the API gave it, payloads and results as `JsonText`; of a version that we know, so its shape is taken on trust. */
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
  const own = { ...ownHeaders(apiKey), ...traceHeaders };

  const send = async (method: string, path: string, signal: AbortSignal, call: ApiCall): Promise<Response> => {
    const { query, body, headers } = call;
    try {
      return await fetch(`${url}/v1${path}${toSearch(query)}`, {
        method,
        headers: { ...own, ...(body !== undefined && { "content-type": "application/json" }), ...headers },
        ...(body !== undefined && { body: writeJson(body) }),
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

function ownHeaders(apiKey: string | undefined): Record<string, string> {
  return {
    accept: "application/json, application/problem+json",
    "user-agent": `throughline/${productVersion}`,
    ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
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
    return readJson(text, Number.POSITIVE_INFINITY);
  } catch (error) {
    throw toApiError(answer, text, url, toTaskError(error));
  }
}

/** The JSON of the console's query API at `path` below `/v1`; rejects with `TaskError`. */
export async function askConsole(path: string, urlFlag?: string): Promise<string> {
  const url = readConsoleUrl(urlFlag);
  keepOffProxies([url]);
  const headers = ownHeaders(readApiKey());
  try {
    const answer = await fetch(`${url}/v1${path}`, {
      headers,
      signal: AbortSignal.timeout(answerLimitMs),
    });
    const text = await answer.text();
    if (!answer.ok || !answer.headers.get("content-type")?.startsWith("application/json")) {
      throw toApiError(answer, text, url);
    }
    return text;
  } catch (thrown) {
    if (thrown instanceof TaskError) throw thrown;
    const start = url === defaultConsoleUrl ? "start it with `throughline serve`, or " : "";
    const hint = `is the console running? ${start}name another address with --console-url or THROUGHLINE_CONSOLE_URL`;
    throw new TaskError("unavailable", `nothing answers at ${url}: ${hint}`, { cause: thrown });
  }
}

/** RFC 9457, the members that are ours; all of them may be missing in what another program answers. */
interface Problem {
  title?: string;
  detail?: string;
  code?: string;
  trace_id?: string;
  errors?: { pointer?: string; detail?: string }[];
}

/** What went wrong before there was an answer. */
export function toUnreachable(thrown: unknown, url: string, signal: AbortSignal | undefined): TaskError {
  if (signal?.aborted) return new TaskError("canceled", "interrupted", { cause: thrown });
  if (thrown instanceof Error && thrown.name === "TimeoutError") {
    return new TaskError("deadline_exceeded", `${url} did not answer in time\n${doctorHint}`, { cause: thrown });
  }
  const start = url === defaultRemoteUrl ? "start it with `throughline demo` or `throughline serve`, or " : "";
  const hint = `is it running? ${start}name another address with --url or THROUGHLINE_URL`;
  return new TaskError("unavailable", `nothing answers at ${url}: ${hint}`, { cause: thrown });
}

const doctorHint = "`throughline doctor`, with the settings of the server, says what it lacks";

/** The error of an answer that is no success, or that is one and not JSON. */
function toApiError(answer: Response, text: string, url: string, unread?: TaskError): TaskError {
  const problem = parseProblem(answer, text);
  if (unread || !problem) {
    const what = answer.headers.get("content-type") ?? "no content type";
    const message = `${url} answered ${answer.status} (${what}), which is not Throughline's API: is the address right?`;
    return new TaskError("unavailable", message, unread && { cause: unread });
  }
  const lines = [problem.detail ?? problem.title ?? `${url} answered ${answer.status}`];
  for (const { pointer, detail } of problem.errors ?? []) {
    const line = `${pointer || "the body"}: ${detail}`;
    if (line !== lines[0]) lines.push(line);
  }
  const code = codeOf(problem, answer.status);
  const hint = hintOf(answer, problem);
  if (hint) lines.push(hint);
  return new TaskError(code, lines.join("\n"), { isRemote: true });
}

function parseProblem(answer: Response, text: string): Problem | undefined {
  if (!answer.headers.get("content-type")?.startsWith("application/problem+json")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function codeOf({ code }: Problem, status: number): ErrorCode {
  const isKnown = (name: string | undefined): name is ErrorCode => name !== undefined && Object.hasOwn(meanings, name);
  if (isKnown(code)) return code;
  return status >= 500 ? "unavailable" : "conflict";
}

/** What to do next, by the status. */
function hintOf(answer: Response, problem: Problem): string | undefined {
  const after = answer.headers.get("retry-after");
  const again = after === null ? "try again" : `try again in ${after} s`;
  switch (answer.status) {
    case 401:
      return "set THROUGHLINE_API_KEY to a key of this system";
    case 403:
      return "the key in THROUGHLINE_API_KEY may not do this: another one is needed";
    case 429:
    case 503:
      return again;
    case 504:
      return `what became of it is not known: look before you repeat it (trace ${problem.trace_id})`;
    default:
      return answer.status >= 500 ? `look for the trace ${problem.trace_id} in its log` : undefined;
  }
}
