// What a page shows of the server, kept up to date: asked for at once, again every so often while the page can be seen
// (more seldom once nothing moves), and at once when the window comes back or something was changed. What was shown
// last is kept by path, so that going back shows a page as it was.
import { signal, type Signal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import { api, ApiError, connected, type List, query } from "./client";

export interface Live<T> {
    data: T | undefined;
    error: ApiError | undefined;
    refresh: () => void;
}

const kept = new Map<string, unknown>();
const changes: Signal<{ prefix: string; count: number }> = signal({ prefix: "", count: 0 });

/** Something under this path was changed: whoever shows it asks again. */
export function changed(prefix: string): void {
    changes.value = { prefix, count: changes.value.count + 1 };
}

const LOST = 2000; // milliseconds until an absent server is asked again

function useRepeated<T>(key: string | null, ask: (abort: AbortSignal) => Promise<T>, every: (data: T) => number | null): Live<T> {
    const [, redraw] = useState(0);
    const state = useMemo(
        () => ({ data: key === null ? undefined : (kept.get(key) as T | undefined), error: undefined as ApiError | undefined, now: () => {} }),
        [key],
    );
    useEffect(() => {
        if (key === null) return;
        let timer: ReturnType<typeof setTimeout> | undefined;
        let abort = new AbortController();
        let over = false;
        async function turn() {
            clearTimeout(timer);
            abort.abort();
            const mine = (abort = new AbortController());
            let wait: number | null = LOST;
            try {
                state.data = await ask(mine.signal);
                state.error = undefined;
                kept.set(key!, state.data);
                wait = every(state.data);
            } catch (reason) {
                if (mine.signal.aborted) return;
                state.error = reason instanceof ApiError ? reason : new ApiError(String(reason), 0);
                if (state.error.status >= 400 && state.error.status < 500 && state.error.status !== 429) wait = null;
            }
            if (over || mine !== abort) return;
            redraw((n) => n + 1);
            if (wait !== null) timer = setTimeout(() => (document.hidden ? undefined : turn()), wait);
        }
        state.now = turn;
        const seen = () => document.hidden || turn();
        document.addEventListener("visibilitychange", seen);
        const stop = changes.subscribe(({ prefix }) => prefix && key.startsWith(prefix) && turn());
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
