/** Where all contestants send their telemetry: it takes OTLP over HTTP, and looks at nothing but its size. */

let bytes = 0;
let requests = 0;
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  maxRequestBodySize: 64 * 1024 * 1024,
  fetch: async (request) => {
    if (request.method === "GET") return Response.json({ bytes, requests });
    bytes += (await request.arrayBuffer()).byteLength;
    requests += 1;
    return new Response(new Uint8Array(), { headers: { "content-type": "application/x-protobuf" } });
  },
});
process.stdout.write(`listens on ${server.port}\n`);
