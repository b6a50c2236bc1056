/** A mail provider over HTTP, as the handlers of the examples call it. */

export interface MailProvider extends AsyncDisposable {
  url: string;
  /** Whom it was asked to write to, request by request, refused or not. */
  asked: readonly string[];
  /** The `traceparent` of each request; null where there was none. */
  traces: readonly (string | null)[];
  /** Whom it wrote to. */
  written: readonly string[];
  /** From now on nobody is refused. */
  mend(): void;
}

/** Answers 500 for `bounce@…` until it is mended. */
export function startMailProvider(): MailProvider {
  const asked: string[] = [];
  const traces: (string | null)[] = [];
  const written: string[] = [];
  let isMended = false;
  const answer = async (request: Request): Promise<Response> => {
    const { to }: { to: string } = JSON.parse(await request.text());
    asked.push(to);
    traces.push(request.headers.get("traceparent"));
    if (to.startsWith("bounce@") && !isMended) return new Response("mailbox full", { status: 500 });
    written.push(to);
    return Response.json({ accepted: true });
  };
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  return {
    url: `${server.url}send`,
    asked,
    traces,
    written,
    mend: () => {
      isMended = true;
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
