// Choosing a file, or dropping it, and seeing it go up.
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { changed } from "../../api/live";
import type { StoredFile } from "../../api/objects";
import { type Purpose, uploadFile } from "../../api/upload";
import { Button } from "../../kit/button";
import { bytes } from "../../kit/format";
import { Icon } from "../../kit/icon";
import { Note, Progress } from "../../kit/show";
import { errorText, toast } from "../../kit/toast";
import { BegunUploads } from "./begun_uploads";

interface Going {
    name: string;
    size: number;
    part: number;
    abort: AbortController;
}

const hints: Record<Purpose, string> = {
    "fine-tune": "JSONL, a chat on each line, up to 100 MB. Large files go up in parts, and can be gone on with.",
    batch: "JSONL, a request on each line, up to 8 GB. Large files go up in parts, and can be gone on with.",
};

export function UploadButton({ purpose, onDone, label = "Choose a file, or drop it here", hint = hints[purpose] }: { purpose: Purpose; onDone: (file: StoredFile) => void; label?: string; hint?: string }) {
    const [going, setGoing] = useState<Going | null>(null);
    const [error, setError] = useState("");
    const [over, setOver] = useState(false);
    const input = useRef<HTMLInputElement>(null);
    const id = useId();
    const current = useRef<Going | null>(null);
    useEffect(
        () => () => {
            if (!current.current) return;
            current.current.abort.abort();
            toast(`The upload of ${current.current.name} was stopped.`);
        },
        [],
    );
    async function take(file: File | undefined) {
        if (!file || current.current) return;
        const abort = new AbortController();
        const now = (current.current = { name: file.name, size: file.size, part: 0, abort });
        setError("");
        setGoing(now);
        let stored: StoredFile | null = null;
        try {
            stored = await uploadFile(file, purpose, (part) => setGoing({ ...now, part }), abort.signal);
        } catch (reason) {
            if (!abort.signal.aborted) setError(errorText(reason));
        }
        current.current = null;
        setGoing(null);
        if (input.current) input.current.value = "";
        if (!stored) return;
        changed("/v1/files");
        onDone(stored);
    }
    return (
        <div
            class={`drop ${over ? "over" : ""}`}
            onDragOver={(event) => (event.preventDefault(), setOver(true))}
            onDragLeave={() => setOver(false)}
            onDrop={(event) => {
                event.preventDefault();
                setOver(false);
                void take(event.dataTransfer?.files[0]);
            }}
        >
            <input ref={input} id={id} class="unseen" type="file" accept=".jsonl,.ndjson,.json,application/jsonl" disabled={going !== null} onChange={(event) => take(event.currentTarget.files?.[0])} />
            {going ? (
                <div class="going" role="status">
                    <span>
                        {going.name} <small>{bytes(going.size)}</small>
                    </span>
                    <Progress part={going.part} label={`Upload of ${going.name}`} />
                    <Button small onPress={() => going.abort.abort()}>
                        Stop
                    </Button>
                </div>
            ) : (
                <label for={id}>
                    <Icon name="upload" size={22} />
                    <strong>{label}</strong>
                    <small>{hint}</small>
                </label>
            )}
            {error && <Note kind="bad">{error}</Note>}
            {!going && <BegunUploads purpose={purpose} />}
        </div>
    );
}
