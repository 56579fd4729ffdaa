// Files: what was uploaded, and what jobs and batches have made.
import { useState } from "preact/hooks";
import { api } from "../../api/client";
import { changed, useList } from "../../api/live";
import type { StoredFile } from "../../api/objects";
import type { Purpose } from "../../api/upload";
import { Button } from "../../kit/button";
import { confirm, Dialog } from "../../kit/dialog";
import { SearchField, SelectField } from "../../kit/field";
import { bytes } from "../../kit/format";
import { Menu } from "../../kit/menu";
import { Empty, Loaded, PageHead, Time } from "../../kit/show";
import { Table } from "../../kit/table";
import { toast } from "../../kit/toast";
import { navigate, place, setQuery } from "../../router";
import { BegunUploads } from "./begun_uploads";
import { UploadButton } from "./upload_button";

export const purposes: Record<string, string> = {
    "fine-tune": "training",
    "fine-tune-results": "result of a job",
    batch: "batch requests",
    batch_output: "batch answers",
};

export async function removeFile(file: StoredFile): Promise<void> {
    if (!(await confirm({ title: "Delete this file?", text: `${file.filename} (${bytes(file.bytes)}) is removed from this machine. This cannot be undone.`, action: "Delete", danger: true }))) return;
    await api.delete(`/v1/files/${file.id}`);
    toast(`${file.filename} is deleted.`);
    changed("/v1/files", `/v1/files/${file.id}`);
    if (place.value.path !== "/files") navigate("/files");
}

export function FileMenu({ file }: { file: StoredFile }) {
    return (
        <Menu
            label={`Actions of ${file.filename}`}
            actions={[
                file.purpose === "fine-tune" && { label: "Fine-tune with it", icon: "tuning", href: `/fine-tuning/new?training_file=${file.id}` },
                file.purpose === "batch" && { label: "Run as a batch", icon: "batches", href: `/batches?input_file=${file.id}` },
                { label: "Download", icon: "download", href: `/v1/files/${file.id}/content`, download: true },
                { label: "Delete", icon: "remove", danger: true, onPress: () => removeFile(file) },
            ]}
        />
    );
}

function UploadDialog({ first, onClose }: { first: Purpose; onClose: () => void }) {
    const [purpose, setPurpose] = useState<Purpose>(first);
    return (
        <div class="dialog-body">
            <SelectField
                label="For"
                value={purpose}
                onInput={(value) => setPurpose(value as Purpose)}
                choices={[
                    { value: "fine-tune", label: "Fine-tuning: a chat on each line" },
                    { value: "batch", label: "A batch: a request on each line" },
                ]}
            />
            <UploadButton
                purpose={purpose}
                onDone={(file) => {
                    toast(`${file.filename} is uploaded.`);
                    onClose();
                    navigate(`/files/${file.id}`);
                }}
            />
        </div>
    );
}

export function Files() {
    const search = place.value.query.get("search") ?? "";
    const purpose = place.value.query.get("purpose") ?? "";
    const files = useList<StoredFile>("/v1/files", { search, purpose });
    const [uploading, setUploading] = useState<Purpose | null>(null);
    const upload = (
        <Button kind="primary" icon="upload" onPress={() => setUploading("fine-tune")}>
            Upload
        </Button>
    );
    return (
        <>
            <PageHead title="Files" about="What was uploaded, and what jobs and batches have made. It stays on this machine.">
                {upload}
            </PageHead>
            {uploading === null && <BegunUploads onGoOn={({ purpose }) => setUploading(purpose)} />}
            <div class="tools">
                <SearchField label="Search files" value={search} onInput={(text) => setQuery({ search: text })} />
                <select class="input narrow" aria-label="Kind of files" value={purpose} onInput={(event) => setQuery({ purpose: event.currentTarget.value })}>
                    <option value="">All kinds</option>
                    {Object.entries(purposes).map(([value, label]) => (
                        <option key={value} value={value} selected={value === purpose}>
                            {label}
                        </option>
                    ))}
                </select>
            </div>
            <Loaded live={files}>
                {(list) =>
                    list.length ? (
                        <Table
                            label="Files"
                            rows={list}
                            hasMore={files.hasMore}
                            onMore={files.more}
                            columns={[
                                { title: "Name", wide: true, cell: (file) => <a href={`/files/${file.id}`}>{file.filename}</a> },
                                { title: "Kind", cell: (file) => purposes[file.purpose] ?? file.purpose },
                                { title: "Size", numeric: true, cell: (file) => bytes(file.bytes) },
                                { title: "Created", cell: (file) => <Time at={file.created_at} /> },
                                { title: "Actions", untitled: true, cell: (file) => <FileMenu file={file} /> },
                            ]}
                        />
                    ) : search || purpose ? (
                        <Empty icon="search" title="No such files">
                            Look for a part of the name, or for all kinds.
                        </Empty>
                    ) : (
                        <Empty icon="files" title="No files yet" action={upload}>
                            Upload a JSONL file with a chat on each line, and fine-tune a model with it.
                        </Empty>
                    )
                }
            </Loaded>
            <Dialog open={uploading !== null} title="Upload a file" onClose={() => setUploading(null)}>
                <UploadDialog first={uploading ?? "fine-tune"} onClose={() => setUploading(null)} />
            </Dialog>
        </>
    );
}
