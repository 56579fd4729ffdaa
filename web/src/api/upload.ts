// Files on their way to the server. Small ones go in one piece; larger ones in parts, side by side, each tried again
// where the way is bad. What has arrived of a large file is noted in the browser, so that after a reload, or a day, the
// same file goes on where it stopped.
import { api, ApiError } from "./client";
import type { StoredFile, Upload } from "./objects";

const PART = 8 << 20; // bytes
const TOGETHER = 2;
const ATTEMPTS = 6;
const KEPT = "temper.uploads";

export type Purpose = "fine-tune" | "batch";

interface Begun {
    upload: string;
    purpose: Purpose;
    name: string;
    size: number;
    modified: number;
    /** The ids of the parts that have arrived, by their place. */
    parts: Record<number, string>;
}

function begunUploads(): Begun[] {
    try {
        return JSON.parse(localStorage.getItem(KEPT) ?? "[]");
    } catch {
        return [];
    }
}

function keep(begun: Begun): void {
    localStorage.setItem(KEPT, JSON.stringify([...begunUploads().filter(({ upload }) => upload !== begun.upload), begun].slice(-20)));
}

function forget(begun: Begun): void {
    localStorage.setItem(KEPT, JSON.stringify(begunUploads().filter(({ upload }) => upload !== begun.upload)));
}

/** What was begun of this file, where the server still knows of it. */
async function findBegun(file: File, purpose: Purpose): Promise<Begun | null> {
    const found = begunUploads().find(
        (begun) => begun.name === file.name && begun.size === file.size && begun.modified === file.lastModified && begun.purpose === purpose,
    );
    if (!found) return null;
    try {
        const { status } = await api.get<Upload>(`/v1/uploads/${found.upload}`);
        if (status === "pending") return found;
    } catch (reason) {
        if (!(reason instanceof ApiError) || reason.status !== 404) throw reason;
    }
    forget(found);
    return null;
}

async function begin(file: File, purpose: Purpose): Promise<Begun> {
    const upload = await api.post<Upload>("/v1/uploads", { filename: file.name, purpose, bytes: file.size, mime_type: "application/jsonl" });
    const begun = { upload: upload.id, purpose, name: file.name, size: file.size, modified: file.lastModified, parts: {} };
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

function pause(milliseconds: number, abort?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(resolve, milliseconds);
        abort?.addEventListener("abort", () => (clearTimeout(timer), reject(abort.reason)), { once: true });
    });
}

async function sendPart(begun: Begun, blob: Blob, abort?: AbortSignal): Promise<string> {
    for (let attempt = 1; ; attempt++) {
        try {
            const part = await api.post<{ id: string }>(`/v1/uploads/${begun.upload}/parts`, form({ data: blob }), { signal: abort });
            return part.id;
        } catch (reason) {
            const passing = reason instanceof ApiError && (reason.status === 0 || reason.status === 429 || reason.status >= 500);
            if (!passing || attempt === ATTEMPTS) throw reason;
            await pause(500 * 2 ** attempt, abort);
        }
    }
}

async function sendParts(begun: Begun, file: File, onProgress: (part: number) => void, abort?: AbortSignal): Promise<string[]> {
    const count = Math.ceil(file.size / PART);
    const left = Array.from({ length: count }, (_, index) => index).filter((index) => !begun.parts[index]);
    const tell = () => onProgress(Object.keys(begun.parts).length / count);
    tell();
    async function worker() {
        for (let index = left.shift(); index !== undefined; index = left.shift()) {
            begun.parts[index] = await sendPart(begun, file.slice(index * PART, (index + 1) * PART), abort);
            keep(begun);
            tell();
        }
    }
    await Promise.all(Array.from({ length: TOGETHER }, worker));
    return Array.from({ length: count }, (_, index) => begun.parts[index]!);
}

/**
 * Uploads a file. `onProgress` hears what part of it has arrived, 0 to 1. An aborted upload of a large file can be gone
 * on with by uploading the same file again.
 */
export async function uploadFile(file: File, purpose: Purpose, onProgress: (part: number) => void = () => {}, abort?: AbortSignal): Promise<StoredFile> {
    if (file.size <= PART) {
        onProgress(0);
        const stored = await api.post<StoredFile>("/v1/files", form({ purpose, file }, file.name), { signal: abort });
        onProgress(1);
        return stored;
    }
    const begun = (await findBegun(file, purpose)) ?? (await begin(file, purpose));
    const parts = await sendParts(begun, file, onProgress, abort);
    const done = await api.post<Upload>(`/v1/uploads/${begun.upload}/complete`, { part_ids: parts });
    forget(begun);
    return done.file!;
}
