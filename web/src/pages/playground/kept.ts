// What the playground keeps in the browser, of each account by itself: conversations, and examples that are to become a
// training file. Conversations are bounded; the oldest go first.
import { effect, signal } from "@preact/signals";
import { session } from "../../api/client";
import type { Conversation } from "./conversation";

const CONVERSATIONS = "temper.conversations";
const EXAMPLES = "temper.examples";
const MOST = 60;
const MOST_CHARACTERS = 2_000_000;

function read<T>(key: string): T[] {
    try {
        const value = JSON.parse(localStorage.getItem(key) ?? "[]");
        return Array.isArray(value) ? value : [];
    } catch {
        return [];
    }
}

const keyOf = (what: string) => `${what}.${session.value?.account ?? ""}`;

export const conversations = signal<Conversation[]>([]);
export const examples = signal<Example[]>([]);

effect(() => {
    conversations.value = read(keyOf(CONVERSATIONS));
    examples.value = read(keyOf(EXAMPLES));
});

function write(list: Conversation[]) {
    let text = JSON.stringify(list);
    while (list.length > 1 && text.length > MOST_CHARACTERS) text = JSON.stringify((list = list.slice(0, -1)));
    conversations.value = list;
    try {
        localStorage.setItem(keyOf(CONVERSATIONS), text);
    } catch {
        // The browser has no room: the conversation stays until the page is left.
    }
}

/** Token probabilities are shown once and not kept: they outweigh the rest a hundred times. */
export function keepConversation(conversation: Conversation): void {
    if (!conversation.exchanges.length) return;
    const light = {
        ...conversation,
        changed: Date.now(),
        title: conversation.title || conversation.exchanges[0]!.question.slice(0, 80),
        exchanges: conversation.exchanges.map((exchange) => ({ ...exchange, answers: exchange.answers.map(({ tokens: _, ...answer }) => answer) })),
    };
    write([light, ...conversations.value.filter(({ id }) => id !== conversation.id)].slice(0, MOST));
}

export function renameConversation(id: string, title: string): void {
    write(conversations.value.map((one) => (one.id === id ? { ...one, title } : one)));
}

export function forgetConversation(id: string): void {
    write(conversations.value.filter((one) => one.id !== id));
}

export function forgetConversations(): void {
    write([]);
}

export interface Example {
    messages: { role: string; content: string }[];
}

export function setExamples(list: Example[]): void {
    examples.value = list;
    localStorage.setItem(keyOf(EXAMPLES), JSON.stringify(list));
}

export function examplesFile(): File {
    return new File([examples.value.map((example) => JSON.stringify(example) + "\n").join("")], "from-the-playground.jsonl", { type: "application/jsonl" });
}
