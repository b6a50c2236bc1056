/** A door in front of a real service that speaks the AWS JSON protocol: it sees every call, and can refuse it. */

/** What is said in place of an answer. */
export interface Refusal {
  status: number;
  /** `ThrottlingException`. */
  code: string;
}

export interface AwsDoor extends AsyncDisposable {
  url: string;
  /** From now on; undefined lets all through. */
  refuse(refusal: Refusal | undefined): void;
  /** Calls so far that were refused. */
  refused(): number;
  /** Calls so far that were let through, by action: `SendMessageBatch`. */
  calls: Map<string, number>;
}

/** `namespace` begins the names of the service's errors. */
export function openAwsDoor(endpoint: string, namespace: string): AwsDoor {
  const calls = new Map<string, number>();
  let refusal: Refusal | undefined;
  let refused = 0;
  const door = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => {
      const body = await request.bytes();
      if (!refusal) {
        const action = request.headers.get("x-amz-target")?.split(".").at(-1) ?? "";
        calls.set(action, (calls.get(action) ?? 0) + 1);
        return fetch(`${endpoint}/`, { method: "POST", headers: request.headers, body });
      }
      refused += 1;
      const headers = { "content-type": "application/x-amz-json-1.0" };
      const text = JSON.stringify({ __type: `${namespace}#${refusal.code}`, message: "not now" });
      return new Response(text, { status: refusal.status, headers });
    },
  });
  return {
    url: door.url.origin,
    refuse: (next) => {
      refusal = next;
    },
    refused: () => refused,
    calls,
    [Symbol.asyncDispose]: () => door.stop(true),
  };
}
