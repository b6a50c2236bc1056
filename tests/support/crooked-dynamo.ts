/** A line to a real DynamoDB on which things go wrong: an answer is lost, or the service says that it is too much. */

/** What becomes of a call; undefined: it passes as it is. */
type DynamoFault =
  /** The service does it, and its answer never arrives. */
  | "lost answer"
  /** It is refused, as DynamoDB refuses what is over its capacity. */
  | "throttled";

export interface CrookedDynamo extends AsyncDisposable {
  url: string;
  /** Each call that came, by its operation. */
  calls: string[];
  /** Decides of every call from now on. */
  faultOf: (operation: string) => DynamoFault | undefined;
}

export function startCrookedDynamo(dynamoUrl: string): CrookedDynamo {
  const crooked = {
    calls: [] as string[],
    faultOf: (_operation: string): DynamoFault | undefined => undefined,
  };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const operation = request.headers.get("x-amz-target")?.split(".")[1] ?? "";
      crooked.calls.push(operation);
      const fault = crooked.faultOf(operation);
      if (fault === "throttled") return refusal("com.amazonaws.dynamodb.v20120810#ThrottlingException", 400);
      const { method, headers } = request;
      const answer = await fetch(dynamoUrl, { method, headers, body: await request.arrayBuffer(), decompress: false });
      // What a load balancer says when the service was there and its answer was not.
      if (fault === "lost answer") return refusal("com.amazonaws.dynamodb.v20120810#InternalServerError", 500);
      return new Response(await answer.arrayBuffer(), answer);
    },
  });
  return Object.assign(crooked, {
    url: `http://127.0.0.1:${server.port}`,
    [Symbol.asyncDispose]: () => server.stop(true),
  });
}

function refusal(type: string, status: number): Response {
  const headers = { "content-type": "application/x-amz-json-1.0" };
  return new Response(JSON.stringify({ __type: type, message: "not now" }), { status, headers });
}
