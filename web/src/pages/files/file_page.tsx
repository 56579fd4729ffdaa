// One file, and how it begins: chats as chats, anything else as text. Only the first bytes are asked for.
import { useEffect, useState } from "preact/hooks";
import { send } from "../../api/client";
import { useLive } from "../../api/live";
import type { StoredFile } from "../../api/objects";
import { LinkButton } from "../../kit/button";
import { bytes, count } from "../../kit/format";
import { Facts, Id, Loaded, Note, PageHead, Status, Time } from "../../kit/show";
import { errorText } from "../../kit/toast";
import type { PageProps } from "../pages";
import { FileMenu, purposes } from "./files";

const SHOWN = 64 << 10; // bytes
const MOST_LINES = 20;

interface Message {
    role: string;
    content: unknown;
}

function messagesOf(line: string): Message[] | null {
    try {
        const value = JSON.parse(line);
        const messages = value.messages ?? value.body?.messages;
        return Array.isArray(messages) && messages.every((message) => typeof message?.role === "string") ? messages : null;
    } catch {
        return null;
    }
}

function Line({ number, text }: { number: number; text: string }) {
    const messages = messagesOf(text);
    return (
        <li class="file-line">
            <span class="line-number">{number}</span>
            {messages ? (
                <div class="chat-lines">
                    {messages.map((message, index) => (
                        <p key={index}>
                            <span class={`role ${message.role}`}>{message.role}</span>
                            {typeof message.content === "string" ? message.content : JSON.stringify(message.content ?? message)}
                        </p>
                    ))}
                </div>
            ) : (
                <pre class="line-text">{text}</pre>
            )}
        </li>
    );
}

function Beginning({ file }: { file: StoredFile }) {
    const [text, setText] = useState<string | null>(null);
    const [error, setError] = useState("");
    useEffect(() => {
        const abort = new AbortController();
        send("GET", `/v1/files/${file.id}/content`, undefined, { headers: { range: `bytes=0-${SHOWN - 1}` }, signal: abort.signal })
            .then((response) => response.text())
            .then(setText)
            .catch((reason) => abort.signal.aborted || setError(errorText(reason)));
        return () => abort.abort();
    }, [file.id]);
    if (error) return <Note kind="bad">{error}</Note>;
    if (text === null) return <div class="loading-line" />;
    const lines = text.split("\n").filter((line, index, all) => line !== "" || index < all.length - 1);
    if (file.bytes > SHOWN && lines.length > 1) lines.pop(); // it is cut off
    const shown = lines.slice(0, MOST_LINES);
    return (
        <>
            <ol class="file-lines">
                {shown.map((line, index) => (
                    <Line key={index} number={index + 1} text={line} />
                ))}
            </ol>
            {(file.bytes > SHOWN || lines.length > shown.length) && <p class="hint">{shown.length === 1 ? "The first line" : `The first ${count(shown.length)} lines`}. Download the file for all of it.</p>}
        </>
    );
}

export function FilePage({ parameters }: PageProps) {
    const live = useLive<StoredFile>(`/v1/files/${encodeURIComponent(parameters.file!)}`);
    const file = live.data;
    return (
        <>
            <PageHead title={file?.filename ?? "File"} back={{ href: "/files", label: "Files" }}>
                {file && (
                    <>
                        {file.purpose === "fine-tune" && (
                            <LinkButton kind="primary" icon="tuning" href={`/fine-tuning/new?training_file=${file.id}`}>
                                Fine-tune with it
                            </LinkButton>
                        )}
                        <LinkButton icon="download" href={`/v1/files/${file.id}/content`} download>
                            Download
                        </LinkButton>
                        <FileMenu file={file} />
                    </>
                )}
            </PageHead>
            <Loaded live={live}>
                {(file) => (
                    <>
                        <section class="card">
                            <Facts
                                rows={[
                                    ["Id", <Id>{file.id}</Id>],
                                    ["Kind", purposes[file.purpose] ?? file.purpose],
                                    ["Size", bytes(file.bytes)],
                                    ["Status", <Status of={file.status} />],
                                    ["Created", <Time at={file.created_at} />],
                                    ...(file.expires_at ? ([["Expires", <Time at={file.expires_at} />]] as [string, preact.ComponentChildren][]) : []),
                                ]}
                            />
                        </section>
                        {file.status_details && <Note kind="bad">{file.status_details}</Note>}
                        <section class="card">
                            <h2>How it begins</h2>
                            <Beginning file={file} />
                        </section>
                    </>
                )}
            </Loaded>
        </>
    );
}
