// The form of a new batch.
import { useState } from "preact/hooks";
import { api, type List } from "../../api/client";
import { changed, useLive } from "../../api/live";
import type { Batch, StoredFile } from "../../api/objects";
import { Button } from "../../kit/button";
import { SelectField, TextField } from "../../kit/field";
import { bytes } from "../../kit/format";
import { Note } from "../../kit/show";
import { errorText } from "../../kit/toast";
import { navigate } from "../../router";
import { UploadButton } from "../files/upload_button";

const example = JSON.stringify({ custom_id: "1", method: "POST", url: "/v1/chat/completions", body: { model: "temper/mini-instruct", messages: [{ role: "user", content: "Hello!" }] } });

export function CreateBatch({ inputFile, onClose }: { inputFile: string | null; onClose: () => void }) {
    const files = useLive<List<StoredFile>>("/v1/files?purpose=batch&limit=100");
    const [file, setFile] = useState(inputFile ?? "");
    const [window, setWindow] = useState("24h");
    const [note, setNote] = useState("");
    const [error, setError] = useState("");
    const known = files.data?.data ?? [];
    async function create() {
        try {
            const batch = await api.post<Batch>("/v1/batches", {
                input_file_id: file,
                endpoint: "/v1/chat/completions",
                completion_window: window,
                ...(note && { metadata: { note } }),
            });
            changed("/v1/batches");
            navigate(`/batches/${batch.id}`);
        } catch (reason) {
            setError(errorText(reason));
        }
    }
    return (
        <>
            <div class="dialog-body">
                {error && <Note kind="bad">{error}</Note>}
                <SelectField
                    label="File of requests"
                    value={file}
                    onInput={setFile}
                    choices={[{ value: "", label: known.length ? "Choose a file" : "None was uploaded yet", disabled: true }, ...known.map((one) => ({ value: one.id, label: `${one.filename} (${bytes(one.bytes)})` }))]}
                />
                <UploadButton purpose="batch" onDone={(uploaded) => setFile(uploaded.id)} />
                <details>
                    <summary>What stands in such a file</summary>
                    <pre class="body-text" tabIndex={0}>
                        {example}
                    </pre>
                    <p class="hint">One request a line, each with a custom_id of its own, all of them chats.</p>
                </details>
                <SelectField
                    label="Window"
                    value={window}
                    onInput={setWindow}
                    choices={[
                        { value: "24h", label: "24 hours" },
                        { value: "48h", label: "48 hours" },
                        { value: "72h", label: "72 hours" },
                    ]}
                    hint="What is not answered by then expires; what is answered is kept."
                />
                <TextField label="Note" optional value={note} onInput={setNote} maxLength={200} />
            </div>
            <footer class="dialog-foot">
                <Button onPress={onClose}>Cancel</Button>
                <Button kind="primary" onPress={create} disabled={!file}>
                    Create batch
                </Button>
            </footer>
        </>
    );
}
