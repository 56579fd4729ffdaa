// One job: its curves as they grow, what happens, what it was asked for, and what it has made.
import { useEffect, useRef, useState } from "preact/hooks";
import { type List, modelPath } from "../../api/client";
import type { Curves } from "../../api/curves";
import { useLive } from "../../api/live";
import { type Checkpoint, type Job, jobIsLive, type JobEvent } from "../../api/objects";
import { Button, LinkButton } from "../../kit/button";
import { Code } from "../../kit/code";
import { Dialog } from "../../kit/dialog";
import { count, duration, figure, shortModel } from "../../kit/format";
import { Menu } from "../../kit/menu";
import { Empty, Facts, Id, Loaded, Note, PageHead, Progress, Status, Time } from "../../kit/show";
import { Table } from "../../kit/table";
import type { PageProps } from "../pages";
import { jobAsCode } from "./job_as_code";
import { canPause, jobActions, jobTitle, pauseJob, resumeJob } from "./job_actions";
import { JobCurves } from "./job_curves";
import { useJobEvents } from "./job_events";
import { jobPart, latest, timeLeft } from "./job_progress";

const chat = (model: string) => `/playground?model=${encodeURIComponent(model)}`;
const FRESH = 700; // milliseconds between two looks at the curves

function Head({ job }: { job: Job }) {
    const last = latest(job);
    const part = jobPart(job);
    const facts = [
        last?.step ? `step ${count(last.step)} of ${count(last.total_steps)}` : null,
        last?.train_loss !== undefined && last.train_loss !== null ? `loss ${figure(last.train_loss)}` : null,
        last?.tokens_per_second && jobIsLive(job) ? `${count(Math.round(last.tokens_per_second))} tokens a second` : null,
        job.finished_at ? `took ${duration(job.finished_at - job.created_at)}` : timeLeft(job),
    ].filter((fact) => fact !== null);
    return (
        <section class="card">
            <div class="progress-head">
                <Status of={job.status} />
                <span>{facts.join(" · ")}</span>
            </div>
            <Progress part={part} label="Steps that are done" />
        </section>
    );
}

/** Faults of a training file are told line by line. */
function Failure({ job }: { job: Job }) {
    if (!job.error?.message) return null;
    const [first, ...rest] = job.error.message.split("\n");
    return (
        <Note kind="bad" title={first}>
            {rest.length > 0 && (
                <ul class="faults">
                    {rest.map((line, index) => (
                        <li key={index}>{line}</li>
                    ))}
                </ul>
            )}
            {job.error.param === "training_file" && (
                <a href={`/files/${job.training_file}`}>See the training file</a>
            )}
        </Note>
    );
}

function Events({ events }: { events: JobEvent[] }) {
    return (
        <section class="card">
            <h2>Events</h2>
            <ol class="events" aria-label="Events" tabIndex={0}>
                {[...events].reverse().map((event) => (
                    <li key={event.id} class={event.level}>
                        <Time at={event.created_at} />
                        <span>{event.message}</span>
                    </li>
                ))}
            </ol>
        </section>
    );
}

function Checkpoints({ job }: { job: Job }) {
    const list = useLive<List<Checkpoint>>(`/v1/fine_tuning/jobs/${job.id}/checkpoints?limit=50`, () => (jobIsLive(job) ? 4000 : null));
    return (
        <section class="card checkpoints">
            <h2>Checkpoints</h2>
            <Loaded live={list} lines={2}>
                {({ data }) =>
                    data.length ? (
                        <Table
                            label="Checkpoints"
                            rows={data}
                            columns={[
                                {
                                    title: "Step",
                                    wide: true,
                                    cell: (one) => (
                                        <div>
                                            Step {count(one.step_number)}
                                            <small class="hint">
                                                <Time at={one.created_at} />
                                            </small>
                                        </div>
                                    ),
                                },
                                { title: "Loss", numeric: true, cell: (one) => figure(one.metrics.train_loss) },
                                { title: "Validation", numeric: true, cell: (one) => figure(one.metrics.full_valid_loss ?? one.metrics.valid_loss) },
                                {
                                    title: "Chat",
                                    untitled: true,
                                    cell: (one) => (
                                        <LinkButton small href={chat(one.fine_tuned_model_checkpoint)}>
                                            Chat
                                        </LinkButton>
                                    ),
                                },
                            ]}
                        />
                    ) : (
                        <p class="hint">A checkpoint is kept at the end of each epoch. Each can be chatted with.</p>
                    )
                }
            </Loaded>
        </section>
    );
}

function settings(job: Job): [string, preact.ComponentChildren][] {
    const { n_epochs, batch_size, learning_rate_multiplier } = job.hyperparameters;
    return [
        ["Base", <a href={`/models/${modelPath(job.model)}`}>{shortModel(job.model)}</a>],
        ["Epochs", n_epochs],
        ["Batch size", batch_size],
        ["Learning-rate multiplier", learning_rate_multiplier],
        ["Seed", String(job.seed)],
        ...(job.lora
            ? ([
                  ["LoRA rank", job.lora.rank],
                  ["LoRA alpha", job.lora.alpha],
                  ["LoRA dropout", job.lora.dropout],
                  ["LoRA modules", job.lora.target_modules?.join(", ")],
              ] as [string, preact.ComponentChildren][])
            : []),
    ];
}

function things(job: Job): [string, preact.ComponentChildren][] {
    const file = (id: string) => <a href={`/files/${id}`}>{id}</a>;
    return [
        ["Job", <Id>{job.id}</Id>],
        ...(job.fine_tuned_model ? ([["Model", <Id>{job.fine_tuned_model}</Id>]] as [string, preact.ComponentChildren][]) : []),
        ["Training file", file(job.training_file)],
        ...(job.validation_file ? ([["Validation file", file(job.validation_file)]] as [string, preact.ComponentChildren][]) : []),
        ...job.result_files.map((id): [string, preact.ComponentChildren] => ["Metrics of each step", file(id)]),
        ["Trained tokens", count(job.trained_tokens)],
        ["Created", <Time at={job.created_at} />],
        ...(job.finished_at ? ([["Finished", <Time at={job.finished_at} />]] as [string, preact.ComponentChildren][]) : []),
        ...Object.entries(job.metadata ?? {}),
    ];
}

function Actions({ job, onCode }: { job: Job; onCode: () => void }) {
    return (
        <>
            {job.fine_tuned_model && (
                <LinkButton kind="primary" icon="playground" href={chat(job.fine_tuned_model)}>
                    Chat
                </LinkButton>
            )}
            {canPause(job) && (
                <Button icon="pause" onPress={() => pauseJob(job)}>
                    Pause
                </Button>
            )}
            {job.status === "paused" && (
                <Button kind="primary" icon="play" onPress={() => resumeJob(job)}>
                    Resume
                </Button>
            )}
            <Button icon="copy" onPress={onCode}>
                As code
            </Button>
            <Menu label={`Actions of ${jobTitle(job)}`} actions={jobActions(job)} />
        </>
    );
}

/** The job's curves, looked at again when something was measured, but not at every step of a quick job. */
function useCurves(id: string, live: boolean) {
    const curves = useLive<Curves>(`/v1/fine_tuning/jobs/${id}/metrics?points=600`, () => (live ? 5000 : null));
    const due = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
    useEffect(() => curves.refresh(), [live]);
    return {
        curves,
        measured() {
            due.current ??= setTimeout(() => {
                due.current = undefined;
                curves.refresh();
            }, FRESH);
        },
    };
}

function Whole({ job }: { job: Job }) {
    const live = jobIsLive(job);
    const { curves, measured } = useCurves(job.id, live);
    const events = useJobEvents(job.id, live, measured);
    return (
        <>
            <Failure job={job} />
            <Head job={job} />
            <section class="card">
                {curves.error && curves.error.status !== 0 && <Note kind="bad" title={curves.error.message} />}
                <JobCurves curves={curves.data} over={["failed", "cancelled"].includes(job.status) && !latest(job)} />
            </section>
            <div class="halves even">
                <Checkpoints job={job} />
                <Events events={events} />
                <section class="card">
                    <h2>Settings</h2>
                    <Facts rows={settings(job)} />
                </section>
                <section class="card">
                    <h2>Files and results</h2>
                    <Facts rows={things(job)} />
                </section>
            </div>
        </>
    );
}

export function JobPage({ parameters }: PageProps) {
    const id = parameters.job!;
    const live = useLive<Job>(`/v1/fine_tuning/jobs/${encodeURIComponent(id)}`, (job) => (jobIsLive(job) ? 1500 : 20_000));
    const [code, setCode] = useState(false);
    const job = live.data;
    if (live.error?.status === 404)
        return (
            <Empty icon="tuning" title="There is no such job" action={<LinkButton href="/fine-tuning">All jobs</LinkButton>}>
                {id} may be another account's, or mistyped.
            </Empty>
        );
    return (
        <>
            <PageHead title={job ? jobTitle(job) : id} about={job && <>Fine-tuning of {shortModel(job.model)}</>} back={{ href: "/fine-tuning", label: "Fine-tuning" }}>
                {job && <Actions job={job} onCode={() => setCode(true)} />}
            </PageHead>
            <Loaded live={live} lines={8}>
                {(job) => <Whole key={job.id} job={job} />}
            </Loaded>
            <Dialog wide open={code} title="This job, as code" onClose={() => setCode(false)}>
                <div class="dialog-body">{job && <Code label="This job, as code" examples={jobAsCode(job)} />}</div>
            </Dialog>
        </>
    );
}
