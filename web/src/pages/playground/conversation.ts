// A conversation with one to three models: what was asked, and what each of them answered.
import type { TokenScore } from "../../api/chat";
import { noNumber, readNumber } from "../../kit/format";

export interface Answer {
    model: string;
    text: string;
    state: "waiting" | "going" | "done" | "stopped" | "failed";
    error?: string;
    reason?: string | null;
    tokens?: TokenScore[];
    count?: number; // tokens
    first?: number; // milliseconds to the first
    pace?: number; // tokens a second behind it
}

export interface Exchange {
    id: number;
    question: string;
    /** By place: the models side by side. */
    answers: Answer[];
}

export interface Settings {
    system: string;
    max_tokens: string;
    temperature: number;
    top_p: number;
    seed: string;
    stop: string;
    probabilities: boolean;
}

export interface Conversation {
    id: string;
    title: string;
    changed: number; // milliseconds since 1970
    models: string[];
    settings: Settings;
    exchanges: Exchange[];
}

export const standard: Settings = { system: "", max_tokens: "512", temperature: 0.7, top_p: 1, seed: "", stop: "", probabilities: false };

export function newConversation(models: string[], settings: Settings): Conversation {
    return { id: crypto.getRandomValues(new Uint32Array(2)).join("-"), title: "", changed: Date.now(), models, settings, exchanges: [] };
}

/** What the model at `place` has heard and said before the exchange at `index`, and its question. */
export function messagesFor(conversation: Conversation, place: number, index: number): { role: string; content: string }[] {
    const { system } = conversation.settings;
    return [
        ...(system.trim() ? [{ role: "system", content: system }] : []),
        ...conversation.exchanges.slice(0, index).flatMap(({ question, answers }) => [
            { role: "user", content: question },
            ...(answers[place]?.text ? [{ role: "assistant", content: answers[place].text }] : []),
        ]),
        { role: "user", content: conversation.exchanges[index]?.question ?? "" },
    ];
}

const MOST_STOPS = 4;

const stopTexts = (settings: Settings) => settings.stop.split("\n").filter((line) => line !== "");

/** What of the settings the server will refuse, in words. */
export function settingsFaults(settings: Settings): { max_tokens?: string; seed?: string; stop?: string } {
    const faults: ReturnType<typeof settingsFaults> = {};
    for (const field of ["max_tokens", "seed"] as const) if (settings[field].trim() && readNumber(settings[field]) === null) faults[field] = noNumber(settings[field]);
    if (stopTexts(settings).length > MOST_STOPS) faults.stop = `An answer can end at ${MOST_STOPS} texts at most, and these are ${stopTexts(settings).length}.`;
    return faults;
}

export function requestSettings(settings: Settings) {
    const stop = stopTexts(settings);
    const written = (text: string) => (readNumber(text) ?? text) as number; // no number: the server says what is wrong
    return {
        ...(settings.max_tokens.trim() && { max_tokens: written(settings.max_tokens) }),
        temperature: settings.temperature,
        top_p: settings.top_p,
        ...(settings.seed.trim() && { seed: written(settings.seed) }),
        ...(stop.length && { stop }),
    };
}
