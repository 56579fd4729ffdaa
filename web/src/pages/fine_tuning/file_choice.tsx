// A file for a job: one that is there, or one that is dropped here and goes up.
import { useState } from "preact/hooks";
import type { List } from "../../api/client";
import { useLive } from "../../api/live";
import type { StoredFile } from "../../api/objects";
import { Button } from "../../kit/button";
import { SelectField } from "../../kit/field";
import { bytes, relativeTime } from "../../kit/format";
import { UploadButton } from "../files/upload_button";

export function FileChoice({ label, value, onChoose, optional, error }: { label: string; value: string; onChoose: (id: string) => void; optional?: boolean; error?: string | null }) {
    const files = useLive<List<StoredFile>>("/v1/files?purpose=fine-tune&limit=100");
    const [adding, setAdding] = useState(!optional);
    const known = files.data?.data ?? [];
    const missing = value !== "" && !known.some(({ id }) => id === value);
    return (
        <div class="file-choice">
            <SelectField
                label={label}
                optional={optional}
                value={value}
                error={error}
                onInput={onChoose}
                choices={[
                    { value: "", label: optional ? "None" : files.data && !known.length ? "None is uploaded yet" : "Choose a file that is uploaded" },
                    ...(missing ? [{ value, label: value }] : []),
                    ...known.map((file) => ({ value: file.id, label: `${file.filename} (${bytes(file.bytes)}, ${relativeTime(file.created_at)})` })),
                ]}
            />
            {adding && !value ? (
                <UploadButton purpose="fine-tune" label={`Drop the ${label.toLowerCase()}, or choose it`} hint="JSONL: a chat on each line, ten or more, up to 100 MB. Large files go up in parts, and can be gone on with." onDone={(file) => onChoose(file.id)} />
            ) : (
                <div>
                    <Button small icon="upload" onPress={() => (onChoose(""), setAdding(true))}>
                        {value ? "Another file" : `Upload a ${label.toLowerCase()}`}
                    </Button>
                </div>
            )}
        </div>
    );
}
