// Buttons, and links that look like them.
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { Icon, type IconName } from "./icon";
import { toastError } from "./toast";
import { Tip } from "./tip";

type Kind = "primary" | "plain" | "quiet" | "danger";

interface Look {
    kind?: Kind;
    icon?: IconName;
    small?: boolean;
    children?: ComponentChildren;
}

function face({ icon, children, small }: Look, busy = false) {
    return (
        <>
            {busy ? <span class="spinner" /> : icon && <Icon name={icon} size={small ? 16 : 18} />}
            {children && <span>{children}</span>}
        </>
    );
}

/** `onPress` may take its time: meanwhile the button is busy, and takes no second press. What it throws is shown as a message. */
export function Button({
    kind = "plain", icon, small, children, onPress, disabled, type = "button", ...more
}: Look & { onPress?: () => unknown; disabled?: boolean; type?: "button" | "submit"; "aria-label"?: string; "aria-pressed"?: boolean }) {
    const [busy, setBusy] = useState(false);
    const working = useRef(false); // at once, where `busy` comes with the next drawing
    async function press() {
        if (working.current) return;
        working.current = true;
        const work = (async () => onPress?.())();
        const slow = setTimeout(() => setBusy(true), 150);
        try {
            await work;
        } catch (reason) {
            toastError(reason);
        }
        clearTimeout(slow);
        working.current = false;
        setBusy(false);
    }
    return (
        <button type={type} class={`button ${kind} ${small ? "small" : ""}`} disabled={disabled} aria-busy={busy} onClick={onPress && press} {...more}>
            {face({ icon, children, small }, busy)}
        </button>
    );
}

/** A button that is but an icon, with its name for those who cannot see it, and on hover. */
export function IconButton({ icon, label, onPress, kind = "quiet", pressed, disabled }: { icon: IconName; label: string; onPress: () => unknown; kind?: Kind; pressed?: boolean; disabled?: boolean }) {
    return (
        <Tip text={label}>
            <Button kind={kind} small icon={icon} onPress={onPress} disabled={disabled} aria-label={label} {...(pressed === undefined ? {} : { "aria-pressed": pressed })} />
        </Tip>
    );
}

export function LinkButton({ href, download, kind = "plain", ...look }: Look & { href: string; download?: boolean | string }) {
    return (
        <a class={`button ${kind} ${look.small ? "small" : ""}`} href={href} {...(download ? { download } : {})}>
            {face(look)}
        </a>
    );
}
