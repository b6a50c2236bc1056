/** A real HTTP proxy that lets everything through but trace context: as a mesh, a WAF or a rewriting proxy may. */

export interface StrippingProxy extends AsyncDisposable {
  /** Without a slash at its end. */
  url: string;
  /** Where it leads, once that is known. */
  leadTo(target: string): void;
  /** From now on. */
  strip(what: Stripped): void;
}

/** `headers`: trace context and baggage; `attributes`: all message attributes of what is sent to SQS. */
type Stripped = "nothing" | "headers" | "attributes";

const contextHeaders = ["traceparent", "tracestate", "baggage"];

export function startStrippingProxy(): StrippingProxy {
  let target = "";
  let stripped: Stripped = "nothing";
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async ({ url, method, headers, body, signal }) => {
      const { pathname, search } = new URL(url);
      const sent = new Headers(headers);
      if (stripped === "headers") for (const name of contextHeaders) sent.delete(name);
      const bytes = body ? await new Response(body).text() : undefined;
      const text = stripped === "attributes" && bytes !== undefined ? withoutAttributes(bytes) : bytes;
      if (text !== bytes) sent.delete("content-length");
      const answer = await fetch(`${target}${pathname}${search}`, {
        method,
        headers: sent,
        signal,
        ...(text !== undefined && { body: text }),
      });
      return new Response(await answer.bytes(), { status: answer.status, headers: withoutCoding(answer.headers) });
    },
  });
  return {
    url: server.url.origin,
    leadTo: (url) => {
      target = url.replace(/\/+$/, "");
    },
    strip: (what) => {
      stripped = what;
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** Of a call in the AWS JSON protocol: `SendMessage`, `SendMessageBatch`. */
function withoutAttributes(text: string): string {
  return JSON.stringify(JSON.parse(text), (name, value) => (name === "MessageAttributes" ? undefined : value));
}

/** What was read has been decoded. */
function withoutCoding(headers: Headers): Headers {
  const kept = new Headers(headers);
  for (const name of ["content-encoding", "content-length", "transfer-encoding"]) kept.delete(name);
  return kept;
}
