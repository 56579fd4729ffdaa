// Numbers, sizes, times and names, as people read them.
const whole = new Intl.NumberFormat("en-US");
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export function count(value: number | null | undefined): string {
    return value === null || value === undefined ? "–" : whole.format(value);
}

/** 1 234 567 as 1.2 M. */
export function shortCount(value: number | null | undefined): string {
    if (value === null || value === undefined) return "–";
    const step = [1e9, 1e6, 1e3].find((size) => Math.abs(value) >= size * 0.9995);
    if (!step) return count(Math.round(value));
    return (value / step).toFixed(Math.abs(value / step) < 99.95 ? 1 : 0) + (step === 1e9 ? " G" : step === 1e6 ? " M" : " k");
}

export function bytes(value: number | null | undefined): string {
    if (value === null || value === undefined) return "–";
    const units = ["B", "kB", "MB", "GB", "TB"];
    let unit = 0;
    for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
    return `${unit && value < 99.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** 3700 as "1 h 2 min". */
export function duration(seconds: number | null | undefined): string {
    if (seconds === null || seconds === undefined || !isFinite(seconds)) return "–";
    const rounded = Math.max(0, Math.round(seconds));
    if (rounded < 60) return `${rounded} s`;
    if (rounded < 3600) return `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
    const minutes = Math.round(rounded / 60);
    if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
    return `${Math.round(minutes / 1440)} days`;
}

export function exactTime(seconds: number): string {
    return exact.format(seconds * 1000);
}

export function relativeTime(seconds: number, now = Date.now() / 1000): string {
    const ahead = seconds - now;
    const size = Math.abs(ahead);
    if (size < 5) return "just now";
    if (size < 60) return relative.format(Math.round(ahead), "second");
    if (size < 3600) return relative.format(Math.round(ahead / 60), "minute");
    if (size < 86400) return relative.format(Math.round(ahead / 3600), "hour");
    return relative.format(Math.round(ahead / 86400), "day");
}

/** A loss, a rate: four digits that count. */
export function figure(value: number | null | undefined): string {
    if (value === null || value === undefined || !isFinite(value)) return "–";
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size >= 1e4 && size < 1e9) return count(Math.round(value));
    return size >= 1e9 || size < 1e-3 ? value.toExponential(2) : value.toPrecision(4).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

export function percent(part: number, all: number): string {
    return all > 0 ? `${Math.round((100 * part) / all)} %` : "–";
}

const WRITTEN = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** A number that someone has written. null: it is none, or one too large to be sent. */
export function readNumber(text: string): number | null {
    const value = Number(text);
    return WRITTEN.test(text.trim()) && Number.isFinite(value) ? value : null;
}

/** What is wrong with a text that readNumber gives null for. */
export function noNumber(text: string): string {
    return `“${text.trim()}” is no number that can be used. Write 1000 or 0.5: nothing between thousands, a point before decimals.`;
}

/** The part of a fine-tuned model's name that tells it from others: its suffix and the last digits. */
export function shortModel(model: string | null | undefined): string {
    if (!model) return "–";
    if (!model.startsWith("ft:")) return model.split("/").at(-1)!;
    const [, , base, , ...rest] = model.split(":");
    return [base, ...rest].join(":");
}
