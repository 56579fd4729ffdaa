// The main job through openai-node, unmodified: OPENAI_BASE_URL and OPENAI_API_KEY say where and with which key.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ maxRetries: 0 });
const rows = Array.from({ length: 12 }, (_, i) => JSON.stringify({
  messages: [{ role: "user", content: `Say the number ${i}` }, { role: "assistant", content: `It is ${i}.` }],
}));

async function finished(id) {
  for (let i = 0; i < 600; i++) {
    const job = await client.fineTuning.jobs.retrieve(id);
    if (["succeeded", "failed", "cancelled"].includes(job.status)) return job;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error(`job ${id} does not end`);
}

test("a file becomes a model that answers", async () => {
  const file = await client.files.create({ file: await toFile(Buffer.from(rows.join("\n")), "numbers.jsonl"),
    purpose: "fine-tune" });
  assert.equal(file.object, "file");
  const created = await client.fineTuning.jobs.create({ training_file: file.id, model: "temper/mini-instruct",
    hyperparameters: { n_epochs: 1 }, suffix: "node" });
  const job = await finished(created.id);
  assert.equal(job.status, "succeeded", JSON.stringify(job.error));
  assert.match(job.fine_tuned_model, /^ft:temper:mini-instruct:personal:node:[0-9a-f]{8}$/);
  const events = await client.fineTuning.jobs.listEvents(job.id, { limit: 5 });
  assert.equal(events.data[0].message, "The job has successfully completed");
  const messages = [{ role: "user", content: "Say the number 3" }];
  const answer = await client.chat.completions.create({ model: job.fine_tuned_model, messages, temperature: 0,
    max_tokens: 20 });
  let streamed = "";
  const stream = await client.chat.completions.create({ model: job.fine_tuned_model, messages, temperature: 0,
    max_tokens: 20, stream: true });
  for await (const piece of stream) streamed += piece.choices[0]?.delta?.content ?? "";
  assert.equal(streamed, answer.choices[0].message.content);
  const model = await client.models.retrieve(job.fine_tuned_model);
  assert.equal(model.id, job.fine_tuned_model);
  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  assert.ok(ids.includes(job.fine_tuned_model));
  assert.equal((await client.models.delete(job.fine_tuned_model)).deleted, true);
});

test("files are listed, read and deleted", async () => {
  const file = await client.files.create({ file: await toFile(Buffer.from(rows.join("\n")), "a.jsonl"),
    purpose: "fine-tune" });
  assert.equal((await client.files.retrieve(file.id)).filename, "a.jsonl");
  assert.equal(await (await client.files.content(file.id)).text(), rows.join("\n"));
  assert.equal((await client.files.delete(file.id)).deleted, true);
  await assert.rejects(client.files.retrieve(file.id), OpenAI.NotFoundError);
});

test("a wrong key is refused as OpenAI refuses it", async () => {
  const other = new OpenAI({ apiKey: "sk-temper-wrong", maxRetries: 0 });
  await assert.rejects(other.models.list(), (error) => error.status === 401 && error.code === "invalid_api_key");
});
