// Where the reader is: the address bar is the one truth, so that every page and job can be linked to, and the back
// button works. Links are plain <a href>; those to our own pages are followed without loading anew.
import { signal } from "@preact/signals";

export interface Place {
    path: string;
    query: URLSearchParams;
}

function here(): Place {
    return { path: location.pathname, query: new URLSearchParams(location.search) };
}

export const place = signal<Place>(here());

export function navigate(to: string, { replace = false } = {}): void {
    if (replace) history.replaceState(null, "", to);
    else history.pushState(null, "", to);
    const before = place.value.path;
    place.value = here();
    if (before === place.value.path) return;
    scrollTo(0, 0);
    // Whoever reads by ear or by keyboard begins at the new page's top.
    requestAnimationFrame(() => document.querySelector<HTMLElement>("main")?.focus({ preventScroll: true }));
}

/** Changes parameters of the address without a step in the history. */
export function setQuery(changes: Record<string, string | null>): void {
    const parameters = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes))
        if (value === null || value === "") parameters.delete(name);
        else parameters.set(name, value);
    const text = parameters.toString();
    navigate(location.pathname + (text ? "?" + text : ""), { replace: true });
}

function isOurs(link: HTMLAnchorElement): boolean {
    return (
        link.origin === location.origin &&
        !link.target &&
        !link.hasAttribute("download") &&
        !link.pathname.startsWith("/v1/") &&
        link.pathname !== "/openapi.json"
    );
}

export function followLinks(): void {
    addEventListener("popstate", () => (place.value = here()));
    document.addEventListener("click", (event) => {
        if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        const link = (event.target as Element).closest?.("a");
        if (!link || !isOurs(link) || !link.hasAttribute("href")) return;
        event.preventDefault();
        navigate(link.pathname + link.search + link.hash);
    });
}

/** Matches "/fine-tuning/:job" and gives its parameters; ":name*" takes all the rest. */
export function match(pattern: string, path: string): Record<string, string> | null {
    const wanted = pattern.split("/");
    const given = path.replace(/\/+$/, "").split("/");
    if (pattern === "/") return given.join("") === "" ? {} : null;
    const found: Record<string, string> = {};
    for (const [index, part] of wanted.entries()) {
        if (part.endsWith("*")) {
            found[part.slice(1, -1)] = given.slice(index).map(decodeURIComponent).join("/");
            return given.length > index ? found : null;
        }
        const segment = given[index];
        if (segment === undefined || (part[0] !== ":" && part !== segment)) return null;
        if (part[0] === ":") found[part.slice(1)] = decodeURIComponent(segment);
    }
    return given.length === wanted.length ? found : null;
}
