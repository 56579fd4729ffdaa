// Messages that come and go: what was done, and faults that have no better place.
import { signal } from "@preact/signals";
import { ApiError } from "../api/client";
import { IconButton } from "./button";
import { Icon } from "./icon";

interface Toast {
    id: number;
    kind: "good" | "bad";
    text: string;
}

const toasts = signal<Toast[]>([]);
let last = 0;

function show(kind: Toast["kind"], text: string, milliseconds: number) {
    const id = ++last;
    toasts.value = [...toasts.value.slice(-3), { id, kind, text }];
    setTimeout(() => dismiss(id), milliseconds);
}

function dismiss(id: number) {
    toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export function toast(text: string): void {
    show("good", text, 4000);
}

export function errorText(reason: unknown): string {
    return reason instanceof Error ? reason.message : String(reason);
}

export function toastError(reason: unknown): void {
    if (reason instanceof ApiError && reason.status === 401) return; // the sign-in page says so
    show("bad", errorText(reason), 12_000);
}

export function Toasts() {
    return (
        <div class="toasts" role="status" aria-live="polite">
            {toasts.value.map((toast) => (
                <div key={toast.id} class={`toast ${toast.kind}`}>
                    <Icon name={toast.kind} />
                    <p>{toast.text}</p>
                    <IconButton icon="close" label="Dismiss" onPress={() => dismiss(toast.id)} />
                </div>
            ))}
        </div>
    );
}
