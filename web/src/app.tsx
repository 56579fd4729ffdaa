// The frame around every page: sign-in first, then the side bar and the page that the address names.
import { useEffect, useErrorBoundary, useLayoutEffect, useState } from "preact/hooks";
import { connected, session, signOut } from "./api/client";
import { Questions } from "./kit/dialog";
import { Button } from "./kit/button";
import { Icon } from "./kit/icon";
import { Empty, Note } from "./kit/show";
import { Toasts } from "./kit/toast";
import { LinkButton } from "./kit/button";
import { match, place } from "./router";
import { type Page, type Section, sections } from "./pages/pages";
import { SignIn } from "./pages/sign_in";

function find(path: string): { section: Section; page: Page; parameters: Record<string, string> } | null {
    for (const section of sections)
        for (const page of section.pages) {
            const parameters = match(page.pattern, path);
            if (parameters) return { section, page, parameters };
        }
    return null;
}

function Brand() {
    return (
        <a class="brand" href="/">
            <img src="/favicon.svg" alt="" width="26" height="26" />
            <span>temper</span>
        </a>
    );
}

function SideBar({ current, onFollow }: { current: Section | undefined; onFollow: () => void }) {
    return (
        <aside class="side-bar" aria-label="temper">
            <Brand />
            <nav aria-label="Pages">
                {sections.map((section) => (
                    <a key={section.href} href={section.href} class="side-link" aria-current={section === current ? "page" : undefined} onClick={onFollow}>
                        <Icon name={section.icon} />
                        {section.title}
                    </a>
                ))}
            </nav>
            <div class="side-foot">
                <p>
                    <span class="account">{session.value?.account}</span>{" "}
                    {session.value?.scope !== "all" && <small>{session.value?.scope}</small>}
                </p>
                <Button kind="quiet" small icon="signOut" onPress={signOut}>
                    Sign out
                </Button>
            </div>
        </aside>
    );
}

function Absent() {
    return (
        <Empty icon="alert" title="There is no such page" action={<LinkButton href="/">Go home</LinkButton>}>
            The address may be mistyped, or what it named is gone.
        </Empty>
    );
}

/** A page that failed while it was drawn leaves the frame standing. */
function Guarded({ page, parameters }: { page: Page; parameters: Record<string, string> }) {
    const [error] = useErrorBoundary((reason) => console.error(reason));
    if (error)
        return (
            <Note kind="bad" title="This page has failed.">
                <p>{String(error)}</p>
                <Button small icon="retry" onPress={() => location.reload()}>
                    Load it anew
                </Button>
            </Note>
        );
    return <page.view parameters={parameters} />;
}

function Shell() {
    const path = place.value.path;
    const found = find(path);
    const [open, setOpen] = useState(false);
    useLayoutEffect(() => {
        document.title = `${found?.page.title ?? "No such page"} · temper`; // until the page's head gives its own
        setOpen(false);
    }, [path]);
    useEffect(() => {
        if (!open) return;
        const escape = (event: KeyboardEvent) => event.key === "Escape" && setOpen(false);
        addEventListener("keydown", escape);
        return () => removeEventListener("keydown", escape);
    }, [open]);
    return (
        <div class={`shell ${open ? "open" : ""}`}>
            <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")!.focus())}>
                Skip to the page
            </a>
            <header class="top-bar">
                <Button kind="quiet" icon="menu" aria-label={open ? "Close the menu" : "Open the menu"} onPress={() => setOpen(!open)} />
                <Brand />
            </header>
            <SideBar current={found?.section} onFollow={() => setOpen(false)} />
            {open && <div class="side-shade" onClick={() => setOpen(false)} />}
            <main id="main" tabIndex={-1}>
                {!connected.value && <Note kind="warning" title="The server does not answer">The page goes on as soon as it is back. Nothing that runs there is lost.</Note>}
                {found ? <Guarded key={found.page.pattern} page={found.page} parameters={found.parameters} /> : <Absent />}
            </main>
        </div>
    );
}

export function App() {
    const signedIn = session.value;
    return (
        <>
            {signedIn === undefined ? (
                <div class="starting" aria-busy="true">
                    {!connected.value && <Note kind="warning" title="The server does not answer">This page goes on as soon as it does.</Note>}
                </div>
            ) : signedIn && place.value.path !== "/sign-in" ? (
                <Shell />
            ) : (
                <SignIn />
            )}
            <Questions />
            <Toasts />
        </>
    );
}
