/** What the HTTP API's problems, and its silence, mean to somebody at a shell: what happened, and what to do next. Pure. */

import { defaultRemoteUrl } from "../config.ts";
import { type ErrorCode, meanings, TaskError } from "../words/errors.ts";

/** RFC 9457, the members that are ours; all of them may be missing in what another program answers. */
interface Problem {
  title?: string;
  detail?: string;
  code?: string;
  trace_id?: string;
  errors?: { pointer?: string; detail?: string }[];
}

/** What went wrong before there was an answer. */
export function toUnreachable(thrown: unknown, url: string, asked: AbortSignal | undefined): TaskError {
  if (asked?.aborted) return new TaskError("canceled", "interrupted", { cause: thrown });
  if (thrown instanceof Error && thrown.name === "TimeoutError") {
    return new TaskError("deadline_exceeded", `${url} did not answer in time\n${doctorHint}`, { cause: thrown });
  }
  const start = url === defaultRemoteUrl ? "start it with `throughline demo` or `throughline serve`, or " : "";
  const hint = `is it running? ${start}name another address with --url or THROUGHLINE_URL`;
  return new TaskError("unavailable", `nothing answers at ${url}: ${hint}`, { cause: thrown });
}

const doctorHint = "`throughline doctor`, with the settings of the server, says what it lacks";

/** What an answer that is no success says; or one that is, but is not JSON. */
export function toApiError(answer: Response, text: string, url: string, unread?: TaskError): TaskError {
  const problem = parseProblem(answer, text);
  if (unread || !problem) {
    const what = answer.headers.get("content-type") ?? "no content type";
    const said = `${url} answered ${answer.status} (${what}), which is not Throughline's API: is the address right?`;
    return new TaskError("unavailable", said, unread && { cause: unread });
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
