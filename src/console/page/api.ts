/**
 * The way to the API: the console's own questions and those that it passes on to the gateway, all below `/v1` of where
 * the page came from; what a view shows of it is asked again while the page is live. The key, when one is required, stays
 * for as long as the tab lives and goes into a header: no cookie, so no other site can speak in its name.
 */

import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { readJson, writeJson } from "../../words/json-text.ts";
import { isLive } from "./live.ts";

/** An error that the API answered with (RFC 9457), or the reason why no answer came. */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";
  /** 0: no answer. */
  readonly status: number;
  readonly code: string;
  /** For each part of a body that does not fit. */
  readonly errors: readonly { pointer: string; detail: string }[];
  readonly traceId: string | undefined;
  constructor(status: number, problem: ProblemBody) {
    super(problem.detail || problem.title || `the answer was ${status}`);
    this.status = status;
    this.code = problem.code ?? "";
    this.errors = problem.errors ?? [];
    this.traceId = problem.trace_id;
  }
}

interface ProblemBody {
  title?: string;
  detail?: string;
  code?: string;
  trace_id?: string;
  errors?: { pointer: string; detail: string }[];
}

const storageName = "throughline-api-key";
const answerLimitMs = 30_000;

/** What the tab was given; undefined: nothing yet. */
export const apiKey = signal<string | undefined>(window.sessionStorage.getItem(storageName) ?? undefined);
/** Why the page asks for a key; undefined: it does not. */
export const keyAsked = signal<string | undefined>(undefined);

export function setApiKey(text: string): void {
  const key = text.trim();
  if (key === "") window.sessionStorage.removeItem(storageName);
  else window.sessionStorage.setItem(storageName, key);
  apiKey.value = key || undefined;
  keyAsked.value = undefined;
}

/** The JSON at `path` below `/v1`, such as `/tasks?limit=50`. Rejects with `ApiProblem`. The caller names its type. */
export function ask<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
  return call("GET", path, undefined, {}, signal);
}

/** Changes something. Rejects with `ApiProblem`. */
export function send<Answer>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return call("POST", path, body, headers);
}

async function call<Answer>(
  method: string,
  path: string,
  body: unknown,
  more: Record<string, string>,
  signal?: AbortSignal,
): Promise<Answer> {
  const answer = await fetchApi(method, path, body, more, signal);
  const text = await answer.text();
  const json = toJson(text, path);
  if (answer.ok && json !== undefined) {
    // The API documents the type of its answers, and a test of the gateway compares the two.
    return json as Answer;
  }
  const problem = new ApiProblem(answer.status, toProblemBody(json, answer));
  if (problem.status === 401) keyAsked.value = problem.message;
  throw problem;
}

/** A request that changes something declares JSON, with a body or without: a form of another site cannot. */
async function fetchApi(
  method: string,
  path: string,
  body: unknown,
  more: Record<string, string>,
  signal?: AbortSignal,
): Promise<Response> {
  const limit = AbortSignal.timeout(answerLimitMs);
  try {
    return await fetch(`/v1${path}`, {
      method,
      headers: { ...apiHeaders(), ...(method !== "GET" && { "content-type": "application/json" }), ...more },
      ...(body !== undefined && { body: writeJson(body) }),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      credentials: "omit",
      cache: "no-store",
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    const detail = limit.aborted
      ? "The console took longer than 30 seconds to answer."
      : "Nothing answers: is throughline still running?";
    throw new ApiProblem(0, { detail });
  }
}

/** What every request of the page carries. */
export function apiHeaders(): Record<string, string> {
  const key = apiKey.value;
  return { accept: "application/json", ...(key && { authorization: `Bearer ${key}` }) };
}

/** Payloads and results as the gateway gives them, with every digit; the console's own answers have neither. */
const ofGateway = /^\/(tasks|dead-letters|schedules)(?!.*\/trace\b)/;

function toJson(text: string, path: string): unknown {
  try {
    return ofGateway.test(path) ? readJson(text, Number.POSITIVE_INFINITY) : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function toProblemBody(json: unknown, answer: Response): ProblemBody {
  if (typeof json === "object" && json !== null) return json;
  return { detail: `The answer was ${answer.status} ${answer.statusText}, and no JSON.` };
}

export interface Answered<Answer> {
  /** The newest; where `isKept`, that of the question before until this one's is there. */
  data: Answer | undefined;
  problem: ApiProblem | undefined;
  /** Nothing has come for this question yet. */
  isWaiting: boolean;
  /** Asks now. */
  again(): void;
}

export interface AnswerOptions {
  /** How long after each answer the next request follows; 0: none follows. */
  everyMs?: number;
  /** The answer to another question stays until this one's is there. */
  isKept?: boolean;
}

const usualEveryMs = 2000;

/** Asks for `path` below `/v1`; undefined asks nothing. */
export function useAnswer<Answer>(path: string | undefined, options: AnswerOptions = {}): Answered<Answer> {
  return useLoaded(path, (signal) => ask<Answer>(path ?? "", signal), options);
}

/**
 * The same of what takes several questions: `load` is called anew whenever `question` changes, and again and again, but
 * not while the page is paused or hidden. A rejection that is no `ApiProblem` becomes one.
 */
export function useLoaded<Answer>(
  question: string | undefined,
  load: (signal: AbortSignal) => Promise<Answer>,
  { everyMs = usualEveryMs, isKept = true }: AnswerOptions = {},
): Answered<Answer> {
  const [state, setState] = useState<{ question?: string; data?: Answer; problem?: ApiProblem | undefined }>({});
  const [round, setRound] = useState(0);
  const newest = useRef(load);
  newest.current = load;
  const repeats = isLive.value && everyMs > 0;
  const key = apiKey.value;

  useEffect(() => {
    if (question === undefined) return;
    const over = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isFirst = true;
    const next = async (): Promise<void> => {
      if (isFirst || document.visibilityState === "visible") {
        const answer = await settle(newest.current(over.signal));
        if (over.signal.aborted) return;
        setState((before) => ({ ...before, problem: undefined, ...answer, question }));
        if ("problem" in answer && isFinal(answer.problem)) return;
      }
      isFirst = false;
      if (repeats) timer = setTimeout(() => void next(), everyMs);
    };
    void next();
    return () => {
      over.abort();
      clearTimeout(timer);
    };
  }, [question, repeats, everyMs, round, key]);

  const isOwn = state.question === question;
  return {
    data: isOwn || isKept ? state.data : undefined,
    problem: isOwn ? state.problem : undefined,
    isWaiting: question !== undefined && !isOwn,
    again: () => setRound((count) => count + 1),
  };
}

/** Asked again in the same words it would be the same; of too much at once it would not. */
function isFinal({ status }: ApiProblem): boolean {
  return status >= 400 && status < 500 && status !== 429;
}

async function settle<Answer>(answer: Promise<Answer>): Promise<{ data: Answer } | { problem: ApiProblem }> {
  try {
    return { data: await answer };
  } catch (thrown) {
    return { problem: thrown instanceof ApiProblem ? thrown : new ApiProblem(0, { detail: String(thrown) }) };
  }
}
