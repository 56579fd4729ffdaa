// Chat completions as they come: server-sent events out of the body of a POST, which EventSource cannot read.
import { ApiError, send } from "./client";

export interface TokenScore {
    text: string;
    probability: number;
    likeliest: { text: string; probability: number }[];
}

export interface ChatRequest {
    model: string;
    messages: { role: string; content: string }[];
    max_tokens?: number;
    temperature?: number;
    top_p?: number;
    seed?: number;
    stop?: string[];
    logprobs?: boolean;
    top_logprobs?: number;
}

export interface ChatListener {
    onText: (text: string) => void;
    onTokens: (tokens: TokenScore[]) => void;
    onEnd: (reason: string | null, usage: { prompt_tokens: number; completion_tokens: number } | null) => void;
}

const LONGEST_EVENT = 4 << 20; // characters

interface Scored {
    token: string;
    logprob: number;
    top_logprobs?: { token: string; logprob: number }[];
}

function score({ token, logprob, top_logprobs }: Scored): TokenScore {
    return {
        text: token,
        probability: Math.exp(logprob),
        likeliest: (top_logprobs ?? []).map((one) => ({ text: one.token, probability: Math.exp(one.logprob) })),
    };
}

/** The texts of a body's events. */
async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
    const reader = body.pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>).getReader();
    let rest = "";
    for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        rest += value;
        if (rest.length > LONGEST_EVENT) throw new ApiError("The server's answer is longer than this page takes.", 0);
        const parts = rest.split("\n\n");
        rest = parts.pop()!;
        for (const part of parts) for (const line of part.split("\n")) if (line.startsWith("data: ")) yield line.slice(6);
    }
}

/** Has a chat answered; returns when the answer has ended. Throws an ApiError, or what aborted it. */
export async function streamChat(request: ChatRequest, listener: ChatListener, signal: AbortSignal): Promise<void> {
    const response = await send("POST", "/v1/chat/completions", { ...request, stream: true, stream_options: { include_usage: true } }, { signal });
    let reason: string | null = null;
    let usage = null;
    for await (const text of eventsOf(response.body!)) {
        if (text === "[DONE]") break;
        const chunk = JSON.parse(text);
        if (chunk.error) throw new ApiError(chunk.error.message, response.status, chunk.error.code, chunk.error.param);
        usage = chunk.usage ?? usage;
        for (const choice of chunk.choices ?? []) {
            if (choice.delta?.content) listener.onText(choice.delta.content);
            if (choice.logprobs?.content) listener.onTokens(choice.logprobs.content.map(score));
            reason = choice.finish_reason ?? reason;
        }
    }
    listener.onEnd(reason, usage);
}
