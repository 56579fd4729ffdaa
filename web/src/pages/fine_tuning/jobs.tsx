// All fine-tuning jobs, newest first, live.
import { type List, query } from "../../api/client";
import type { Curves } from "../../api/curves";
import { useList, useLive } from "../../api/live";
import { jobIsLive, type Job } from "../../api/objects";
import { LinkButton } from "../../kit/button";
import { SearchField } from "../../kit/field";
import { figure, shortModel } from "../../kit/format";
import { Menu } from "../../kit/menu";
import { Empty, Loaded, PageHead, Time } from "../../kit/show";
import { Sparkline } from "../../kit/sparkline";
import { Table } from "../../kit/table";
import { place, setQuery } from "../../router";
import { jobActions, jobTitle } from "./job_actions";
import { JobStatus, latest } from "./job_progress";

const MOST_CURVES = 50; // that the server gives at once

function Loss({ job, curves }: { job: Job; curves: Curves | undefined }) {
    const loss = latest(job)?.train_loss;
    return (
        <span class="loss-cell">
            <Sparkline values={curves?.train_loss ?? []} label={`Training loss of ${jobTitle(job)}, at last ${figure(loss)}`} />
            <span>{figure(loss)}</span>
        </span>
    );
}

export function Jobs() {
    const search = place.value.query.get("search") ?? "";
    const jobs = useList<Job>("/v1/fine_tuning/jobs", { search }, (list) => (list.some(jobIsLive) ? 1500 : 10_000));
    const ids = (jobs.data ?? []).filter((job) => latest(job)).slice(0, MOST_CURVES).map((job) => job.id);
    const curves = useLive<List<Curves>>(ids.length ? `/v1/fine_tuning/metrics${query({ job_ids: ids.join(","), points: 40 })}` : null, () => (jobs.data?.some(jobIsLive) ? 3000 : null));
    const byJob = new Map((curves.data?.data ?? []).map((one) => [one.job_id, one]));
    const create = (
        <LinkButton kind="primary" icon="plus" href="/fine-tuning/new">
            New job
        </LinkButton>
    );
    return (
        <>
            <PageHead title="Fine-tuning" about="Jobs that make models of your own from chats of your own.">
                {create}
            </PageHead>
            <div class="tools">
                <SearchField label="Search jobs" value={search} onInput={(text) => setQuery({ search: text })} />
            </div>
            <Loaded live={jobs}>
                {(list) =>
                    list.length ? (
                        <Table
                            label="Fine-tuning jobs"
                            rows={list}
                            hasMore={jobs.hasMore}
                            onMore={jobs.more}
                            columns={[
                                {
                                    title: "Job",
                                    wide: true,
                                    cell: (job) => (
                                        <>
                                            <a href={`/fine-tuning/${job.id}`}>{jobTitle(job)}</a>
                                            {job.user_provided_suffix && <small class="under">{job.id}</small>}
                                        </>
                                    ),
                                },
                                { title: "Model", cell: (job) => shortModel(job.model) },
                                { title: "Loss", cell: (job) => <Loss job={job} curves={byJob.get(job.id)} /> },
                                { title: "Status", cell: (job) => <JobStatus job={job} /> },
                                { title: "Created", cell: (job) => <Time at={job.created_at} /> },
                                { title: "Actions", untitled: true, cell: (job) => <Menu label={`Actions of ${jobTitle(job)}`} actions={jobActions(job)} /> },
                            ]}
                        />
                    ) : search ? (
                        <Empty icon="search" title="No job is called so">
                            Look for a part of its nickname, its id or its model.
                        </Empty>
                    ) : (
                        <Empty icon="tuning" title="No jobs yet" action={create}>
                            A file with ten chats or more is enough to begin. The built-in base model is tuned in about a minute.
                        </Empty>
                    )
                }
            </Loaded>
        </>
    );
}
