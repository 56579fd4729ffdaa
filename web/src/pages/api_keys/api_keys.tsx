// API keys: what programs sign in with. A new one is shown once, and kept nowhere but by whoever made it.
import { useState } from "preact/hooks";
import { api, session } from "../../api/client";
import { changed, useLive } from "../../api/live";
import type { List } from "../../api/client";
import type { ApiKey } from "../../api/objects";
import { Button } from "../../kit/button";
import { baseUrl, Code } from "../../kit/code";
import { confirm, Dialog } from "../../kit/dialog";
import { SelectField, TextField } from "../../kit/field";
import { Menu } from "../../kit/menu";
import { copyText, Empty, Loaded, Note, PageHead, Time } from "../../kit/show";
import { Table } from "../../kit/table";
import { errorText, toast } from "../../kit/toast";

const KEYS = "/v1/api_keys";

const scopes = [
    { value: "all", label: "Everything" },
    { value: "inference", label: "Use models only: chats and batches" },
    { value: "read-only", label: "Look only: change nothing" },
];

const DAY = 86_400;

const lifetimes = [
    { value: "", label: "Never" },
    { value: String(7 * DAY), label: "In 7 days" },
    { value: String(30 * DAY), label: "In 30 days" },
    { value: String(90 * DAY), label: "In 90 days" },
    { value: String(365 * DAY), label: "In a year" },
];

function NewKey({ made, onClose }: { made: ApiKey; onClose: () => void }) {
    const key = made.key!;
    return (
        <>
            <div class="dialog-body">
                <Note kind="warning" title="This is shown only now.">
                    Keep it where you keep passwords: the server knows but its digest.
                </Note>
                <div class="secret">
                    <code data-testid="secret">{key}</code>
                    <Button kind="primary" icon="copy" onPress={() => copyText(key, "The key is copied.")}>
                        Copy
                    </Button>
                </div>
                <Code
                    label="How to use the key"
                    examples={[
                        { language: "Shell", code: `export OPENAI_BASE_URL=${baseUrl()}\nexport OPENAI_API_KEY=${key}\n` },
                        { language: "Python", code: `from openai import OpenAI\n\nclient = OpenAI(\n    base_url="${baseUrl()}",\n    api_key="${key}",\n)\n` },
                        { language: "Node", code: `import OpenAI from "openai";\n\nconst client = new OpenAI({\n    baseURL: "${baseUrl()}",\n    apiKey: "${key}",\n});\n` },
                    ]}
                />
            </div>
            <footer class="dialog-foot">
                <Button onPress={onClose}>I have kept it</Button>
            </footer>
        </>
    );
}

function CreateKey({ onClose }: { onClose: () => void }) {
    const [name, setName] = useState("");
    const [scope, setScope] = useState("all");
    const [lifetime, setLifetime] = useState("");
    const [error, setError] = useState("");
    const [made, setMade] = useState<ApiKey | null>(null);
    async function create() {
        try {
            setMade(await api.post<ApiKey>(KEYS, { name, scope, ...(lifetime && { expires_in: Number(lifetime) }) }));
            changed(KEYS);
        } catch (reason) {
            setError(errorText(reason));
        }
    }
    if (made) return <NewKey made={made} onClose={onClose} />;
    return (
        <>
            <div class="dialog-body">
                {error && <Note kind="bad">{error}</Note>}
                <TextField label="Name" value={name} onInput={setName} maxLength={100} autoFocus hint="Where it will be used, so that you know later which to revoke." />
                <SelectField label="May do" value={scope} onInput={setScope} choices={scopes} />
                <SelectField label="Ends" value={lifetime} onInput={setLifetime} choices={lifetimes} />
            </div>
            <footer class="dialog-foot">
                <Button onPress={onClose}>Cancel</Button>
                <Button kind="primary" onPress={create}>
                    Create key
                </Button>
            </footer>
        </>
    );
}

async function revoke(key: ApiKey) {
    const title = key.name || key.hint;
    if (!(await confirm({ title: `Revoke “${title}”?`, text: "Whatever uses it is refused from now on. This cannot be undone.", action: "Revoke", danger: true }))) return;
    await api.delete(`${KEYS}/${key.id}`);
    toast(`“${title}” is revoked.`);
    changed(KEYS);
}

export function ApiKeys() {
    const keys = useLive<List<ApiKey>>(KEYS);
    const [creating, setCreating] = useState(false);
    const make = (
        <Button kind="primary" icon="plus" onPress={() => setCreating(true)} disabled={session.value?.scope !== "all"}>
            New key
        </Button>
    );
    return (
        <>
            <PageHead title="API keys" about={<>What programs sign in with. Their address for this server is <code>{baseUrl()}</code>.</>}>
                {make}
            </PageHead>
            <Loaded live={keys}>
                {(list) =>
                    list.data.length ? (
                        <Table
                            label="API keys"
                            rows={list.data}
                            columns={[
                                { title: "Name", wide: true, cell: (key) => key.name || <span class="hint">unnamed</span> },
                                { title: "Key", cell: (key) => <code>{key.hint}</code> },
                                { title: "May", cell: (key) => ({ all: "do everything", "read-only": "look only", inference: "use models" })[key.scope] ?? key.scope },
                                { title: "Created", cell: (key) => <Time at={key.created_at} /> },
                                { title: "Ends", cell: (key) => (key.expires_at ? <Time at={key.expires_at} /> : "never") },
                                { title: "Actions", untitled: true, cell: (key) => <Menu label={`Actions of ${key.name || key.hint}`} actions={[{ label: "Revoke", icon: "remove", danger: true, onPress: () => revoke(key) }]} /> },
                            ]}
                        />
                    ) : (
                        <Empty icon="keys" title="No keys yet" action={make}>
                            A key lets a program use this server as you do here.
                        </Empty>
                    )
                }
            </Loaded>
            <Dialog open={creating} title="New API key" onClose={() => setCreating(false)}>
                <CreateKey onClose={() => setCreating(false)} />
            </Dialog>
        </>
    );
}
