// One batch: how far it is, what it used, what was wrong with its input, and its results.
import { api } from "../../api/client";
import { changed, useLive } from "../../api/live";
import { batchIsLive, type Batch } from "../../api/objects";
import { LinkButton } from "../../kit/button";
import { confirm } from "../../kit/dialog";
import { count, percent, shortModel } from "../../kit/format";
import { Menu } from "../../kit/menu";
import { Facts, Id, Loaded, Note, PageHead, Progress, Status, Time } from "../../kit/show";
import { Table } from "../../kit/table";
import { toast } from "../../kit/toast";
import type { PageProps } from "../pages";
import { batchPart } from "./batches";

const content = (file: string) => `/v1/files/${file}/content`;

async function cancel(batch: Batch) {
    if (!(await confirm({ title: "Cancel this batch?", text: "What is answered already is kept. The rest is not answered any more.", action: "Cancel the batch", danger: true }))) return;
    await api.post(`/v1/batches/${batch.id}/cancel`);
    toast("The batch is being cancelled.");
    changed("/v1/batches");
}

export function BatchMenu({ batch }: { batch: Batch }) {
    return (
        <Menu
            label={`Actions of ${batch.id}`}
            actions={[
                batch.output_file_id && { label: "Download the answers", icon: "download", href: content(batch.output_file_id), download: true },
                batch.error_file_id && { label: "Download the failures", icon: "download", href: content(batch.error_file_id), download: true },
                { label: "See the requests", icon: "files", href: `/files/${batch.input_file_id}` },
                batchIsLive(batch) && batch.status !== "cancelling" && { label: "Cancel", icon: "stop", danger: true, onPress: () => cancel(batch) },
            ]}
        />
    );
}

function Errors({ batch }: { batch: Batch }) {
    if (!batch.errors?.data.length) return null;
    const rows = batch.errors.data.map((error, index) => ({ ...error, id: String(index) }));
    return (
        <section class="card">
            <h2>What is wrong with the input</h2>
            <Table
                label="Faults of the input file"
                rows={rows}
                columns={[
                    { title: "Fault", wide: true, cell: (error) => error.message },
                    { title: "Line", numeric: true, cell: (error) => error.line ?? "–" },
                    { title: "Code", cell: (error) => <code>{error.code}</code> },
                ]}
            />
        </section>
    );
}

function times(batch: Batch): [string, preact.ComponentChildren][] {
    const all: [string, number | null][] = [
        ["Created", batch.created_at],
        ["Begun", batch.in_progress_at],
        ["Completed", batch.completed_at],
        ["Failed", batch.failed_at],
        ["Expired", batch.expired_at],
        ["Cancelled", batch.cancelled_at],
        ...(batchIsLive(batch) ? ([["Expires", batch.expires_at]] as [string, number][]) : []),
    ];
    return all.filter(([, at]) => at !== null).map(([name, at]) => [name, <Time at={at} />]);
}

export function BatchPage({ parameters }: PageProps) {
    const live = useLive<Batch>(`/v1/batches/${encodeURIComponent(parameters.batch!)}`, (batch) => (batchIsLive(batch) ? 1500 : 30_000));
    const batch = live.data;
    return (
        <>
            <PageHead title={parameters.batch} back={{ href: "/batches", label: "Batches" }}>
                {batch && (
                    <>
                        {batch.output_file_id && (
                            <LinkButton kind="primary" icon="download" href={content(batch.output_file_id)} download>
                                Answers
                            </LinkButton>
                        )}
                        {batch.error_file_id && (
                            <LinkButton icon="download" href={content(batch.error_file_id)} download>
                                Failures
                            </LinkButton>
                        )}
                        <BatchMenu batch={batch} />
                    </>
                )}
            </PageHead>
            <Loaded live={live}>
                {(batch) => (
                    <>
                        <section class="card">
                            <div class="progress-head">
                                <Status of={batch.status} />
                                <span>
                                    {count(batch.request_counts.completed)} of {count(batch.request_counts.total)} answered
                                    {batch.request_counts.failed ? `, ${count(batch.request_counts.failed)} failed` : ""} ({percent(batch.request_counts.completed + batch.request_counts.failed, batch.request_counts.total)})
                                </span>
                            </div>
                            <Progress part={batchPart(batch)} label="Requests that are answered" />
                        </section>
                        <Errors batch={batch} />
                        {batch.status === "failed" && !batch.errors?.data.length && <Note kind="bad" title="The batch failed" />}
                        <div class="halves even">
                            <section class="card">
                                <h2>About</h2>
                                <Facts
                                    rows={[
                                        ["Id", <Id>{batch.id}</Id>],
                                        ["Model", shortModel(batch.model)],
                                        ["Requests", <a href={`/files/${batch.input_file_id}`}>{batch.input_file_id}</a>],
                                        ...(batch.output_file_id ? ([["Answers", <a href={`/files/${batch.output_file_id}`}>{batch.output_file_id}</a>]] as [string, preact.ComponentChildren][]) : []),
                                        ...Object.entries(batch.metadata ?? {}).map(([name, value]): [string, string] => [name, String(value)]),
                                    ]}
                                />
                            </section>
                            <section class="card">
                                <h2>Times and tokens</h2>
                                <Facts
                                    rows={[
                                        ...times(batch),
                                        ["Window", batch.completion_window],
                                        ["Tokens read", count(batch.usage?.input_tokens)],
                                        ["Tokens written", count(batch.usage?.output_tokens)],
                                    ]}
                                />
                            </section>
                        </div>
                    </>
                )}
            </Loaded>
        </>
    );
}
