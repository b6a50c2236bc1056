// CPU of one task's telemetry: nine spans, four lines, counters, carriers. argv: root of the sources, mode
const root = process.argv[2];
const { readConfig, withOtlpEndpoint } = await import(`${root}/src/config.ts`);
const { startTelemetry } = await import(`${root}/src/telemetry/telemetry.ts`);
const tracing = await import(`${root}/src/telemetry/spans/tracing.ts`);
const { toCarrier, fromCarrier, spanContextOf } = await import(`${root}/src/telemetry/context/propagation.ts`);
const { createTaskMetrics } = await import(`${root}/src/telemetry/metrics/task-metrics.ts`);
const { SpanKind, ROOT_CONTEXT } = await import("@opentelemetry/api");
const what = process.argv[3] ?? "all";
const sink = Bun.serve({ port: 0, fetch: async (r) => { await r.arrayBuffer(); return new Response(new Uint8Array(), { headers: { "content-type": "application/x-protobuf" } }); } });
const { config } = readConfig({ handlers: "" }, {});
const exporting = withOtlpEndpoint(config, `http://127.0.0.1:${sink.port}`);
let chars = 0;
const telemetry = startTelemetry("worker", process.env.NOEXPORT ? config : exporting, (l: string) => { chars += l.length; });
const { tracer, log } = telemetry;
const metrics = createTaskMetrics(telemetry.meter);
const prepare = (await import(`${root}/src/telemetry/spans/prepared-span.ts`).catch(() => ({}))).prepareSpan;
const kind = (name: string, kind: number, attributes: object) => {
  if (prepare && process.argv[4] !== "old") { const p = prepare(tracer, { name, kind, attributes }); return (ctx: any, own?: any) => p.start(ctx, own); }
  return (ctx: any, own?: any) => tracing.startSpan(tracer, name, ctx, { kind, attributes: own?.attributes ? { ...attributes, ...own.attributes } : attributes, ...(own?.links && { links: own.links }) });
};
const sqs = { "messaging.system.name": "aws.sqs", "messaging.destination.name": "task-events", "aws.sqs.queue.url": "http://127.0.0.1:4566/000000000000/task-events", "server.address": "127.0.0.1", "server.port": 4566 };
const rpc = { "rpc.system.name": "connectrpc", "rpc.method": "tasks.TaskService/CreateTask", "server.address": "127.0.0.1", "server.port": 9000 };
const sql = (op: string, text: string) => ({ "db.system.name": "sqlite", "db.namespace": "throughline.db", "db.collection.name": "tasks", "db.operation.name": op, "db.query.text": text });
const http = kind("POST", SpanKind.SERVER, { "http.request.method": "POST", "server.address": "127.0.0.1", "server.port": 8080, "url.scheme": "http", "network.protocol.version": "1.1" });
const rpcClient = kind("tasks.TaskService/CreateTask", SpanKind.CLIENT, rpc);
const rpcServer = kind("tasks.TaskService/CreateTask", SpanKind.SERVER, rpc);
const insert = kind("INSERT tasks", SpanKind.CLIENT, sql("INSERT", "INSERT INTO tasks (id, type, payload, status, priority, created_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"));
const send = kind("send task-events", SpanKind.PRODUCER, { ...sqs, "messaging.operation.name": "send", "messaging.operation.type": "send" });
const processing = kind("process task-events", SpanKind.CONSUMER, { ...sqs, "messaging.operation.name": "process", "messaging.operation.type": "process", "throughline.worker.id": "worker-1" });
const claim = kind("UPDATE tasks", SpanKind.CLIENT, sql("UPDATE", "UPDATE tasks SET status = 'running', claim = claim + 1, attempt = attempt + 1, lease_until = ? WHERE id = ? AND status = 'queued' RETURNING *"));
const finish = kind("UPDATE tasks", SpanKind.CLIENT, sql("UPDATE", "UPDATE tasks SET status = ?, result = ?, ended_at = ? WHERE id = ? AND claim = ?"));
const run = kind("run echo", SpanKind.INTERNAL, { task_type: "echo", "thread.id": 3, "thread.name": "handler-1" });
let n = 0;
const link = (c: any) => [{ context: spanContextOf(c) }];
const store = (k: any, c: any) => { const { span } = k(c); if (what !== "logs") span.end(); };
function spansOf(id: string) {
  const c1 = http(ROOT_CONTEXT, { attributes: { "url.path": "/v1/tasks", "client.address": "127.0.0.1", "user_agent.original": "node", correlation_id: id } });
  const c2 = rpcClient(c1.context);
  const m = toCarrier(c2.context);
  const c3 = rpcServer(fromCarrier(m));
  c3.span.setAttribute("task_id", id); c3.span.setAttribute("task_type", "echo");
  store(insert, c3.context);
  const c5 = send(c3.context, { attributes: { "messaging.message.body.size": 120, "messaging.message.conversation_id": id, task_id: id, task_type: "echo" } });
  const m2 = toCarrier(c5.context);
  c5.span.setAttribute("messaging.message.id", id); c5.span.end();
  c3.span.setAttribute("rpc.status_code", "ok"); c3.span.end();
  c2.span.setAttribute("rpc.status_code", "ok"); c2.span.end();
  c1.span.setAttribute("http.route", "/v1/tasks"); c1.span.updateName("POST /v1/tasks"); c1.span.setAttribute("http.response.status_code", 202); c1.span.end();
  const sent = fromCarrier(m2);
  const c6 = processing(sent, { links: link(sent), attributes: { "messaging.message.body.size": 120, "messaging.message.id": id, "messaging.message.conversation_id": id, correlation_id: id, "throughline.receive_count": 1, "throughline.queue_wait_ms": 3, task_id: id, task_type: "echo" } });
  store(claim, c6.context);
  c6.span.setAttribute("attempt", 1);
  const c8 = run(fromCarrier(toCarrier(c6.context)), { attributes: { task_id: id, attempt: 1 } });
  c8.span.end();
  store(finish, c6.context);
  c6.span.setAttribute("throughline.outcome", "succeeded");
  c6.span.end();
  return [c3.context, c6.context, c6.span.spanContext()];
}
const ctx0 = spansOf("warm");
function linesOf(id: string, [a, b]: any) {
  const fields = { correlation_id: id, task_id: id, task_type: "echo" };
  log.in(a).info("request", { http_method: "POST", http_route: "/v1/tasks", http_status: 202, elapsed_ms: 1.5 });
  log.in(a).with(fields).info("task accepted", { elapsed_ms: 1.25, task_status: "queued" });
  const t = log.in(b).with({ ...fields, attempt: 1 });
  t.info("task started");
  t.info("task succeeded", { elapsed_ms: 1.5, outcome: "succeeded" });
}
function countsOf(_: string, [, , s]: any) {
  metrics.processed("echo", "submitted"); metrics.processed("echo", "succeeded");
  metrics.processingDuration("echo", "succeeded", 1.5, s);
  metrics.queueWait("echo", 3, s); metrics.endToEnd("echo", 8, s);
  metrics.attempted("echo", "succeeded"); metrics.claimed("won");
  const now = Date.now(); for (const e of ["task.created", "task.started", "task.completed"]) telemetry.events.publish(e as any, now);
}
const id = () => `019ad${(n++).toString(16).padStart(8, "0")}-7000-8000-000000000000`;
async function round(f: (id: string) => void, count: number) {
  const before = process.cpuUsage();
  for (let i = 0; i < count; i += 20) { for (let j = 0; j < 20; j++) f(id()); if (i % 1000 === 0) await telemetry.flush(); }
  await telemetry.flush();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}
const modes: Record<string, (id: string) => void> = {
  spans: (i) => void spansOf(i), logs: (i) => linesOf(i, ctx0), counts: (i) => countsOf(i, ctx0),
};
const count = Number(process.env.COUNT ?? 6000);
const out: string[] = [];
for (const [name, f] of Object.entries(modes)) {
  if (what !== "all" && what !== name) continue;
  await round(f, count); await round(f, count);
  const r = []; for (let i = 0; i < 5; i++) r.push(await round(f, count));
  r.sort((a, b) => a - b);
  out.push(`${name} ${r[0]!.toFixed(1)}..${r[2]!.toFixed(1)}`);
}
console.log(root.split("/").at(-1), process.argv[4] ?? "", out.join("  "));
sink.stop(true); process.exit(0);
