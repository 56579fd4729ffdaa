// Small things that are shown everywhere: states, times, progress, notes, and what stands where there is nothing yet.
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { Live } from "../api/live";
import { exactTime, relativeTime } from "./format";
import { Icon, type IconName } from "./icon";
import { toast } from "./toast";
import { Button, IconButton } from "./button";

const now = signal(Date.now() / 1000);
setInterval(() => (now.value = Date.now() / 1000), 10_000);

export function Time({ at }: { at: number | null | undefined }) {
    if (at === null || at === undefined) return <>–</>;
    return (
        <time dateTime={new Date(at * 1000).toISOString()} title={exactTime(at)}>
            {relativeTime(at, Math.max(now.value, at > now.value ? now.value : at))}
        </time>
    );
}

const tones: Record<string, "good" | "bad" | "busy" | "idle" | "warn"> = {
    succeeded: "good", completed: "good", processed: "good", active: "good", delivered: "good", enabled: "good",
    failed: "bad", error: "bad", expired: "bad", disabled: "bad",
    running: "busy", in_progress: "busy", validating_files: "busy", validating: "busy", finalizing: "busy", cancelling: "busy", uploaded: "busy",
    paused: "warn", pending: "idle", queued: "idle", cancelled: "idle",
};

export function Status({ of }: { of: string }) {
    return <span class={`status ${tones[of] ?? "idle"}`}>{of.replaceAll("_", " ")}</span>;
}

export function Progress({ part, label }: { part: number; label: string }) {
    const percent = Math.round(100 * Math.min(1, Math.max(0, part)));
    return (
        <div class="progress" role="progressbar" aria-label={label} aria-valuenow={percent} aria-valuemin={0} aria-valuemax={100}>
            <div style={{ width: `${percent}%` }} />
        </div>
    );
}

export function Note({ kind = "info", title, children }: { kind?: "info" | "warning" | "bad" | "good"; title?: string; children?: ComponentChildren }) {
    return (
        <div class={`note ${kind}`} role={kind === "bad" ? "alert" : undefined}>
            <Icon name={kind} />
            <div>
                {title && <strong>{title}</strong>}
                {children}
            </div>
        </div>
    );
}

/** Where there is nothing yet: what would stand here, and what to do to get it. */
export function Empty({ icon, title, children, action }: { icon: IconName; title: string; children?: ComponentChildren; action?: ComponentChildren }) {
    return (
        <div class="empty">
            <span class="empty-icon">
                <Icon name={icon} size={26} />
            </span>
            <h2>{title}</h2>
            {children && <p>{children}</p>}
            {action}
        </div>
    );
}

/** A thing that is live: its fault, a place holder of its size while it comes, or itself. */
export function Loaded<T>({ live, children, lines = 4 }: { live: Live<T>; children: (data: T) => ComponentChildren; lines?: number }) {
    if (live.data !== undefined) return <>{children(live.data)}</>;
    if (live.error && live.error.status !== 0)
        return (
            <Note kind="bad" title={live.error.message}>
                {live.error.requestId && <p class="hint">Request {live.error.requestId}: the server's log says more.</p>}
                <Button small icon="retry" onPress={live.refresh}>
                    Try again
                </Button>
            </Note>
        );
    return (
        <div class="loading" aria-label="Loading" aria-busy="true">
            {Array.from({ length: lines }, (_, index) => (
                <div key={index} class="loading-line" />
            ))}
        </div>
    );
}

export async function copyText(text: string, what = "Copied"): Promise<void> {
    await navigator.clipboard.writeText(text);
    toast(what);
}

/** A name that one wants elsewhere. */
export function Id({ children }: { children: string }) {
    return (
        <span class="id">
            <code>{children}</code>
            <IconButton icon="copy" label={`Copy ${children}`} onPress={() => copyText(children, `${children} is copied.`)} />
        </span>
    );
}

/** What is known of a thing, by name. */
export function Facts({ rows }: { rows: [string, ComponentChildren][] }) {
    return (
        <dl class="facts">
            {rows.map(([name, value]) => (
                <div key={name}>
                    <dt>{name}</dt>
                    <dd>{value}</dd>
                </div>
            ))}
        </dl>
    );
}

export function PageHead({ title, about, back, children }: { title: ComponentChildren; about?: ComponentChildren; back?: { href: string; label: string }; children?: ComponentChildren }) {
    useEffect(() => {
        if (typeof title === "string") document.title = `${title} · temper`;
    }, [title]);
    return (
        <header class="page-head">
            <div>
                {back && (
                    <a class="back" href={back.href}>
                        <Icon name="back" size={15} /> {back.label}
                    </a>
                )}
                <h1>{title}</h1>
                {about && <p class="about">{about}</p>}
            </div>
            {children && <div class="page-actions">{children}</div>}
        </header>
    );
}
