// Several jobs on one chart, and what was set differently.
import type { List } from "../../api/client";
import { query } from "../../api/client";
import type { Curves } from "../../api/curves";
import { useLive } from "../../api/live";
import { type Job, jobIsLive } from "../../api/objects";
import { Chart, type Curve, smooth } from "../../kit/chart";
import { count, figure, shortModel } from "../../kit/format";
import { Empty, Loaded, PageHead, Status } from "../../kit/show";
import { place, setQuery } from "../../router";
import { useState } from "preact/hooks";
import { Check } from "../../kit/field";
import { jobTitle } from "./job_actions";
import { latest } from "./job_progress";

const MOST = 5;
const colours = ["--accent", "--busy", "--good", "--warn", "--bad"];

/** The measurement that stands at a step, or the last before it, so that jobs with other steps share an axis. */
function aligned(steps: number[], curves: Curves, values: (number | null)[]): (number | null)[] {
    let at = 0;
    return steps.map((step) => {
        while (at + 1 < curves.steps.length && curves.steps[at + 1]! <= step) at++;
        return step > (curves.steps.at(-1) ?? -1) || step < (curves.steps[0] ?? Infinity) ? null : (values[at] ?? null);
    });
}

const rows: [string, (job: Job) => string][] = [
    ["Model", (job) => shortModel(job.model)],
    ["Training file", (job) => job.training_file],
    ["Epochs", (job) => String(job.hyperparameters.n_epochs)],
    ["Batch size", (job) => String(job.hyperparameters.batch_size)],
    ["Learning-rate multiplier", (job) => String(job.hyperparameters.learning_rate_multiplier)],
    ["LoRA rank", (job) => String(job.lora?.rank ?? "–")],
    ["LoRA alpha", (job) => String(job.lora?.alpha ?? "–")],
    ["LoRA dropout", (job) => String(job.lora?.dropout ?? "–")],
    ["Seed", (job) => String(job.seed)],
    ["Trained tokens", (job) => count(job.trained_tokens)],
    ["Training loss", (job) => figure(latest(job)?.train_loss)],
    ["Validation loss", (job) => figure(latest(job)?.full_valid_loss)],
];

function Differences({ jobs }: { jobs: Job[] }) {
    return (
        <div class="table-frame" role="region" aria-label="Settings side by side" tabIndex={0}>
            <table class="table plain">
                <thead>
                    <tr>
                        <th scope="col">Setting</th>
                        {jobs.map((job, index) => (
                            <th key={job.id} scope="col">
                                <span class="swatch" style={{ background: `var(${colours[index]})` }} /> <a href={`/fine-tuning/${job.id}`}>{jobTitle(job)}</a>
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody>
                    <tr>
                        <th scope="row">Status</th>
                        {jobs.map((job) => (
                            <td key={job.id}>
                                <Status of={job.status} />
                            </td>
                        ))}
                    </tr>
                    {rows.map(([name, value]) => {
                        const differs = new Set(jobs.map(value)).size > 1;
                        return (
                            <tr key={name} class={differs ? "differs" : ""}>
                                <th scope="row">{name}</th>
                                {jobs.map((job) => (
                                    <td key={job.id}>{value(job)}</td>
                                ))}
                            </tr>
                        );
                    })}
                </tbody>
            </table>
        </div>
    );
}

export function Compare() {
    const ids = (place.value.query.get("jobs") ?? "").split(",").filter(Boolean).slice(0, MOST);
    const list = useLive<List<Job>>("/v1/fine_tuning/jobs?limit=100", ({ data }) => (data.some((job) => ids.includes(job.id) && jobIsLive(job)) ? 2500 : 15_000));
    const curves = useLive<List<Curves>>(ids.length ? `/v1/fine_tuning/metrics${query({ job_ids: ids.join(","), points: 400 })}` : null, () => 4000);
    const [weight, setWeight] = useState(0.8);
    const [logarithmic, setLogarithmic] = useState(false);
    const choose = (id: string, chosen: boolean) => setQuery({ jobs: (chosen ? [...ids, id] : ids.filter((one) => one !== id)).join(",") });
    return (
        <>
            <PageHead title="Compare jobs" about="Up to five on one chart." back={{ href: "/fine-tuning", label: "Fine-tuning" }} />
            <Loaded live={list}>
                {({ data }) => {
                    const jobs = ids.map((id) => data.find((job) => job.id === id)).filter((job): job is Job => job !== undefined);
                    const shown = jobs.map((job) => ({ job, curves: curves.data?.data.find((one) => one.job_id === job.id) }));
                    const steps = [...new Set(shown.flatMap(({ curves }) => curves?.steps ?? []))].sort((a, b) => a - b);
                    const lines = (name: string, of: (curves: Curves) => (number | null)[], averaged: boolean): Curve[] =>
                        shown.map(({ job, curves }, index) => ({
                            name: jobTitle(job),
                            values: curves ? aligned(steps, curves, averaged ? smooth(of(curves), weight) : of(curves)) : [],
                            colour: colours[index]!,
                            sparse: name === "validation",
                        }));
                    const validated = shown.some(({ curves }) => curves?.full_valid_loss.some((value) => value !== null));
                    return (
                        <>
                            <section class="card">
                                {steps.length ? (
                                    <>
                                        <div class="chart-tools">
                                            <label class="inline-slider">
                                                Smoothing
                                                <input type="range" class="slider" min={0} max={0.98} step={0.02} value={weight} onInput={(event) => setWeight(Number(event.currentTarget.value))} />
                                            </label>
                                            <Check label="Logarithmic" checked={logarithmic} onInput={setLogarithmic} />
                                        </div>
                                        <h2>Training loss</h2>
                                        <Chart label="Training loss by step" x={steps} curves={lines("training", (one) => one.train_loss, true)} logarithmic={logarithmic} />
                                        {validated && (
                                            <>
                                                <h2>Validation loss</h2>
                                                <Chart label="Validation loss by step" x={steps} curves={lines("validation", (one) => one.full_valid_loss, false)} logarithmic={logarithmic} height={220} />
                                            </>
                                        )}
                                    </>
                                ) : (
                                    <Empty icon="activity" title="Choose jobs to compare">
                                        Their curves stand here side by side.
                                    </Empty>
                                )}
                            </section>
                            {jobs.length > 0 && <Differences jobs={jobs} />}
                            <section class="card">
                                <h2>Jobs</h2>
                                <div class="choices">
                                    {data
                                        .filter((job) => latest(job))
                                        .map((job) => (
                                            <Check key={job.id} label={jobTitle(job)} hint={`${shortModel(job.model)}, ${job.status}`} checked={ids.includes(job.id)} onInput={(chosen) => choose(job.id, chosen)} />
                                        ))}
                                    {!data.some((job) => latest(job)) && <p class="hint">No job has measured anything yet.</p>}
                                </div>
                            </section>
                        </>
                    );
                }}
            </Loaded>
        </>
    );
}
