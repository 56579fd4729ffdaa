// Several jobs on one chart, and what was set differently.
import { type List, query } from "../../api/client";
import type { Curves } from "../../api/curves";
import { type Live, type LiveList, useEach, useList, useLive } from "../../api/live";
import { type Job, jobIsLive } from "../../api/objects";
import { Button } from "../../kit/button";
import { Chart, type Curve, smooth } from "../../kit/chart";
import { count, figure, shortModel } from "../../kit/format";
import { Empty, Loaded, Note, PageHead, Status } from "../../kit/show";
import { place, setQuery } from "../../router";
import { useRef, useState } from "preact/hooks";
import { Check, SearchField } from "../../kit/field";
import { jobTitle } from "./job_actions";
import { latest } from "./job_progress";

const JOBS = "/v1/fine_tuning/jobs";
const MOST = 5;
const colours = ["--accent", "--busy", "--good", "--warn", "--bad"];

type Place = "steps" | "tokens" | "epochs";
const places: Record<Place, string> = { steps: "Step", tokens: "Tokens", epochs: "Epoch" };

/** Where each measurement stands; one without a place keeps that of the one before. */
function along(curves: Curves, by: Place): number[] {
    let last = 0;
    return curves[by].map((value) => (last = value ?? last));
}

/** The measurements of one job by the places of a shared axis: null where it has none. */
function aligned(axis: number[], own: number[], values: (number | null)[]): (number | null)[] {
    const byPlace = new Map(own.map((x, index) => [x, values[index] ?? null]));
    return axis.map((x) => byPlace.get(x) ?? null);
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
                        {jobs.map((job, index) => (
                            <td key={job.id} data-title={names[index]}>
                                <Status of={job.status} />
                            </td>
                        ))}
                    </tr>
                    {rows.map(([name, value]) => {
                        const differs = new Set(jobs.map(value)).size > 1;
                        return (
                            <tr key={name} class={differs ? "differs" : ""}>
                                <th scope="row">{name}</th>
                                {jobs.map((job, index) => (
                                    <td key={job.id} data-title={names[index]}>
                                        {value(job)}
                                    </td>
                                ))}
                            </tr>
                        );
                    })}
                </tbody>
            </table>
        </div>
    );
}

/** The jobs that were chosen, by id; those chosen before stay known while one more is on its way. */
function useChosen(ids: string[], listed: Job[]) {
    const live = useEach<Job>(ids.map((id) => `${JOBS}/${encodeURIComponent(id)}`), (jobs) => (jobs.some((job) => job && jobIsLive(job)) ? 2500 : 15_000));
    const known = useRef(new Map<string, Job>());
    for (const job of [...listed, ...(live.data ?? [])]) if (job) known.current.set(job.id, job);
    return {
        jobs: ids.map((id) => known.current.get(id)).filter((job): job is Job => job !== undefined),
        absent: ids.filter((_, index) => live.data && live.data[index] === null),
        settled: !ids.length || live.data !== undefined || ids.every((id) => known.current.has(id)),
        error: live.error,
    };
}

interface Choosing {
    ids: string[];
    list: LiveList<Job>;
    search: string;
    onSearch: (text: string) => void;
}

function Choices({ ids, list, search, onSearch }: Choosing) {
    const full = ids.length >= MOST;
    const choose = (id: string, chosen: boolean) => setQuery({ jobs: (chosen ? [...ids, id] : ids.filter((one) => one !== id)).join(",") });
    return (
        <section class="card">
            <h2>Jobs</h2>
            <SearchField label="Search jobs" value={search} onInput={onSearch} />
            {full && <p class="hint">These are {MOST}, which is all that one chart takes: untick one to choose another.</p>}
            <Loaded live={list}>
                {(data) => {
                    const measured = data.filter((job) => latest(job));
                    return (
                        <div class="choices">
                            {measured.map((job) => (
                                <Check key={job.id} label={jobTitle(job)} hint={`${shortModel(job.model)}, ${job.status}`} checked={ids.includes(job.id)} disabled={full && !ids.includes(job.id)} onInput={(chosen) => choose(job.id, chosen)} />
                            ))}
                            {!measured.length && <p class="hint">{search ? "No job that has measured anything is called so." : "No job has measured anything yet."}</p>}
                        </div>
                    );
                }}
            </Loaded>
            {list.hasMore && (
                <div>
                    <Button onPress={list.more}>Show more</Button>
                </div>
            )}
        </section>
    );
}

function SharedChart({ jobs, curves }: { jobs: Job[]; curves: Curves[] }) {
    const [weight, setWeight] = useState(0.8);
    const [by, setBy] = useState<Place>("steps");
    const [logarithmic, setLogarithmic] = useState(false);
    const shown = jobs.map((job) => ({ job, curves: curves.find((one) => one.job_id === job.id) }));
    const names = titles(jobs);
    const axis = [...new Set(shown.flatMap(({ curves }) => (curves ? along(curves, by) : [])))].sort((a, b) => a - b);
    if (!axis.length) return <p class="hint">None of these jobs has measured anything yet.</p>;
    const lines = (of: (curves: Curves) => (number | null)[], kind: "joined" | "sparse"): Curve[] =>
        shown.map(({ curves }, index) => ({
            name: names[index]!,
            values: curves ? aligned(axis, along(curves, by), kind === "joined" ? smooth(of(curves), weight) : of(curves)) : [],
            colour: colours[index]!,
            [kind]: true,
        }));
    const validated = shown.some(({ curves }) => curves?.full_valid_loss.some((value) => value !== null));
    const chart = (title: string, curves: Curve[], height?: number) => (
        <>
            <h2>{title}</h2>
            <Chart key={by} label={`${title} by ${places[by].toLowerCase()}`} x={axis} xLabel={places[by]} curves={curves} logarithmic={logarithmic} height={height} />
        </>
    );
    return (
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
            {chart("Training loss", lines((one) => one.train_loss, "joined"))}
            {validated && chart("Validation loss", lines((one) => one.full_valid_loss, "sparse"), 220)}
        </>
    );
}

export function Compare() {
    const ids = (place.value.query.get("jobs") ?? "").split(",").filter(Boolean).slice(0, MOST);
    const [search, setSearch] = useState("");
    const list = useList<Job>(JOBS, { search });
    const { jobs, absent, settled, error } = useChosen(ids, list.data ?? []);
    const curves = useLive<List<Curves>>(ids.length ? `/v1/fine_tuning/metrics${query({ job_ids: ids.join(","), points: 400 })}` : null, () => 4000);
    const before = useRef<List<Curves> | undefined>(undefined); // shown while those of one more job are on their way
    if (curves.data) before.current = curves.data;
    const known = ids.length ? before.current?.data : [];
    const both: Live<Curves[]> = { data: settled ? known : undefined, error: error ?? curves.error, refresh: curves.refresh };
    return (
        <>
            <PageHead title="Compare jobs" about="Up to five on one chart." back={{ href: "/fine-tuning", label: "Fine-tuning" }} />
            <Loaded live={both} lines={12}>
                {(curves) => (
                    <>
                        {absent.length > 0 && <Note kind="warning" title={absent.length === 1 ? `There is no job ${absent[0]}` : `There are no jobs ${absent.join(", ")}`} />}
                        <section class="card">
                            {jobs.length ? (
                                <SharedChart jobs={jobs} curves={curves} />
                            ) : (
                                <Empty icon="activity" title="Choose jobs to compare">
                                    Their curves stand here side by side.
                                </Empty>
                            )}
                        </section>
                        {jobs.length > 0 && <Differences jobs={jobs} />}
                        <Choices ids={ids} list={list} search={search} onSearch={setSearch} />
                    </>
                )}
            </Loaded>
        </>
    );
}
