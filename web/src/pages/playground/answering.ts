// One conversation at work: sends, gathers answers as they come, stops. Text is shown at most once a frame, however fast
// it comes.
import { useEffect, useRef, useState } from "preact/hooks";
import { streamChat } from "../../api/chat";
import { errorText } from "../../kit/toast";
import { type Answer, type Conversation, type Exchange, messagesFor, requestSettings } from "./conversation";
import { keepConversation } from "./kept";

export interface Answering {
    conversation: Conversation;
    change: (changes: Partial<Conversation>) => void;
    ask: (question: string) => void;
    /** Has the exchange answered anew, by all or by the one at that place. */
    again: (index: number, place?: number) => void;
    edit: (index: number, question: string) => void;
    remove: (index: number) => void;
    stop: () => void;
    busy: boolean;
}

let lastId = Date.now();

const SHORT = 50; // milliseconds, within which what has come cannot be told from what waited on the way

/** Tokens a second behind the first, or, of an answer that came all at once, from the question on. */
function paceOf(count: number, whole: number, first: number): number {
    return whole - first > SHORT ? ((count - 1) * 1000) / (whole - first) : (count * 1000) / whole;
}

export function useAnswering(first: () => Conversation): Answering {
    const [conversation, setConversation] = useState(first);
    const now = useRef(conversation); // the truth, of which the state is what was drawn last
    const aborts = useRef(new Set<AbortController>());
    const [busy, setBusy] = useState(0);
    const drawing = useRef(0);

    useEffect(() => () => aborts.current.forEach((abort) => abort.abort()), []);

    function put(next: Conversation) {
        now.current = next;
        setConversation(next);
    }

    /** Changes one answer, and draws it with the next frame. */
    function update(id: number, place: number, changes: Partial<Answer>) {
        const exchanges = now.current.exchanges.map((exchange) =>
            exchange.id !== id ? exchange : { ...exchange, answers: exchange.answers.map((answer, at) => (at === place ? { ...answer, ...changes } : answer)) },
        );
        now.current = { ...now.current, exchanges };
        drawing.current ||= requestAnimationFrame(() => {
            drawing.current = 0;
            setConversation(now.current);
        });
    }

    async function answer(exchange: Exchange, index: number, place: number) {
        const abort = new AbortController();
        const model = now.current.models[place]!;
        const { probabilities } = now.current.settings;
        const began = performance.now();
        let text = "";
        let first: number | undefined;
        const tokens: Answer["tokens"] = [];
        aborts.current.add(abort);
        setBusy((n) => n + 1);
        update(exchange.id, place, { model, text: "", state: "waiting", error: undefined, tokens: undefined, first: undefined, pace: undefined });
        const request = { model, messages: messagesFor(now.current, place, index), ...requestSettings(now.current.settings), ...(probabilities && { logprobs: true, top_logprobs: 5 }) };
        try {
            await streamChat(
                request,
                {
                    onText(piece) {
                        first ??= performance.now() - began;
                        text += piece;
                        update(exchange.id, place, { text, state: "going", first });
                    },
                    onTokens(more) {
                        tokens!.push(...more);
                        update(exchange.id, place, { tokens });
                    },
                    onEnd(reason, usage) {
                        const count = usage?.completion_tokens;
                        update(exchange.id, place, { state: "done", reason, count, pace: count ? paceOf(count, performance.now() - began, first ?? 0) : undefined });
                    },
                },
                abort.signal,
            );
        } catch (reason) {
            if (abort.signal.aborted) update(exchange.id, place, { state: "stopped" });
            else update(exchange.id, place, { state: "failed", error: errorText(reason) });
        }
        aborts.current.delete(abort);
        setBusy((n) => n - 1);
        keepConversation(now.current);
    }

    function run(exchanges: Exchange[], index: number, place?: number) {
        put({ ...now.current, exchanges });
        const exchange = exchanges[index]!;
        exchange.answers.forEach((_, at) => (place === undefined || place === at) && void answer(exchange, index, at));
    }

    const empty = (): Answer[] => now.current.models.map((model) => ({ model, text: "", state: "waiting" }));

    return {
        conversation,
        busy: busy > 0,
        change: (changes) => put({ ...now.current, ...changes }),
        ask(question) {
            const exchanges = [...now.current.exchanges, { id: ++lastId, question, answers: empty() }];
            run(exchanges, exchanges.length - 1);
        },
        again(index, place) {
            // What came behind was said to another answer.
            const exchanges = now.current.exchanges.slice(0, index + 1);
            if (exchanges[index]!.answers.length !== now.current.models.length) exchanges[index] = { ...exchanges[index]!, answers: empty() };
            run(exchanges, index, place);
        },
        edit(index, question) {
            run([...now.current.exchanges.slice(0, index), { id: ++lastId, question, answers: empty() }], index);
        },
        remove(index) {
            put({ ...now.current, exchanges: now.current.exchanges.filter((_, at) => at !== index) });
            keepConversation(now.current);
        },
        stop() {
            aborts.current.forEach((abort) => abort.abort());
        },
    };
}
