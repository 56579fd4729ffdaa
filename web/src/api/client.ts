// Asking the API. Everything that the pages do goes through here, and is what any client can do; the session's cookie,
// which scripts cannot read, stands in place of an API key.
import { signal } from "@preact/signals";

/** What the server says of a fault (OpenAI's error object), or, with status 0, that it did not answer at all. */
export class ApiError extends Error {
    constructor(
        message: string,
        readonly status: number,
        readonly code: string | null = null,
        readonly param: string | null = null,
        readonly requestId: string | null = null,
    ) {
        super(message);
    }
}

/** Whether the server answers. Pages go on showing what they have, and what is live asks again. */
export const connected = signal(true);

/** undefined: not known yet; null: nobody is signed in. */
export const session = signal<Session | null | undefined>(undefined);

export interface Session {
    account: string;
    scope: "all" | "read-only" | "inference";
    plan: string | null;
}

export interface List<T> {
    data: T[];
    has_more: boolean;
}

async function fault(response: Response): Promise<ApiError> {
    const requestId = response.headers.get("x-request-id");
    try {
        const { error } = await response.json();
        return new ApiError(error.message, response.status, error.code, error.param, requestId);
    } catch {
        return new ApiError(`The server answered with status ${response.status}.`, response.status, null, null, requestId);
    }
}

/** Sends a request and gives the answer back once its head is there. Throws an ApiError. */
export async function send(method: string, path: string, body?: unknown, more: RequestInit = {}): Promise<Response> {
    const form = body instanceof FormData;
    let response: Response;
    try {
        response = await fetch(path, {
            method,
            body: body === undefined ? undefined : form ? body : JSON.stringify(body),
            headers: body === undefined || form ? {} : { "content-type": "application/json" },
            ...more,
        });
    } catch (reason) {
        if (more.signal?.aborted) throw reason;
        connected.value = false;
        throw new ApiError("The server does not answer. Is it running?", 0);
    }
    connected.value = true;
    if (response.ok) return response;
    if (response.status === 401 && !path.startsWith("/v1/session")) session.value = null;
    throw await fault(response);
}

async function json<T>(method: string, path: string, body?: unknown, more?: RequestInit): Promise<T> {
    return (await send(method, path, body, more)).json();
}

export const api = {
    get: <T>(path: string, more?: RequestInit) => json<T>("GET", path, undefined, more),
    post: <T>(path: string, body?: unknown, more?: RequestInit) => json<T>("POST", path, body, more),
    delete: <T>(path: string) => json<T>("DELETE", path),
};

/** "?a=1&b=2" of what is not empty. */
export function query(parameters: Record<string, string | number | undefined | null>): string {
    const pairs = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
    return pairs.length ? "?" + new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])) : "";
}

/** A model's name as a part of a path: its slashes stay. */
export function modelPath(model: string): string {
    return model.split("/").map(encodeURIComponent).join("/");
}

export async function findSession(): Promise<void> {
    try {
        session.value = await api.get<Session>("/v1/session");
    } catch (reason) {
        if (reason instanceof ApiError && reason.status === 0) setTimeout(findSession, 1500);
        else session.value = null;
    }
}

export async function signIn(secret: { api_key: string } | { token: string }): Promise<void> {
    session.value = await api.post<Session>("/v1/session", secret);
}

export async function signOut(): Promise<void> {
    await api.delete("/v1/session");
    session.value = null;
}
