// Choosing a file, or dropping it, and seeing it go up.
import { useId, useRef, useState } from "preact/hooks";
import { changed } from "../../api/live";
import type { StoredFile } from "../../api/objects";
import { type Purpose, uploadFile } from "../../api/upload";
import { Button } from "../../kit/button";
import { bytes } from "../../kit/format";
import { Icon } from "../../kit/icon";
import { Note, Progress } from "../../kit/show";
import { errorText } from "../../kit/toast";

interface Going {
    name: string;
    size: number;
    part: number;
    abort: AbortController;
}

export function UploadButton({ purpose, onDone, label = "Choose a file, or drop it here", hint = "JSONL, up to 8 GB. Large files go up in parts, and can be gone on with." }: { purpose: Purpose; onDone: (file: StoredFile) => void; label?: string; hint?: string }) {
    const [going, setGoing] = useState<Going | null>(null);
    const [error, setError] = useState("");
    const [over, setOver] = useState(false);
    const input = useRef<HTMLInputElement>(null);
    const id = useId();
    async function take(file: File | undefined) {
        if (!file || going) return;
        const abort = new AbortController();
        const now = { name: file.name, size: file.size, part: 0, abort };
        setError("");
        setGoing(now);
        try {
            const stored = await uploadFile(file, purpose, (part) => setGoing({ ...now, part }), abort.signal);
            changed("/v1/files");
            onDone(stored);
        } catch (reason) {
            if (!abort.signal.aborted) setError(errorText(reason));
        }
        setGoing(null);
        if (input.current) input.current.value = "";
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
        </div>
    );
}
