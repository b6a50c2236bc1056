/** The console's query API, as the command line asks it: no call hangs, and an error says what to do next. */

import { defaultConsoleUrl, readApiKey, readConsoleUrl } from "../config.ts";
import { keepOffProxies } from "../http/fetch.ts";
import { productVersion } from "../version.ts";
import { TaskError } from "../words/errors.ts";
import { toApiError } from "./api-errors.ts";

const answerLimitMs = 30_000;

/** The JSON at `path` below `/v1`; rejects with `TaskError`. */
export async function askConsole(path: string, urlFlag?: string): Promise<string> {
  const url = readConsoleUrl(urlFlag);
  keepOffProxies([url]);
  const apiKey = readApiKey();
  try {
    const answer = await fetch(`${url}/v1${path}`, {
      headers: {
        accept: "application/json, application/problem+json",
        "user-agent": `throughline/${productVersion}`,
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
      },
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
