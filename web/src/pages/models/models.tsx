// Models: the bases that can be fine-tuned, and what was made of them.
import { useState } from "preact/hooks";
import { api, type List, modelPath } from "../../api/client";
import { changed, useLive } from "../../api/live";
import type { Job, Model } from "../../api/objects";
import { LinkButton } from "../../kit/button";
import { confirm } from "../../kit/dialog";
import { SearchField } from "../../kit/field";
import { shortModel } from "../../kit/format";
import { Menu } from "../../kit/menu";
import { Empty, Loaded, PageHead, Time } from "../../kit/show";
import { Table } from "../../kit/table";
import { toast } from "../../kit/toast";
import { navigate, place } from "../../router";

export const isFineTuned = (model: string) => model.startsWith("ft:");
export const chatWith = (model: string) => `/playground?model=${encodeURIComponent(model)}`;
export const tuneFrom = (model: string) => `/fine-tuning/new?model=${encodeURIComponent(model)}`;

export async function removeModel(model: string): Promise<void> {
    if (!(await confirm({ title: "Delete this model?", text: <>{model} can no longer be used, and its adapter is removed from this machine. This cannot be undone.</>, action: "Delete", danger: true }))) return;
    await api.delete(`/v1/models/${modelPath(model)}`);
    toast("The model is deleted.");
    changed("/v1/models", `/v1/models/${modelPath(model)}`);
    if (place.value.path !== "/models") navigate("/models");
}

export function ModelMenu({ model }: { model: string }) {
    const tuned = isFineTuned(model);
    return (
        <Menu
            label={`Actions of ${model}`}
            actions={[
                { label: "Chat", icon: "playground", href: chatWith(model) },
                { label: tuned ? "Fine-tune further" : "Fine-tune", icon: "tuning", href: tuneFrom(model) },
                tuned && { label: "Download the adapter", icon: "download", href: `/v1/adapters/${modelPath(model)}`, download: true },
                tuned && { label: "Delete", icon: "remove", danger: true, onPress: () => removeModel(model) },
            ]}
        />
    );
}

function ModelTable({ label, models, jobs }: { label: string; models: Model[]; jobs: Map<string, Job> }) {
    return (
        <Table
            label={label}
            rows={models}
            columns={[
                {
                    title: "Model",
                    wide: true,
                    cell: (model) => (
                        <>
                            <a href={`/models/${modelPath(model.id)}`}>{shortModel(model.id)}</a>
                            <small class="under">{model.id}</small>
                        </>
                    ),
                },
                { title: "Base", cell: (model) => (jobs.get(model.id) ? shortModel(jobs.get(model.id)!.model) : isFineTuned(model.id) ? (model.id.split(":")[2] ?? "–") : "itself") },
                { title: "Created", cell: (model) => <Time at={model.created} /> },
                {
                    title: "Chat",
                    untitled: true,
                    cell: (model) => (
                        <span class="row-actions">
                            <LinkButton small href={chatWith(model.id)}>
                                Chat
                            </LinkButton>
                            <ModelMenu model={model.id} />
                        </span>
                    ),
                },
            ]}
        />
    );
}

export function Models() {
    const models = useLive<List<Model>>("/v1/models");
    const jobs = useLive<List<Job>>("/v1/fine_tuning/jobs?limit=100");
    const [search, setSearch] = useState("");
    const byModel = new Map((jobs.data?.data ?? []).filter((job) => job.fine_tuned_model).map((job) => [job.fine_tuned_model!, job]));
    const found = (model: Model) => model.id.toLowerCase().includes(search.toLowerCase()) || model.aliases.some((alias) => alias.includes(search.toLowerCase()));
    return (
        <>
            <PageHead title="Models" about="The bases on this machine, and what was made of them.">
                <LinkButton kind="primary" icon="plus" href="/fine-tuning/new">
                    Fine-tune a model
                </LinkButton>
            </PageHead>
            <Loaded live={models}>
                {(list) => {
                    const tuned = list.data.filter((model) => isFineTuned(model.id) && found(model)).sort((a, b) => b.created - a.created);
                    const bases = list.data.filter((model) => !isFineTuned(model.id) && found(model));
                    return (
                        <>
                            <div class="tools">
                                <SearchField label="Search models" value={search} onInput={setSearch} />
                            </div>
                            <h2>Fine-tuned</h2>
                            {tuned.length ? (
                                <ModelTable label="Fine-tuned models" models={tuned} jobs={byModel} />
                            ) : (
                                <Empty icon="models" title={search ? "None is called so" : "No fine-tuned models yet"} action={!search && <LinkButton href="/fine-tuning/new">Fine-tune the first</LinkButton>}>
                                    {search ? "Look for a part of the name." : "Ten chats and a minute are enough to try."}
                                </Empty>
                            )}
                            <h2>Base models</h2>
                            {bases.length ? <ModelTable label="Base models" models={bases} jobs={byModel} /> : <p class="hint">None is called so.</p>}
                            <p class="hint">
                                More bases come with <code>temper models add DIRECTORY</code> or <code>temper models pull NAME</code> on the server's machine.
                            </p>
                        </>
                    );
                }}
            </Loaded>
        </>
    );
}
