// Asks llama.cpp: reads {"model", "adapter", "cases": [{"text", "ids", "count"}]} from standard input and writes, for
// each case, the ids of its text, the ids by which the model goes on with `ids` (greedily, KV cache in f32), and the
// probability of each.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.LLAMA_CPP_MODULES}/`);
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(require.resolve("node-llama-cpp")));

async function readInput() {
    const parts = [];
    for await (const part of process.stdin) parts.push(part);
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
}

// `count` tokens after `ids`, each with its probability.
async function greedy(sequence, ids, count) {
    await sequence.clearHistory();
    const options = { generateNext: { token: true, confidence: true, options: { temperature: 0 } } };
    const found = [];
    let input = ids;
    while (found.length < count) {
        const steps = input.map((id, i) => i + 1 < input.length ? id : [id, options]);
        const output = await sequence.controlledEvaluate(steps);
        const { token, confidence } = output.at(-1).next;
        found.push({ id: token, probability: confidence });
        input = [token];
    }
    return found;
}

const request = await readInput();
const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: 1 });
const model = await llama.loadModel({ modelPath: request.model, gpuLayers: 0 });
const context = await model.createContext({
    contextSize: request.context ?? 512, sequences: 1, lora: request.adapter,
    experimentalKvCacheKeyType: "F32", experimentalKvCacheValueType: "F32", flashAttention: false
});
const sequence = context.getSequence();
const answers = [];
for (const { text, ids, count } of request.cases)
    answers.push({ ids: text === undefined ? null : model.tokenize(text, false),
        greedy: ids ? await greedy(sequence, ids, count) : null });
process.stdout.write(JSON.stringify(answers));
await llama.dispose();
