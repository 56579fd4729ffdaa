// Files on their way to the server. Small ones go in one piece; larger ones in parts, side by side, each tried again
// where the way is bad. What has arrived of a large file is noted in the browser, so that after a reload, or a day, the
// same file goes on where it stopped.
import { signal } from "@preact/signals";
import { api, ApiError, session } from "./client";
import type { StoredFile, Upload } from "./objects";

const PART = 8 << 20; // bytes
const TOGETHER = 2;
const ATTEMPTS = 6;
const KEPT = "temper.uploads";
const MOST = 20;

export type Purpose = "fine-tune" | "batch";

export interface Begun {
    upload: string;
    account: string;
    purpose: Purpose;
    name: string;
    size: number;
    modified: number;
    began: number; // seconds since 1970
    expires: number;
    /** The ids of the parts that have arrived, by their place. */
    parts: Record<number, string>;
}

function read(): Begun[] {
    try {
        const list = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
        return Array.isArray(list) ? list : [];
    } catch {
        return [];
    }
}

const kept = signal(read());
const going = signal<ReadonlySet<string>>(new Set());
addEventListener("storage", ({ key }) => key === KEPT && (kept.value = read()));

function write(list: Begun[]): void {
    kept.value = list;
    try {
        localStorage.setItem(KEPT, JSON.stringify(list));
    } catch {
        // The browser has no room: the upload can be gone on with until the page is left.
    }
}

const others = (begun: Begun) => read().filter(({ upload }) => upload !== begun.upload);
const keep = (begun: Begun) => write([...others(begun), begun].slice(-MOST));
const forget = (begun: Begun) => write(others(begun));

/** Uploads of this account that were begun, have not ended, and are not under way in this page. */
export function begunUploads(purpose?: Purpose): Begun[] {
    const now = Date.now() / 1000;
    return kept.value.filter(
        (begun) => begun.account === session.value?.account && begun.expires > now && !going.value.has(begun.upload) && (!purpose || begun.purpose === purpose),
    );
}

/** The part of it that has arrived, 0 to 1. */
export function arrivedPart(begun: Begun): number {
    return Object.keys(begun.parts).length / Math.ceil(begun.size / PART);
}

/** Gives an upload up, here and on the server. */
export async function abandon(begun: Begun): Promise<void> {
    try {
        await api.post(`/v1/uploads/${begun.upload}/cancel`);
    } catch (reason) {
        const over = reason instanceof ApiError && (reason.status === 404 || reason.status === 409);
        if (!over) throw reason;
    }
    forget(begun);
}

/** What the server knows of an upload: null, if nothing any more. */
async function find(begun: Begun): Promise<Upload | null> {
    try {
        return await api.get<Upload>(`/v1/uploads/${begun.upload}`);
    } catch (reason) {
        if (reason instanceof ApiError && reason.status === 404) return null;
        throw reason;
    }
}

async function begin(file: File, purpose: Purpose): Promise<Begun> {
    const upload = await api.post<Upload>("/v1/uploads", { filename: file.name, purpose, bytes: file.size, mime_type: "application/jsonl" });
    const begun: Begun = {
        upload: upload.id, account: session.value?.account ?? "", purpose, name: file.name, size: file.size, modified: file.lastModified,
        began: upload.created_at, expires: upload.expires_at, parts: {},
    };
    keep(begun);
    return begun;
}

function form(fields: Record<string, string | Blob>, name?: string): FormData {
    const data = new FormData();
    for (const [field, value] of Object.entries(fields))
        if (value instanceof Blob) data.append(field, value, name ?? "part");
        else data.append(field, value);
    return data;
}

function pause(milliseconds: number, abort: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
        abort.throwIfAborted();
        const timer = setTimeout(resolve, milliseconds);
        abort.addEventListener("abort", () => (clearTimeout(timer), reject(abort.reason)), { once: true });
    });
}

/** Tries, and tries again where the fault may pass by itself, after longer and longer pauses. */
async function persistently<T>(attempt: (nth: number) => Promise<T>, abort: AbortSignal): Promise<T> {
    for (let nth = 1; ; nth++) {
        try {
            return await attempt(nth);
        } catch (reason) {
            const passing = reason instanceof ApiError && (reason.status === 0 || reason.status === 409 || reason.status === 429 || reason.status >= 500);
            if (!passing || nth === ATTEMPTS) throw reason;
            await pause(500 * 2 ** nth, abort);
        }
    }
}

/** Sends the parts that have not arrived. The first fault that does not pass ends all of it. */
async function sendParts(begun: Begun, file: File, onProgress: (part: number) => void, outer: AbortSignal): Promise<string[]> {
    const abort = new AbortController();
    const stop = () => abort.abort(outer.reason);
    outer.addEventListener("abort", stop);
    const count = Math.ceil(file.size / PART);
    const left = Array.from({ length: count }, (_, index) => index).filter((index) => !begun.parts[index]);
    onProgress(arrivedPart(begun));
    async function worker() {
        for (let index = left.shift(); index !== undefined; index = left.shift()) {
            const data = file.slice(index * PART, (index + 1) * PART);
            const send = () => api.post<{ id: string }>(`/v1/uploads/${begun.upload}/parts`, form({ data }), { signal: abort.signal });
            begun.parts[index] = (await persistently(send, abort.signal)).id;
            keep(begun);
            onProgress(arrivedPart(begun));
        }
    }
    const workers = Array.from({ length: TOGETHER }, worker);
    try {
        await Promise.all(workers);
    } catch (reason) {
        abort.abort(reason);
        await Promise.allSettled(workers);
        throw reason;
    } finally {
        outer.removeEventListener("abort", stop);
    }
    return Array.from({ length: count }, (_, index) => begun.parts[index]!);
}

/** Has the server make a file of the parts. Where its answer is lost, the upload says what has become of it. */
async function complete(begun: Begun, parts: string[], abort: AbortSignal): Promise<StoredFile> {
    return persistently(async (nth) => {
        const before = nth > 1 ? await find(begun) : null;
        if (before?.file) return before.file;
        if (before && before.status !== "pending") throw new ApiError(`The upload is ${before.status}. Choose the file again.`, 410);
        const done = await api.post<Upload>(`/v1/uploads/${begun.upload}/complete`, { part_ids: parts }, { signal: abort });
        return done.file!;
    }, abort);
}

async function uploadInParts(begun: Begun, file: File, onProgress: (part: number) => void, abort: AbortSignal): Promise<StoredFile> {
    going.value = new Set([...going.value, begun.upload]);
    try {
        const stored = await complete(begun, await sendParts(begun, file, onProgress, abort), abort);
        forget(begun);
        return stored;
    } finally {
        going.value = new Set([...going.value].filter((upload) => upload !== begun.upload));
    }
}

/**
 * Uploads a file. `onProgress` hears what part of it has arrived, 0 to 1. An upload of a large file that was aborted, or
 * has failed, can be gone on with by uploading the same file again.
 */
export async function uploadFile(file: File, purpose: Purpose, onProgress: (part: number) => void = () => {}, abort = new AbortController().signal): Promise<StoredFile> {
    if (file.size <= PART) {
        onProgress(0);
        const stored = await api.post<StoredFile>("/v1/files", form({ purpose, file }, file.name), { signal: abort });
        onProgress(1);
        return stored;
    }
    const known = begunUploads(purpose).find((begun) => begun.name === file.name && begun.size === file.size && begun.modified === file.lastModified);
    const upload = known ? await find(known) : null;
    if (known && upload?.status !== "pending") forget(known);
    if (upload?.file) return upload.file;
    return uploadInParts(known && upload?.status === "pending" ? known : await begin(file, purpose), file, onProgress, abort);
}
