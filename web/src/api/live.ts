// What a page shows of the server, kept up to date: asked for at once, again every so often while the page can be seen
// (more seldom once nothing moves), and at once when the window comes back or something was changed. What was shown
// last is kept by path, so that going back shows a page as it was.
import { signal, type Signal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { api, ApiError, connected, type List, query } from "./client";

export interface Live<T> {
    data: T | undefined;
    error: ApiError | undefined;
    refresh: () => void;
}

const kept = new Map<string, unknown>();
const changes: Signal<{ prefix: string; gone: string | undefined; count: number }> = signal({ prefix: "", gone: undefined, count: 0 });

/** Something under this path was changed: whoever shows it asks again, but not for what is gone. */
export function changed(prefix: string, gone?: string): void {
    changes.value = { prefix, gone, count: changes.value.count + 1 };
}

const LOST = 2000; // milliseconds until an absent server is asked again

interface Repeated<T> {
    data: T | undefined;
    error: ApiError | undefined;
    /** Asks at once. */
    now: () => void;
    /** Looks again at when to ask next, where nothing was to be asked any more. */
    wake: () => void;
}

function useRepeated<T>(key: string | null, ask: (abort: AbortSignal) => Promise<T>, every: (data: T) => number | null): Live<T> {
    const [, redraw] = useState(0);
    const state = useMemo((): Repeated<T> => ({ data: key === null ? undefined : (kept.get(key) as T | undefined), error: undefined, now: () => {}, wake: () => {} }), [key]);
    const latest = useRef({ ask, every });
    latest.current = { ask, every };
    useEffect(() => {
        if (key === null) return;
        let timer: ReturnType<typeof setTimeout> | undefined;
        let abort = new AbortController();
        let over = false;
        let asleep = false;
        function sleep(wait: number | null) {
            asleep = wait === null;
            if (wait !== null) timer = setTimeout(() => (document.hidden ? undefined : turn()), wait);
        }
        async function turn() {
            clearTimeout(timer);
            abort.abort();
            const mine = (abort = new AbortController());
            asleep = false;
            let wait: number | null = LOST;
            try {
                state.data = await latest.current.ask(mine.signal);
                state.error = undefined;
                kept.set(key!, state.data);
                wait = latest.current.every(state.data);
            } catch (reason) {
                if (mine.signal.aborted) return;
                state.error = reason instanceof ApiError ? reason : new ApiError(String(reason), 0);
                if (state.error.status >= 400 && state.error.status < 500 && state.error.status !== 429) wait = null;
            }
            if (over || mine !== abort) return;
            redraw((n) => n + 1);
            sleep(wait);
        }
        state.now = turn;
        state.wake = () => {
            if (asleep && !state.error && state.data !== undefined) sleep(latest.current.every(state.data));
        };
        const seen = () => document.hidden || turn();
        document.addEventListener("visibilitychange", seen);
        const stop = changes.subscribe(({ prefix, gone }) => prefix && key.startsWith(prefix) && !(gone && key.startsWith(gone)) && turn());
        const back = connected.subscribe((is) => is && state.error?.status === 0 && turn());
        turn();
        return () => {
            over = true;
            clearTimeout(timer);
            abort.abort();
            document.removeEventListener("visibilitychange", seen);
            stop();
            back();
        };
    }, [key]);
    useEffect(() => state.wake());
    return { data: state.data, error: state.error, refresh: () => state.now() };
}

const seldom = () => 15_000;

/** One object. `every`: in how many milliseconds to ask again; null for not at all. No path: nothing is asked. */
export function useLive<T>(path: string | null, every: (data: T) => number | null = seldom): Live<T> {
    return useRepeated(path, (signal) => api.get<T>(path!, { signal }), every);
}

export interface LiveList<T> extends Live<T[]> {
    hasMore: boolean;
    more: () => void;
}

const PAGE = 20;

/** A list by pages: the first one, and as many more as were asked for, all kept up to date. */
export function useList<T extends { id: string }>(
    path: string,
    parameters: Record<string, string | undefined> = {},
    every: (data: T[]) => number | null = seldom,
): LiveList<T> {
    const key = path + query(parameters);
    const [asked, setAsked] = useState({ key, pages: 1 });
    const pages = asked.key === key ? asked.pages : 1;
    async function ask(signal: AbortSignal): Promise<List<T>> {
        const all: T[] = [];
        for (let page = 0; ; page++) {
            const after = all.at(-1)?.id;
            const list = await api.get<List<T>>(path + query({ ...parameters, limit: PAGE, after }), { signal });
            all.push(...list.data);
            if (page + 1 >= pages || !list.has_more || !list.data.length) return { data: all, has_more: list.has_more };
        }
    }
    const live = useRepeated(`${key}#${pages}`, ask, (list) => every(list.data));
    const before = kept.get(`${key}#${pages - 1}`) as List<T> | undefined; // while the next page comes
    const shown = live.data ?? before;
    return {
        data: shown?.data,
        error: live.error,
        refresh: live.refresh,
        hasMore: shown?.has_more ?? false,
        more: () => setAsked({ key, pages: pages + 1 }),
    };
}

/** Several objects at once, in the order of their paths; null for one that is not there. No paths: nothing is asked. */
export function useEach<T>(paths: string[], every: (data: (T | null)[]) => number | null = seldom): Live<(T | null)[]> {
    async function one(path: string, signal: AbortSignal): Promise<T | null> {
        try {
            return await api.get<T>(path, { signal });
        } catch (reason) {
            if (reason instanceof ApiError && reason.status === 404) return null;
            throw reason;
        }
    }
    return useRepeated(paths.length ? paths.join(" ") : null, (signal) => Promise.all(paths.map((path) => one(path, signal))), every);
}
