// Batches: many requests from a file, answered when there is time.
import { useState } from "preact/hooks";
import { useList } from "../../api/live";
import { batchIsLive, type Batch } from "../../api/objects";
import { Button } from "../../kit/button";
import { Dialog } from "../../kit/dialog";
import { SearchField } from "../../kit/field";
import { count, shortModel } from "../../kit/format";
import { Empty, Loaded, PageHead, Progress, Status, Time } from "../../kit/show";
import { Table } from "../../kit/table";
import { place, setQuery } from "../../router";
import { CreateBatch } from "./create_batch";
import { BatchMenu } from "./batch_page";

export function batchPart(batch: Batch): number {
    const { total, completed, failed } = batch.request_counts;
    return total ? (completed + failed) / total : 0;
}

export function Batches() {
    const search = place.value.query.get("search") ?? "";
    const input = place.value.query.get("input_file");
    const batches = useList<Batch>("/v1/batches", { search }, (list) => (list.some(batchIsLive) ? 2000 : 15_000));
    const [creating, setCreating] = useState(input !== null);
    function close() {
        setCreating(false);
        setQuery({ input_file: null });
    }
    const create = (
        <Button kind="primary" icon="plus" onPress={() => setCreating(true)}>
            New batch
        </Button>
    );
    return (
        <>
            <PageHead title="Batches" about="Many requests from one file. They run while nobody waits for an answer, and never delay one.">
                {create}
            </PageHead>
            <div class="tools">
                <SearchField label="Search batches" value={search} onInput={(text) => setQuery({ search: text })} />
            </div>
            <Loaded live={batches}>
                {(list) =>
                    list.length ? (
                        <Table
                            label="Batches"
                            rows={list}
                            hasMore={batches.hasMore}
                            onMore={batches.more}
                            columns={[
                                { title: "Batch", wide: true, cell: (batch) => <a href={`/batches/${batch.id}`}>{batch.id}</a> },
                                { title: "Model", cell: (batch) => shortModel(batch.model) },
                                {
                                    title: "Status",
                                    cell: (batch) => (
                                        <span class="status-cell">
                                            <Status of={batch.status} />
                                            {batchIsLive(batch) && <Progress part={batchPart(batch)} label={`Requests of ${batch.id} that are answered`} />}
                                        </span>
                                    ),
                                },
                                { title: "Answered", numeric: true, cell: (batch) => `${count(batch.request_counts.completed)} of ${count(batch.request_counts.total)}` },
                                { title: "Failed", numeric: true, cell: (batch) => count(batch.request_counts.failed) },
                                { title: "Created", cell: (batch) => <Time at={batch.created_at} /> },
                                { title: "Actions", untitled: true, cell: (batch) => <BatchMenu batch={batch} /> },
                            ]}
                        />
                    ) : search ? (
                        <Empty icon="search" title="No batch is called so">
                            Look for a part of its id or of its metadata.
                        </Empty>
                    ) : (
                        <Empty icon="batches" title="No batches yet" action={create}>
                            Upload a file with a request on each line, and come back for the file of answers.
                        </Empty>
                    )
                }
            </Loaded>
            <Dialog open={creating} title="New batch" onClose={close}>
                <CreateBatch inputFile={input} onClose={close} />
            </Dialog>
        </>
    );
}
