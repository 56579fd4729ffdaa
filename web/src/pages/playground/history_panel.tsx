// Earlier conversations, kept in this browser alone.
import { useState } from "preact/hooks";
import { Button } from "../../kit/button";
import { confirm } from "../../kit/dialog";
import { SearchField, TextField } from "../../kit/field";
import { relativeTime, shortModel } from "../../kit/format";
import { Menu } from "../../kit/menu";
import { Empty } from "../../kit/show";
import type { Conversation } from "./conversation";
import { conversations, forgetConversation, forgetConversations, renameConversation } from "./kept";

async function forget(one: Conversation) {
    if (await confirm({ title: `Forget “${one.title}”?`, text: "It is kept in this browser alone, and is gone then.", action: "Forget", danger: true })) forgetConversation(one.id);
}

function Row({ one, onOpen }: { one: Conversation; onOpen: () => void }) {
    const [naming, setNaming] = useState(false);
    const [title, setTitle] = useState(one.title);
    if (naming)
        return (
            <li>
                <form class="renaming" onSubmit={(event) => (event.preventDefault(), renameConversation(one.id, title.trim() || one.title), setNaming(false))}>
                    <TextField label="Name" value={title} onInput={setTitle} maxLength={100} autoFocus />
                    <Button type="submit">Save</Button>
                </form>
            </li>
        );
    return (
        <li>
            <button type="button" class="history-open" onClick={onOpen}>
                <span>{one.title}</span>
                <small>
                    {one.models.map(shortModel).join(", ")} · {relativeTime(one.changed / 1000)}
                </small>
            </button>
            <Menu
                label={`Actions of ${one.title}`}
                actions={[
                    { label: "Rename", icon: "edit", onPress: () => setNaming(true) },
                    { label: "Forget", icon: "remove", danger: true, onPress: () => forget(one) },
                ]}
            />
        </li>
    );
}

export function HistoryPanel({ onOpen }: { onOpen: (conversation: Conversation) => void }) {
    const [search, setSearch] = useState("");
    const found = conversations.value.filter((one) => JSON.stringify([one.title, one.exchanges.map(({ question }) => question)]).toLowerCase().includes(search.toLowerCase()));
    async function clear() {
        if (await confirm({ title: "Forget all conversations?", text: "They are kept in this browser alone, and are gone then.", action: "Forget all", danger: true })) forgetConversations();
    }
    if (!conversations.value.length)
        return (
            <Empty icon="history" title="No conversations yet">
                What you ask here is kept in this browser alone.
            </Empty>
        );
    return (
        <div class="history">
            <SearchField label="Search conversations" value={search} onInput={setSearch} />
            <ul>
                {found.map((one) => (
                    <Row key={one.id} one={one} onOpen={() => onOpen(one)} />
                ))}
            </ul>
            {!found.length && <p class="hint">None of them says so.</p>}
            <div>
                <Button small icon="remove" onPress={clear}>
                    Forget all
                </Button>
            </div>
        </div>
    );
}
