// Several jobs on one chart, and what was set differently.
import type { List } from "../../api/client";
import { query } from "../../api/client";
import type { Curves } from "../../api/curves";
import { type Live, useLive } from "../../api/live";
import { type Job, jobIsLive } from "../../api/objects";
import { Chart, type Curve, smooth } from "../../kit/chart";
import { count, figure, shortModel } from "../../kit/format";
import { Empty, Loaded, Note, PageHead, Status } from "../../kit/show";
import { place, setQuery } from "../../router";
import { useRef, useState } from "preact/hooks";
import { Check } from "../../kit/field";
import { jobTitle } from "./job_actions";
import { latest } from "./job_progress";

const MOST = 5;
const LISTED = 100;
const colours = ["--accent", "--busy", "--good", "--warn", "--bad"];

type Place = "steps" | "tokens" | "epochs";
const places: Record<Place, string> = { steps: "Step", tokens: "Tokens", epochs: "Epoch" };

/** Where each measurement stands; one without a place keeps that of the one before. */
function along(curves: Curves, by: Place): number[] {
    let last = 0;
    return curves[by].map((value) => (last = value ?? last));
}

/** The measurement that stands at each place of a shared axis, or the last before it; of single ones, only what stands there. */
function aligned(axis: number[], own: number[], values: (number | null)[], single: boolean): (number | null)[] {
    let at = 0;
    return axis.map((x) => {
        while (at + 1 < own.length && own[at + 1]! <= x) at++;
        if (x > (own.at(-1) ?? -1) || x < (own[0] ?? Infinity) || (single && own[at] !== x)) return null;
        return values[at] ?? null;
    });
}

/** Jobs may share a nickname: then the end of the id tells them apart. */
function titles(jobs: Job[]): string[] {
    const all = jobs.map(jobTitle);
    return jobs.map((job, index) => (all.filter((title) => title === all[index]).length > 1 ? `${all[index]} (…${job.id.slice(-4)})` : all[index]!));
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
    ["LoRA modules", (job) => job.lora?.target_modules?.join(", ") ?? "–"],
    ["Seed", (job) => String(job.seed)],
    ["Trained tokens", (job) => count(job.trained_tokens)],
    ["Training loss", (job) => figure(latest(job)?.train_loss)],
    ["Validation loss", (job) => figure(latest(job)?.full_valid_loss)],
];

function Differences({ jobs }: { jobs: Job[] }) {
    const names = titles(jobs);
    return (
        <div class="table-frame" role="region" aria-label="Settings side by side" tabIndex={0}>
            <table class="table plain">
                <thead>
                    <tr>
                        <th scope="col">Setting</th>
                        {jobs.map((job, index) => (
                            <th key={job.id} scope="col">
                                <span class="swatch" style={{ background: `var(${colours[index]})` }} /> <a href={`/fine-tuning/${job.id}`}>{names[index]}</a>
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
    const list = useLive<List<Job>>(`/v1/fine_tuning/jobs?limit=${LISTED}`, ({ data }) => (data.some((job) => ids.includes(job.id) && jobIsLive(job)) ? 2500 : 15_000));
    const curves = useLive<List<Curves>>(ids.length ? `/v1/fine_tuning/metrics${query({ job_ids: ids.join(","), points: 400 })}` : null, () => 4000);
    const before = useRef<List<Curves> | null>(null); // shown while those of one more job are on their way
    if (curves.data) before.current = curves.data;
    const known = curves.data ?? before.current;
    const both: Live<List<Job>> = ids.length && !known ? { ...list, data: undefined, error: list.error ?? curves.error } : list;
    const [weight, setWeight] = useState(0.8);
    const [by, setBy] = useState<Place>("steps");
    const [logarithmic, setLogarithmic] = useState(false);
    const full = ids.length >= MOST;
    const choose = (id: string, chosen: boolean) => setQuery({ jobs: (chosen ? [...ids, id] : ids.filter((one) => one !== id)).join(",") });
    return (
        <>
            <PageHead title="Compare jobs" about="Up to five on one chart." back={{ href: "/fine-tuning", label: "Fine-tuning" }} />
            <Loaded live={both} lines={12}>
                {({ data }) => {
                    const jobs = ids.map((id) => data.find((job) => job.id === id)).filter((job): job is Job => job !== undefined);
                    const shown = jobs.map((job) => ({ job, curves: known?.data.find((one) => one.job_id === job.id) }));
                    const absent = ids.filter((id) => !data.some((job) => job.id === id));
                    const names = titles(jobs);
                    const axis = [...new Set(shown.flatMap(({ curves }) => (curves ? along(curves, by) : [])))].sort((a, b) => a - b);
                    const lines = (of: (curves: Curves) => (number | null)[], averaged: boolean): Curve[] =>
                        shown.map(({ curves }, index) => ({
                            name: names[index]!,
                            values: curves ? aligned(axis, along(curves, by), averaged ? smooth(of(curves), weight) : of(curves), !averaged) : [],
                            colour: colours[index]!,
                            sparse: !averaged,
                        }));
                    const validated = shown.some(({ curves }) => curves?.full_valid_loss.some((value) => value !== null));
                    return (
                        <>
                            {absent.length > 0 && <Note kind="warning" title={`Not among your latest ${LISTED} jobs: ${absent.join(", ")}`} />}
                            <section class="card">
                                {axis.length ? (
                                    <>
                                        <div class="chart-tools">
                                            <label class="inline-slider">
                                                Smoothing
                                                <input type="range" class="slider" min={0} max={0.98} step={0.02} value={weight} onInput={(event) => setWeight(Number(event.currentTarget.value))} />
                                            </label>
                                            <label class="inline-slider">
                                                Along
                                                <select class="input narrow" value={by} onInput={(event) => setBy(event.currentTarget.value as Place)}>
                                                    {Object.entries(places).map(([value, title]) => (
                                                        <option key={value} value={value} selected={value === by}>
                                                            {title}
                                                        </option>
                                                    ))}
                                                </select>
                                            </label>
                                            <Check label="Logarithmic" checked={logarithmic} onInput={setLogarithmic} />
                                        </div>
                                        <h2>Training loss</h2>
                                        <Chart key={by} label={`Training loss by ${places[by].toLowerCase()}`} x={axis} xLabel={places[by]} curves={lines((one) => one.train_loss, true)} logarithmic={logarithmic} />
                                        {validated && (
                                            <>
                                                <h2>Validation loss</h2>
                                                <Chart key={by} label={`Validation loss by ${places[by].toLowerCase()}`} x={axis} xLabel={places[by]} curves={lines((one) => one.full_valid_loss, false)} logarithmic={logarithmic} height={220} />
                                            </>
                                        )}
                                    </>
                                ) : jobs.length > 0 ? (
                                    <Loaded live={curves} lines={8}>
                                        {() => <p class="hint">None of these jobs has measured anything yet.</p>}
                                    </Loaded>
                                ) : (
                                    <Empty icon="activity" title="Choose jobs to compare">
                                        Their curves stand here side by side.
                                    </Empty>
                                )}
                            </section>
                            {jobs.length > 0 && <Differences jobs={jobs} />}
                            <section class="card">
                                <h2>Jobs</h2>
                                {full && <p class="hint">These are {MOST}, which is all that one chart takes: untick one to choose another.</p>}
                                <div class="choices">
                                    {data
                                        .filter((job) => latest(job))
                                        .map((job) => (
                                            <Check key={job.id} label={jobTitle(job)} hint={`${shortModel(job.model)}, ${job.status}`} checked={ids.includes(job.id)} disabled={full && !ids.includes(job.id)} onInput={(chosen) => choose(job.id, chosen)} />
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
