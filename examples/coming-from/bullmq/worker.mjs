import { Worker } from "bullmq";

async function welcome(job) {
  const answer = await fetch(process.env.PROVIDER_URL, { method: "POST", body: JSON.stringify(job.data) });
  if (!answer.ok) throw new Error(`the provider answered ${answer.status}`);
  return answer.json();
}

const connection = { url: process.env.REDIS_URL, maxRetriesPerRequest: null };
const worker = new Worker("welcome", welcome, { connection, concurrency: 16 });
process.on("SIGTERM", () => worker.close());
