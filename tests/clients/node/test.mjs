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

test("the newer form of a job, with validation, and a stream with its usage", async () => {
  const upload = async (name) => (await client.files.create({
    file: await toFile(Buffer.from(rows.join("\n")), name), purpose: "fine-tune" })).id;
  const created = await client.fineTuning.jobs.create({
    training_file: await upload("train.jsonl"), validation_file: await upload("valid.jsonl"), model: "mini-instruct",
    seed: 3, metadata: { team: "a" },
    method: { type: "supervised", supervised: { hyperparameters: { n_epochs: 1, batch_size: 6,
      learning_rate_multiplier: "auto" } } } });
  assert.equal(created.method.supervised.hyperparameters.batch_size, 6);
  const job = await finished(created.id);
  assert.deepEqual([job.status, job.seed, job.metadata.team], ["succeeded", 3, "a"], JSON.stringify(job.error));
  const steps = [];
  for await (const event of client.fineTuning.jobs.listEvents(job.id, { limit: 2 })) {
    if (event.type === "metrics") steps.push(event.data);
  }
  assert.deepEqual(steps.map((data) => data.step), [2, 1]);
  assert.equal(typeof steps[0].full_valid_loss, "number");
  const checkpoints = await client.fineTuning.jobs.checkpoints.list(job.id);
  assert.equal(checkpoints.data[0].step_number, 2);
  const stream = await client.chat.completions.create({ model: job.fine_tuned_model, max_tokens: 3, temperature: 0,
    messages: [{ role: "user", content: "Say the number 3" }], stream: true, stream_options: { include_usage: true } });
  let last;
  for await (const piece of stream) last = piece;
  assert.ok(last.usage.completion_tokens <= 3 && last.usage.completion_tokens > 0);
});

test("a stream may be left, and a job cancelled", async () => {
  const messages = [{ role: "user", content: "Tell me a long story" }];
  const stream = await client.chat.completions.create({ model: "temper/mini-instruct", messages, stream: true });
  for await (const piece of stream) {
    assert.equal(piece.object, "chat.completion.chunk");
    break;
  }
  const file = await client.files.create({ file: await toFile(Buffer.from(rows.join("\n")), "c.jsonl"),
    purpose: "fine-tune" });
  const job = await client.fineTuning.jobs.create({ training_file: file.id, model: "temper/mini-instruct",
    hyperparameters: { n_epochs: 50, batch_size: 1 } });
  assert.equal((await client.fineTuning.jobs.cancel(job.id)).status, "cancelled");
  assert.equal((await client.fineTuning.jobs.retrieve(job.id)).fine_tuned_model, null);
});

test("the requests of a batch are answered, and its wrong lines are named", async () => {
  const begin = async (lines) => {
    const file = await client.files.create({ file: await toFile(Buffer.from(lines.join("\n")), "requests.jsonl"),
      purpose: "batch" });
    let batch = await client.batches.create({ input_file_id: file.id, endpoint: "/v1/chat/completions",
      completion_window: "24h", metadata: { team: "a" } });
    while (!["completed", "failed"].includes(batch.status)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      batch = await client.batches.retrieve(batch.id);
    }
    return batch;
  };
  const lines = Array.from({ length: 5 }, (_, i) => JSON.stringify({ custom_id: `one-${i}`, method: "POST",
    url: "/v1/chat/completions", body: { model: "temper/mini-instruct", max_tokens: 4,
      messages: [{ role: "user", content: `Say ${i}` }] } }));
  const batch = await begin(lines);
  assert.deepEqual([batch.status, batch.request_counts.completed, batch.metadata.team], ["completed", 5, "a"]);
  const results = (await (await client.files.content(batch.output_file_id)).text()).trim().split("\n").map(JSON.parse);
  assert.deepEqual(results.map((one) => one.custom_id).sort(), [0, 1, 2, 3, 4].map((i) => `one-${i}`));
  await assert.rejects(client.batches.cancel(batch.id), OpenAI.ConflictError);
  const wrong = await begin([lines[0], "{", lines[0]]);
  assert.deepEqual(wrong.errors.data.map((one) => [one.line, one.code]),
    [[2, "invalid_json_line"], [3, "duplicate_custom_id"]]);
  const ids = [];
  for await (const one of client.batches.list({ limit: 1 })) ids.push(one.id);
  assert.deepEqual(ids, [wrong.id, batch.id]);
});

test("a wrong key is refused as OpenAI refuses it", async () => {
  const other = new OpenAI({ apiKey: "sk-temper-wrong", maxRetries: 0 });
  await assert.rejects(other.models.list(), (error) => error.status === 401 && error.code === "invalid_api_key");
});
