// An endpoint's address and what it is told: made anew, or changed.
import { useState } from "preact/hooks";
import { api, ApiError } from "../../api/client";
import { changed } from "../../api/live";
import type { WebhookEndpoint } from "../../api/objects";
import { Button } from "../../kit/button";
import { Check, TextField } from "../../kit/field";
import { copyText, Note } from "../../kit/show";
import { errorText, toast } from "../../kit/toast";
import { eventTypes } from "./event_types";

const ENDPOINTS = "/v1/webhook_endpoints";

function Secret({ secret, onClose }: { secret: string; onClose: () => void }) {
    return (
        <>
            <div class="dialog-body">
                <Note kind="warning" title="The signing secret is shown only now.">
                    Deliveries are signed with it. OpenAI's libraries check them: <code>client.webhooks.unwrap(body, headers, secret=…)</code>.
                </Note>
                <div class="secret">
                    <code data-testid="secret">{secret}</code>
                    <Button kind="primary" icon="copy" onPress={() => copyText(secret, "The secret is copied.")}>
                        Copy
                    </Button>
                </div>
            </div>
            <footer class="dialog-foot">
                <Button onPress={onClose}>I have kept it</Button>
            </footer>
        </>
    );
}

export function EndpointForm({ endpoint, onClose }: { endpoint?: WebhookEndpoint; onClose: () => void }) {
    const [url, setUrl] = useState(endpoint?.url ?? "");
    const [description, setDescription] = useState(endpoint?.description ?? "");
    const [events, setEvents] = useState(new Set(endpoint?.events ?? eventTypes.map(({ type }) => type)));
    const [error, setError] = useState<ApiError | null>(null);
    const [secret, setSecret] = useState("");
    async function save() {
        const body = { url, description: description || null, events: eventTypes.map(({ type }) => type).filter((type) => events.has(type)) };
        try {
            const saved = await api.post<WebhookEndpoint>(endpoint ? `${ENDPOINTS}/${endpoint.id}` : ENDPOINTS, body);
            changed(ENDPOINTS);
            if (saved.secret) return setSecret(saved.secret);
            toast("The endpoint is changed.");
            onClose();
        } catch (reason) {
            setError(reason instanceof ApiError ? reason : new ApiError(errorText(reason), 0));
        }
    }
    function choose(type: string, chosen: boolean) {
        const next = new Set(events);
        if (chosen) next.add(type);
        else next.delete(type);
        setEvents(next);
    }
    if (secret) return <Secret secret={secret} onClose={onClose} />;
    return (
        <>
            <div class="dialog-body">
                {error && error.param !== "url" && <Note kind="bad">{error.message}</Note>}
                <TextField label="Address" type="url" value={url} onInput={setUrl} placeholder="https://example.com/hooks" autoFocus error={error?.param === "url" ? error.message : null} hint="Events are sent there by POST, as JSON." />
                <TextField label="Note" optional value={description} onInput={setDescription} maxLength={200} />
                <fieldset class="choices">
                    <legend>Events</legend>
                    {eventTypes.map(({ type, about }) => (
                        <Check key={type} label={<code>{type}</code>} hint={about} checked={events.has(type)} onInput={(chosen) => choose(type, chosen)} />
                    ))}
                </fieldset>
            </div>
            <footer class="dialog-foot">
                <Button onPress={onClose}>Cancel</Button>
                <Button kind="primary" onPress={save} disabled={!url.trim() || events.size === 0}>
                    {endpoint ? "Save" : "Add endpoint"}
                </Button>
            </footer>
        </>
    );
}
