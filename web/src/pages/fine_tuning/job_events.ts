// A job's events as they come: server-sent events, and while there is no stream, asking every few seconds. The browser opens
// a stream that broke again by itself; the server then begins anew, and what is known already is passed over.
import { useEffect, useState } from "preact/hooks";
import { api, type List } from "../../api/client";
import { changed } from "../../api/live";
import type { JobEvent } from "../../api/objects";

const PAGE = 100;
const FALL_BACK = 3000; // milliseconds

function merged(known: JobEvent[], more: JobEvent[]): JobEvent[] {
    const ids = new Set(known.map(({ id }) => id));
    const fresh = more.filter(({ id }) => !ids.has(id));
    return fresh.length ? [...known, ...fresh].sort((a, b) => a.created_at - b.created_at) : known;
}

/** Messages of a job, oldest first; `onMetrics` hears that a measurement has come. */
export function useJobEvents(job: string, live: boolean, onMetrics: () => void): JobEvent[] {
    const [events, setEvents] = useState<JobEvent[]>([]);
    useEffect(() => setEvents([]), [job]);
    useEffect(() => {
        const path = `/v1/fine_tuning/jobs/${job}/events`;
        let source: EventSource | null = null;
        let timer: ReturnType<typeof setInterval> | undefined;
        let over = false;
        async function ask() {
            const messages: JobEvent[] = [];
            let after: string | undefined;
            try {
                // Metrics stand between the messages: the curves have those.
                for (let page = 0; page < 15; page++) {
                    const list: List<JobEvent> = await api.get(`${path}?limit=${PAGE}${after ? `&after=${after}` : ""}`);
                    messages.push(...list.data.filter(({ type }) => type === "message"));
                    after = list.data.at(-1)?.id;
                    if (!list.has_more || !after) break;
                }
            } catch {
                return; // what watches the job says so
            }
            if (!over) setEvents((known) => merged(known, messages.reverse()));
        }
        function listen() {
            source = new EventSource(`${path}?stream=true`);
            source.onmessage = ({ data }) => {
                if (data === "[DONE]") return source?.close();
                const event = JSON.parse(data) as JobEvent;
                if (event.type === "metrics") return onMetrics();
                setEvents((known) => merged(known, [event]));
                changed(`/v1/fine_tuning/jobs/${job}`);
            };
            source.onopen = () => {
                clearInterval(timer);
                timer = undefined;
            };
            source.onerror = () => {
                timer ??= setInterval(() => (void ask(), onMetrics()), FALL_BACK);
            };
        }
        if (live) listen();
        else void ask();
        return () => {
            over = true;
            source?.close();
            clearInterval(timer);
        };
    }, [job, live]);
    return events;
}
