/**
 * An answer whose body may be left unread. Bun keeps the place and the connection of such a call for as long as that lasts,
 * so the body is watched: it tells when it has come whole, and can be given up while nobody waits for more of it.
 */

export interface HeldAnswer {
  /** To the handler, an answer as any other. */
  response: Response;
  /** Ends the body with `reason` unless a reader waits for more of it. */
  cancelIfIdle(reason: unknown): void;
}

/** Bun takes about as much in before anybody reads; a body of an announced length below that ends by itself. */
const maxTakenInBytes = 128 * 1024;

/** undefined: nothing has to be watched. */
export function holdAnswer(
  answer: Response,
  on: { /** Once. */ end: () => void /** A reader got what it asked for. */; chunk: () => void },
): HeldAnswer | undefined {
  const length = answer.headers.get("content-length");
  if (!answer.body || (length !== null && Number(length) <= maxTakenInBytes)) return undefined;
  const reader = answer.body.getReader();
  let isAsked = false;
  let isOver = false;
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const end = (): void => {
    if (!isOver) on.end();
    isOver = true;
  };
  const pull = async (): Promise<void> => {
    isAsked = true;
    try {
      const { done, value } = await reader.read();
      if (done) {
        controller?.close();
        end();
      } else controller?.enqueue(value);
    } catch (error) {
      controller?.error(error);
      end();
    } finally {
      isAsked = false;
    }
    if (!isOver) on.chunk();
  };
  const cancel = (reason: unknown): void => {
    end();
    reader.cancel(reason).catch(() => {});
  };
  const start = (of: ReadableStreamDefaultController<Uint8Array>): void => {
    controller = of;
  };
  const body = new ReadableStream<Uint8Array>({ start, pull, cancel }, { highWaterMark: 0 });
  return {
    response: withBody(answer, body),
    cancelIfIdle: (reason) => {
      if (isAsked || isOver) return;
      controller?.error(reason);
      cancel(reason);
    },
  };
}

/** What `new Response` does not take: where the answer came from. */
function withBody(answer: Response, body: ReadableStream<Uint8Array>): Response {
  const { status, statusText, headers } = answer;
  return fromWhere(new Response(body, { status, statusText, headers }), answer);
}

function fromWhere(response: Response, { url, redirected, type }: Response): Response {
  const clone = (): Response => fromWhere(Response.prototype.clone.call(response), response);
  return Object.defineProperties(response, {
    url: { value: url },
    redirected: { value: redirected },
    type: { value: type },
    clone: { value: clone },
  });
}
