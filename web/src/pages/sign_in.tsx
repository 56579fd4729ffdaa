// Signing in: with an API key, or by the address that `temper serve` prints, whose fragment is good for one sign-in.
import { useEffect, useState } from "preact/hooks";
import { session, signIn } from "../api/client";
import { Button } from "../kit/button";
import { TextField } from "../kit/field";
import { Note } from "../kit/show";
import { errorText } from "../kit/toast";
import { navigate, place } from "../router";

/** Where to go once signed in: the page that was asked for. */
function goOn() {
    if (place.value.path === "/sign-in") navigate(place.value.query.get("to")?.match(/^\/(?!\/)/) ? place.value.query.get("to")! : "/", { replace: true });
}

export function SignIn() {
    const token = location.pathname === "/sign-in" ? location.hash.slice(1) : "";
    const [key, setKey] = useState("");
    const [busy, setBusy] = useState(token !== "");
    const [error, setError] = useState("");
    async function enter(secret: { api_key: string } | { token: string }) {
        setBusy(true);
        try {
            await signIn(secret);
            goOn();
        } catch (reason) {
            setError(errorText(reason));
        }
        setBusy(false);
    }
    useEffect(() => {
        document.title = "Sign in · temper";
        if (token) {
            history.replaceState(null, "", location.pathname + location.search); // it is of no use a second time
            void enter({ token });
        } else if (session.value) goOn();
    }, []);
    return (
        <main class="sign-in">
            <form
                class="sign-in-card"
                onSubmit={(event) => {
                    event.preventDefault();
                    if (key.trim()) void enter({ api_key: key.trim() });
                }}
            >
                <img src="/favicon.svg" alt="" width="44" height="44" />
                <h1>Sign in to temper</h1>
                {error && <Note kind="bad">{error}</Note>}
                <TextField label="API key" type="password" value={key} onInput={setKey} placeholder="sk-temper-…" autoFocus disabled={busy} />
                <Button kind="primary" type="submit" disabled={busy || !key.trim()}>
                    {busy ? "Signing in…" : "Sign in"}
                </Button>
                <p class="hint">
                    The first key was shown when the server was first started. On the server's machine, <code>temper sign-in</code> prints an address that signs you in
                    without a key, and <code>temper keys create</code> makes a new key.
                </p>
            </form>
        </main>
    );
}
